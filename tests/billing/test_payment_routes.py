"""The payment routes: what belongs to others is not found, what cannot be is named, Stripe's words stay with us."""

import pytest

from apps.billing import tasks
from apps.billing.models import Order, OrderStatus, StripeCustomer
from apps.common import clock
from tests.billing.stripe_shop import Shop

USD = 1_000_000_000


@pytest.fixture
def neighbour(shop, make_customer):
    """Somebody else at the same gateway and the same Stripe."""
    return Shop(shop.gateway, shop.fake, make_customer(credit_usd="0"))


def test_packages_are_shown_to_anybody_with_the_fee_beside_the_price(shop):
    answer = shop.call("GET", "credit-packages", headers={"authorization": ""}).json()

    (starter,) = [row for row in answer["data"] if row["slug"] == "starter"]
    assert starter == {
        "slug": "starter", "name": "Starter", "price_usd": 10, "fee_usd": 0.5, "amount_usd": 10.5,
        "amount_cents": 1050, "credit_usd": 10, "bonus_usd": 0,
    }  # fmt: skip
    assert (answer["least_usd"], answer["fee_percent"]) == (5, 5)


@pytest.mark.parametrize("path", ["checkout-session", "payment-intent"])
@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"amount_usd": 4.99}, "amount_usd"),
        ({"amount_usd": 10_000.01}, "amount_usd"),
        ({"amount_usd": 0}, "amount_usd"),
        ({"amount_usd": -10}, "amount_usd"),
        ({"amount_usd": 10.001}, "amount_usd"),
        ({"amount_usd": "ten"}, "amount_usd"),
        ({}, "amount_usd"),
        ({"amount_usd": 10, "package": "starter"}, "amount_usd"),
        ({"package": "nothing-of-the-kind"}, "package"),
        ({"amount_usd": 10, "currency": "eur"}, "currency"),
    ],
    ids=["less", "more", "nothing", "negative", "parts of cents", "a word", "neither", "both", "unknown", "foreign"],
)  # fmt: skip
def test_field_is_named_when_it_cannot_be(shop, path, body, param):
    answer = shop.call("POST", path, body)

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert not Order.objects.filter(organization_id=shop.customer.organization_id).exists()


@pytest.mark.parametrize("address", ["javascript:alert(1)", "//evil.example", "ftp://a.example"])
def test_payer_is_sent_to_web_addresses_alone(shop, address):
    answer = shop.call("POST", "checkout-session", {"amount_usd": 10, "success_url": address})

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "success_url")


def test_nothing_of_others_is_found(shop, neighbour):
    order = shop.buy(amount_usd=10, save_card=True)
    intent = shop.post("payment-intent", {"amount_usd": 10})
    (card,) = shop.call("GET", "cards").json()["data"]
    tax_id = shop.post("tax-ids", {"type": "eu_vat", "value": "DE123456789"})
    top_up = {"is_enabled": True, "threshold_usd": 5, "amount_usd": 20, "card_id": card["id"]}

    tried = [
        neighbour.call("GET", f"checkout-session/{order.pk}"),
        neighbour.call("GET", f"checkout-session/{order.session_id}"),
        neighbour.call("GET", f"payment-intent/{intent['intent_id']}"),
        neighbour.call("GET", f"payments/{order.pk}"),
        neighbour.call("GET", f"payments/{order.pk}/receipt"),
        neighbour.call("GET", f"payments/{order.intent_id}"),
        neighbour.call("POST", "refund", {"payment_id": order.pk}),
        neighbour.call("POST", f"cards/{card['id']}/default"),
        neighbour.call("DELETE", f"cards/{card['id']}"),
        neighbour.call("DELETE", f"tax-ids/{tax_id['id']}"),
        neighbour.call("PUT", "auto-top-up", top_up),
    ]

    assert [(a.status_code, a.json()["error"]["code"]) for a in tried] == [
        (404, "not_found")
    ] * len(tried)
    for path in ("payments", "cards", "tax-ids"):
        assert neighbour.call("GET", path).json()["data"] == []
    assert shop.purchased == 10 * USD
    assert [one["id"] for one in shop.call("GET", "cards").json()["data"]] == [card["id"]]


def test_test_key_pays_nothing(shop, make_customer):
    tester = Shop(shop.gateway, shop.fake, make_customer(environment="test"))

    answer = tester.call("POST", "checkout-session", {"amount_usd": 10})

    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "permission_denied")


def test_payments_are_listed_page_by_page(shop):
    made = [shop.order(amount_usd=5 + n)["id"] for n in range(3)]

    first = shop.call("GET", "payments?limit=2").json()
    second = shop.call("GET", f"payments?limit=2&before={first['next_before']}").json()

    assert [row["id"] for row in first["data"] + second["data"]] == made[::-1]
    assert (first["has_more"], second["has_more"], second["next_before"]) == (True, False, None)


def test_receipt_and_invoice_are_linked_when_paid(shop):
    order = shop.order(amount_usd=10)
    assert shop.call("GET", f"payments/{order['id']}/receipt").status_code == 404
    shop.pay(order)
    shop.deliver()

    receipt = shop.get(f"payments/{order['id']}/receipt")

    assert receipt["receipt_url"].startswith("https://pay.stripe.com/receipts/")
    assert receipt["invoice_url"].startswith("https://invoice.stripe.com/")
    assert receipt["invoice_pdf"].startswith("https://")


def test_payer_who_comes_back_sees_the_credit_before_any_webhook(shop):
    order = shop.order(amount_usd=10)
    shop.pay(order)

    seen = shop.get(f"checkout-session/{order['session_id']}")

    assert (seen["status"], seen["url"], shop.purchased) == ("paid", None, 10 * USD)
    shop.deliver()
    assert shop.purchased == 10 * USD


def test_cards_are_saved_chosen_and_forgotten(shop):
    assert shop.call("GET", "cards").json()["data"] == []
    setup = shop.post("cards", {"success_url": "https://a.example/done"})
    assert setup["url"].startswith("https://checkout.stripe.com/")
    shop.fake.control(f"checkout/{setup['url'].rpartition('/')[2]}/complete", card="pm_card_visa")
    assert set(shop.deliver()) == {200}
    (card,) = shop.call("GET", "cards").json()["data"]
    assert (card["brand"], card["last4"], card["is_default"]) == ("visa", "4242", False)

    assert shop.post(f"cards/{card['id']}/default", None)["is_default"]
    assert shop.call("DELETE", f"cards/{card['id']}").json()["data"]["deleted"]

    assert shop.call("GET", "cards").json()["data"] == []


def test_tax_ids_are_added_and_removed(shop):
    added = shop.post("tax-ids", {"type": "eu_vat", "value": "DE123456789"})
    wrong = shop.call("POST", "tax-ids", {"type": "xx_vat", "value": "DE123456789"})

    assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, "value")
    assert shop.call("GET", "tax-ids").json()["data"] == [added]
    assert shop.call("DELETE", f"tax-ids/{added['id']}").status_code == 200
    assert shop.call("GET", "tax-ids").json()["data"] == []


def test_nothing_that_stripe_says_reaches_the_client(shop):
    shop.order()
    StripeCustomer.objects.filter(organization_id=shop.customer.organization_id).update(
        stripe_id="cus_gone"
    )

    answer = shop.call("POST", "checkout-session", {"amount_usd": 10})

    assert answer.status_code in (404, 502)
    assert "cus_gone" not in answer.text
    assert "No such" not in answer.text


def test_operator_is_named_when_stripe_refuses_the_key(shop, settings):
    settings.STRIPE_SECRET_KEY = "sk_wrong_secret"

    answer = shop.call("POST", "checkout-session", {"amount_usd": 10})

    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "payments_not_configured")
    assert "sk_wrong" not in answer.text


def test_sweep_credits_what_nobody_told_us_of(shop, settings):
    order = shop.order(amount_usd=10)
    shop.pay(order)
    tasks.sweep_payments()
    assert shop.purchased == 0  # the webhook may still come

    Order.objects.filter(pk=order["id"]).update(
        created_at=clock.now() - settings.ORDER_CHECKED_AFTER * 2
    )
    tasks.sweep_payments()

    assert shop.purchased == 10 * USD
    assert set(shop.deliver()) == {200}
    assert shop.purchased == 10 * USD


def test_sweep_finds_the_session_whose_answer_was_lost(shop, settings):
    shop.order(amount_usd=5)
    settings.STRIPE_TIMEOUT_SECONDS = 0.5
    shop.fake.control("fail", kind="lost", path="/v1/checkout/sessions", milliseconds=2000)
    assert shop.call("POST", "checkout-session", {"amount_usd": 10}).status_code == 503
    mine = Order.objects.filter(organization_id=shop.customer.organization_id, price_cents=1000)
    (made,) = [s for s in shop.fake.objects()["checkout.session"] if s["amount_total"] == 1050]
    shop.fake.control(f"checkout/{made['id']}/complete")
    mine.update(created_at=clock.now() - settings.ORDER_CHECKED_AFTER * 2)

    tasks.sweep_payments()

    assert (mine.get().session_id, mine.get().status) == (made["id"], OrderStatus.PAID)
    assert shop.purchased == 10 * USD


def test_sweep_gives_up_what_stripe_never_heard_of(shop, settings):
    shop.order(amount_usd=5)
    shop.fake.control("fail", kind="500", count=1, path="/v1/checkout/sessions")
    assert shop.call("POST", "checkout-session", {"amount_usd": 10}).status_code == 503
    mine = Order.objects.filter(organization_id=shop.customer.organization_id, price_cents=1000)
    mine.update(created_at=clock.now() - settings.ORDER_REPEATED_FOR * 2)

    tasks.sweep_payments()

    assert mine.get().status == OrderStatus.FAILED


def test_sweep_goes_on_when_one_order_cannot_be_compared(shop, settings):
    lost, paid = shop.order(amount_usd=5), shop.order(amount_usd=10)
    shop.pay(paid)
    Order.objects.filter(pk=lost["id"]).update(session_id="cs_gone")
    Order.objects.filter(pk__in=[lost["id"], paid["id"]]).update(
        created_at=clock.now() - settings.ORDER_CHECKED_AFTER * 2
    )

    tasks.sweep_payments()

    assert shop.purchased == 10 * USD
