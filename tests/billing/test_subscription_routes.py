"""The routes of subscriptions and invoices: what belongs to others is not found, what cannot be is named."""

import pytest

from apps.billing.models import Subscription
from tests.billing.stripe_shop import Shop
from tests.billing.subscriber import DAY

POSTS: tuple[tuple[str, dict[str, str] | None], ...] = (
    ("subscription-checkout", {"plan": "pro"}),
    ("subscription/preview", {"plan": "team"}),
    ("subscription/upgrade", {"plan": "team"}),
    ("subscription/downgrade", {"plan": "dev"}),
    ("subscription/cancel", {}),
    ("subscription/resume", None),
    ("portal-session", {}),
)
GETS = ("subscription", "subscription-checkout/subscr_1", "invoices", "invoices/in_1")


@pytest.fixture
def neighbour(shop, make_customer):
    """Somebody else at the same gateway and the same Stripe."""
    return Shop(shop.gateway, shop.fake, make_customer(credit_usd="0"))


def test_nothing_of_others_is_found(shop, subscriber, neighbour):
    row = subscriber.subscribe("pro")
    (invoice,) = subscriber.invoices()
    neighbour.order(amount_usd=10)  # it is a customer, too

    tried = [
        neighbour.call("GET", f"subscription-checkout/{row.pk}"),
        neighbour.call("GET", f"subscription-checkout/{row.session_id}"),
        neighbour.call("GET", f"subscription-checkout/{row.stripe_id}"),
        neighbour.call("GET", f"invoices/{invoice['id']}"),
        neighbour.call("GET", f"invoices?before={invoice['id']}"),
        *(neighbour.call("POST", path, body) for path, body in POSTS if "/" in path),
    ]

    assert [(a.status_code, a.json()["error"]["code"]) for a in tried] == [
        (404, "not_found")
    ] * len(tried)
    assert neighbour.call("GET", "subscription").json() == {"data": None}
    assert neighbour.call("GET", "invoices").json()["data"] == []
    subscriber.row.refresh_from_db()
    assert (subscriber.row.status, subscriber.row.cancel_at_period_end) == ("active", False)


def test_what_is_foreign_and_what_is_not_there_are_told_in_the_same_words(
    shop, subscriber, neighbour
):
    subscriber.subscribe("pro")
    (invoice,) = subscriber.invoices()
    neighbour.order(amount_usd=10)

    foreign, missing = (
        neighbour.call("GET", f"invoices/{name}").json()["error"]["message"]
        for name in (invoice["id"], "in_nothing")
    )

    assert foreign == missing


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("subscription-checkout", {}, "plan"),
        ("subscription-checkout", {"plan": ""}, "plan"),
        ("subscription-checkout", {"plan": "nothing"}, "plan"),
        ("subscription-checkout", {"plan": "dev"}, "plan"),
        ("subscription-checkout", {"plan": "enterprise"}, "plan"),
        ("subscription-checkout", {"plan": "pro", "success_url": "javascript:1"}, "success_url"),
        ("subscription-checkout", {"plan": "pro", "price_usd": 1}, "price_usd"),
        ("portal-session", {"return_url": "//evil.example"}, "return_url"),
    ],
)
def test_field_is_named_when_it_cannot_be(shop, path, body, param):
    answer = shop.call("POST", path, body)

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert not Subscription.objects.filter(organization_id=shop.customer.organization_id).exists()


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("subscription/upgrade", {"plan": "team", "prorated_at": "yesterday"}, "prorated_at"),
        ("subscription/upgrade", {"plan": "team", "prorated_at": "2040-01-01T00:00"}, "prorated_at"),
        ("subscription/cancel", {"at_period_end": "perhaps"}, "at_period_end"),
        ("subscription/cancel", {"at_period_end": "no"}, "at_period_end"),
        ("subscription/cancel", {"now": True}, "now"),
    ],
)  # fmt: skip
def test_field_of_a_change_is_named_when_it_cannot_be(shop, subscriber, path, body, param):
    subscriber.subscribe("pro")

    answer = shop.call("POST", path, body)

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert subscriber.row.status == "active"


def test_routes_say_what_is_missing_when_payments_are_not_set_up(shop, settings):
    settings.STRIPE_WEBHOOK_SECRETS = []

    answers = [shop.call("POST", path, body) for path, body in POSTS]
    answers += [shop.call("GET", path) for path in GETS]

    for answer in answers:
        error = answer.json()["error"]
        assert (answer.status_code, error["code"]) == (503, "payments_not_configured")
        assert "STRIPE_WEBHOOK_SECRET" in error["message"]


def test_test_key_subscribes_to_nothing(shop, make_customer):
    tester = Shop(shop.gateway, shop.fake, make_customer(environment="test"))

    answers = [tester.call("POST", path, body) for path, body in POSTS]
    answers += [tester.call("GET", path) for path in GETS]

    assert {(a.status_code, a.json()["error"]["code"]) for a in answers} == {
        (403, "permission_denied")
    }


def test_same_page_is_answered_when_the_idempotency_key_is_the_same(shop, subscriber):
    key = {"headers": {"idempotency-key": "once"}}

    first = subscriber.begin("pro", **key)
    second = subscriber.begin("pro", **key)
    other = shop.call("POST", "subscription-checkout", {"plan": "team"}, **key)

    assert (first["session_id"], first["url"]) == (second["session_id"], second["url"])
    assert (other.status_code, other.json()["error"]["code"]) == (422, "idempotency_mismatch")
    subscriber.pay(first)
    shop.deliver()
    after = subscriber.begin("pro", **key)
    assert (after["status"], after["url"]) == ("active", None)


def test_invoices_are_listed_page_by_page_with_their_links(shop, subscriber):
    shop.buy(amount_usd=10)
    subscriber.subscribe("pro")
    subscriber.pass_time(31 * DAY)

    first = shop.call("GET", "invoices?limit=2").json()
    second = shop.call("GET", f"invoices?limit=2&before={first['next_before']}").json()

    assert [row["is_of_subscription"] for row in first["data"] + second["data"]] == [
        True, True, False,
    ]  # fmt: skip
    assert (first["has_more"], second["has_more"], second["next_before"]) == (True, False, None)
    newest = first["data"][0]
    assert (newest["status"], newest["total_usd"], newest["paid_cents"], newest["due_cents"]) == (
        "paid", 29, 2900, 0,
    )  # fmt: skip
    assert newest["page_url"].startswith("https://invoice.stripe.com/")
    assert newest["pdf_url"].startswith("https://invoice.stripe.com/")
    assert newest["lines"][0]["amount_cents"] == 2900
    assert newest["created_at"] == "2040-02-01T00:00:00Z"
    assert shop.get(f"invoices/{newest['id']}") == newest


def test_open_invoice_says_where_it_is_paid_and_when_it_is_tried_again(shop, subscriber):
    subscriber.subscribe("pro")
    shop.fake.control("decline")
    subscriber.pass_time(31 * DAY)

    (newest, _) = shop.call("GET", "invoices").json()["data"]

    assert (newest["status"], newest["due_cents"]) == ("open", 2900)
    assert newest["next_attempt_at"] == "2040-02-04T00:00:00Z"
    assert newest["page_url"]


def test_portal_is_opened_for_those_who_have_paid(shop, subscriber):
    nobody = shop.call("POST", "portal-session", {})
    assert (nobody.status_code, nobody.json()["error"]["code"]) == (404, "not_found")
    subscriber.subscribe("pro")

    portal = shop.post("portal-session", {"return_url": "https://a.example/billing"})

    assert portal["url"].startswith("https://billing.stripe.com/")
    (session,) = shop.fake.objects()["billing_portal.session"]
    assert session["return_url"] == "https://a.example/billing"


def test_tax_id_stands_on_the_next_invoice(shop, subscriber):
    subscriber.subscribe("pro")
    shop.post("tax-ids", {"type": "eu_vat", "value": "DE123456789"})
    subscriber.pass_time(31 * DAY)

    assert subscriber.invoices()[-1]["customer_tax_ids"] == [
        {"type": "eu_vat", "value": "DE123456789"}
    ]
