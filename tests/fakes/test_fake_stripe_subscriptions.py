"""Subscriptions and their invoices: amounts are worked by hand from a clock that stands still.

January has 31 days: after 15.5 of them half the period is left, after 21 there are 10/31.
"""

import pytest
import stripe

from tests.fakes.stripe.process import FakeStripe
from tests.fakes.stripe.prorations import share

START = 1_767_225_600  # 1 January 2026, midnight UTC
DAY = 86_400
HALF_OF_JANUARY = 31 * DAY // 2
FEBRUARY = START + 31 * DAY
MARCH = FEBRUARY + 28 * DAY


class Plans:
    """Prices by name, in cents a month; ``yearly`` in a year; ``seat`` per piece."""

    def __init__(self, client: stripe.StripeClient) -> None:
        self.free = self._make(client, "Free", 0)
        self.basic = self._make(client, "Basic", 1000)
        self.pro = self._make(client, "Pro", 2000)
        self.odd = self._make(client, "Odd", 999)
        self.seat = self._make(client, "Seat", 500)
        self.yearly = self._make(client, "Pro", 20_000, "year")

    def _make(
        self, client: stripe.StripeClient, name: str, amount: int, interval: str = "month"
    ) -> str:
        return client.v1.prices.create(
            {
                "product_data": {"name": name},
                "unit_amount": amount,
                "currency": "usd",
                "recurring": {"interval": "year" if interval == "year" else "month"},
            }
        ).id


@pytest.fixture
def plans(fake: FakeStripe, client):
    fake.control("clock", stop=START)
    return Plans(client)


@pytest.fixture
def customer(fake, client):
    made = client.v1.customers.create({"email": "a@example.com"})
    card = client.v1.payment_methods.attach("pm_card_visa", {"customer": made.id})
    return client.v1.customers.update(
        made.id, {"invoice_settings": {"default_payment_method": card.id}}
    )


def subscribe(client, customer, price, **params):
    return client.v1.subscriptions.create(
        {"customer": customer.id, "items": [{"price": price}], **params}
    )


def item_of(subscription):
    return subscription["items"].data[0]


def change(client, subscription, price, **params):
    item = {"id": item_of(subscription).id, "price": price}
    return client.v1.subscriptions.update(subscription.id, {"items": [item], **params})


def invoices_of(client, subscription):
    """Oldest first."""
    return client.v1.invoices.list({"subscription": subscription.id, "limit": 100}).data[::-1]


def amounts(invoice):
    return [line.amount for line in invoice.lines.data]


@pytest.mark.parametrize(
    ("amount", "left", "whole", "expected"),
    [
        (1000, 1, 2, 500),
        (999, 1, 2, 500),  # 499.5
        (-999, 1, 2, -500),
        (1000, 1, 3, 333),
        (2000, 1, 3, 667),
        (1000, 0, 31, 0),
        (1000, 31, 31, 1000),
    ],
)
def test_shares_are_rounded_half_away_from_zero(amount, left, whole, expected):
    assert share(amount, left=left, whole=whole) == expected


def test_begins_paid_for_a_month(fake, client, plans, customer):
    subscription = subscribe(
        client, customer, plans.basic, metadata={"org": "1"}, expand=["latest_invoice.payments"]
    )

    invoice = subscription.latest_invoice
    item = item_of(subscription)
    assert subscription.status == "active"
    assert (item.current_period_start, item.current_period_end) == (START, FEBRUARY)
    assert (invoice.status, invoice.amount_paid, invoice.billing_reason) == (
        "paid",
        1000,
        "subscription_create",
    )
    assert invoice.number.endswith("-0001")
    assert invoice.parent.subscription_details.subscription == subscription.id
    assert invoice.parent.subscription_details.metadata.to_dict() == {"org": "1"}
    paid = client.v1.invoice_payments.list(
        {
            "payment": {
                "type": "payment_intent",
                "payment_intent": invoice.payments.data[0].payment.payment_intent,
            }
        }
    )
    assert paid.data[0].invoice == invoice.id
    kinds = [event["type"] for event in fake.events()]
    begun = kinds[kinds.index("customer.subscription.created") :]
    assert begun == [
        "customer.subscription.created",
        "invoice.created",
        "invoice.finalized",
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
        "charge.updated",
        "invoice_payment.paid",
        "invoice.paid",
        "invoice.payment_succeeded",
        "customer.subscription.updated",
    ]


def test_is_incomplete_until_its_first_invoice_is_paid(fake, client, plans, customer):
    fake.control("decline")

    subscription = subscribe(client, customer, plans.basic)
    client.v1.invoices.pay(subscription.latest_invoice)

    assert subscription.status == "incomplete"
    assert client.v1.subscriptions.retrieve(subscription.id).status == "active"
    assert len(fake.events("invoice.payment_failed")) == 1


def test_nothing_is_made_when_a_decline_is_an_error(fake, client, plans, customer):
    fake.control("decline")

    with pytest.raises(stripe.CardError):
        subscribe(client, customer, plans.basic, payment_behavior="error_if_incomplete")

    assert client.v1.subscriptions.list({"status": "all"}).data == []
    assert fake.events("customer.subscription.created", "invoice.created") == []


def test_an_unpaid_beginning_expires(fake, client, plans, customer):
    subscription = subscribe(client, customer, plans.basic, payment_behavior="default_incomplete")

    fake.control("clock", advance=DAY)

    after = client.v1.subscriptions.retrieve(subscription.id, {"expand": ["latest_invoice"]})
    assert (after.status, after.latest_invoice.status) == ("incomplete_expired", "void")


def test_a_payment_page_of_ours_pays_the_first_invoice(client, plans, customer):
    subscription = subscribe(
        client,
        customer,
        plans.basic,
        payment_behavior="default_incomplete",
        payment_settings={"save_default_payment_method": "on_subscription"},
        expand=["latest_invoice.confirmation_secret"],
    )
    secret = subscription.latest_invoice.confirmation_secret.client_secret

    intent = client.v1.payment_intents.confirm(
        secret.partition("_secret")[0], {"payment_method": "pm_card_mastercard"}
    )

    after = client.v1.subscriptions.retrieve(subscription.id)
    assert (after.status, after.default_payment_method) == ("active", intent.payment_method)


def test_an_upgrade_at_half_time_waits_for_the_next_invoice(fake, client, plans, customer):
    """Half of $10 back, half of $20 to pay; February's $20."""
    subscription = subscribe(client, customer, plans.basic)
    fake.control("clock", advance=HALF_OF_JANUARY)

    changed = change(client, subscription, plans.pro)
    fake.control("clock", to=FEBRUARY)

    first, renewal = invoices_of(client, subscription)
    assert item_of(changed).price.id == plans.pro
    assert item_of(changed).current_period_end == FEBRUARY
    assert (first.total, amounts(renewal), renewal.total) == (1000, [-500, 1000, 2000], 2500)
    assert (renewal.status, renewal.billing_reason) == ("paid", "subscription_cycle")
    details = [line.parent.subscription_item_details for line in renewal.lines.data]
    assert [one.proration for one in details] == [True, True, False]
    assert details[0].invoice_item.startswith("ii_")
    assert renewal.lines.data[0].description == "Unused time on Basic after 16 Jan 2026"
    assert [line.period.start for line in renewal.lines.data] == [
        START + HALF_OF_JANUARY,
        START + HALF_OF_JANUARY,
        FEBRUARY,
    ]


def test_an_upgrade_is_paid_at_once_when_asked_for(fake, client, plans, customer):
    """10/31 left: −$10·10/31 = −322.58 → −323; $20·10/31 = 645.16 → 645."""
    subscription = subscribe(client, customer, plans.basic)
    fake.control("clock", advance=21 * DAY)

    change(client, subscription, plans.pro, proration_behavior="always_invoice")
    fake.control("clock", to=FEBRUARY)

    _, upgrade, renewal = invoices_of(client, subscription)
    assert (amounts(upgrade), upgrade.amount_paid) == ([-323, 645], 322)
    assert upgrade.billing_reason == "subscription_update"
    assert amounts(renewal) == [2000]


def test_a_downgrade_leaves_credit_for_the_next_invoice(fake, client, plans, customer):
    """Half of $20 back, half of $9.99 (499.5 → 500) to pay: $5.00 of credit; February costs $9.99."""
    subscription = subscribe(client, customer, plans.pro)
    fake.control("clock", advance=HALF_OF_JANUARY)

    change(client, subscription, plans.odd, proration_behavior="always_invoice")
    credit = client.v1.customers.retrieve(customer.id).balance
    fake.control("clock", to=FEBRUARY)

    _, downgrade, renewal = invoices_of(client, subscription)
    assert (amounts(downgrade), downgrade.total, downgrade.amount_due) == ([-1000, 500], -500, 0)
    assert (downgrade.status, credit) == ("paid", -500)
    assert (renewal.total, renewal.starting_balance, renewal.amount_paid) == (999, -500, 499)
    assert client.v1.customers.retrieve(customer.id).balance == 0


def test_nothing_is_prorated_when_not_wanted(fake, client, plans, customer):
    subscription = subscribe(client, customer, plans.basic)
    fake.control("clock", advance=HALF_OF_JANUARY)

    change(client, subscription, plans.pro, proration_behavior="none")
    fake.control("clock", to=FEBRUARY)

    assert [amounts(invoice) for invoice in invoices_of(client, subscription)] == [[1000], [2000]]


def test_quantities_are_prorated_and_items_added_and_removed(fake, client, plans, customer):
    """Half a month: 3 seats −750, 5 seats +1250, a new item of $10 +500; then that item leaves again."""
    subscription = client.v1.subscriptions.create(
        {"customer": customer.id, "items": [{"price": plans.seat, "quantity": 3}]}
    )
    fake.control("clock", advance=HALF_OF_JANUARY)

    seats = {"id": item_of(subscription).id, "quantity": 5}
    grown = client.v1.subscriptions.update(
        subscription.id,
        {"items": [seats, {"price": plans.basic}], "proration_behavior": "always_invoice"},
    )
    gone = {"id": grown["items"].data[1].id, "deleted": True}
    shrunk = client.v1.subscriptions.update(
        subscription.id, {"items": [gone], "proration_behavior": "always_invoice"}
    )

    _, growth, leaving = invoices_of(client, subscription)
    assert amounts(growth) == [-750, 1250, 500]
    assert amounts(leaving) == [-500]
    assert [(item.price.id, item.quantity) for item in shrunk["items"].data] == [(plans.seat, 5)]


def test_a_change_of_interval_begins_a_new_period(fake, client, plans, customer):
    """Half of January's $20 back, a whole year's $200 now."""
    subscription = subscribe(client, customer, plans.pro)
    fake.control("clock", advance=HALF_OF_JANUARY)

    changed = change(client, subscription, plans.yearly)

    year = invoices_of(client, subscription)[-1]
    assert (amounts(year), year.amount_paid) == ([-1000, 20_000], 19_000)
    assert item_of(changed).current_period_start == START + HALF_OF_JANUARY
    assert item_of(changed).current_period_end == START + HALF_OF_JANUARY + 365 * DAY


def test_a_free_plan_that_becomes_a_paid_one_begins_a_new_period(fake, client, plans, customer):
    subscription = subscribe(client, customer, plans.free)
    fake.control("clock", advance=10 * DAY)

    changed = change(client, subscription, plans.pro)

    invoice = invoices_of(client, subscription)[-1]
    assert invoice.amount_paid == 2000
    assert item_of(changed).current_period_start == START + 10 * DAY


def test_an_upgrade_that_is_declined_can_be_an_error(fake, client, plans, customer):
    subscription = subscribe(client, customer, plans.basic)
    fake.control("clock", advance=HALF_OF_JANUARY)
    fake.control("decline")

    with pytest.raises(stripe.CardError):
        change(
            client,
            subscription,
            plans.pro,
            proration_behavior="always_invoice",
            payment_behavior="error_if_incomplete",
        )

    after = client.v1.subscriptions.retrieve(subscription.id)
    assert (item_of(after).price.id, after.status) == (plans.basic, "active")
    assert len(invoices_of(client, subscription)) == 1


def test_a_preview_shows_the_change_and_makes_none(fake, client, plans, customer):
    subscription = subscribe(client, customer, plans.basic)
    fake.control("clock", advance=HALF_OF_JANUARY)
    events = len(fake.events())
    items = [{"id": item_of(subscription).id, "price": plans.pro}]

    def preview(**details):
        return client.v1.invoices.create_preview(
            {"subscription": subscription.id, "subscription_details": details}
        )

    plain = preview()
    waiting = preview(items=items)
    at_once = preview(items=items, proration_behavior="always_invoice")
    earlier = preview(items=items, proration_behavior="always_invoice", proration_date=START + DAY)

    assert (amounts(plain), plain.period_start) == ([1000], START + HALF_OF_JANUARY)
    assert (amounts(waiting), waiting.amount_due) == ([-500, 1000, 2000], 2500)
    assert (amounts(at_once), at_once.amount_due) == ([-500, 1000], 500)
    assert amounts(earlier) == [-968, 1935]  # 30/31 of 1000 and 2000: 967.74 and 1935.48
    assert plain.id.startswith("upcoming_in_")
    assert item_of(client.v1.subscriptions.retrieve(subscription.id)).price.id == plans.basic
    assert len(fake.events()) == events
    assert len(invoices_of(client, subscription)) == 1


def test_renews_month_by_month_at_its_day(fake, client, plans, customer):
    """From 31 January: 28 February, then 31 March."""
    fake.control("clock", stop=START + 30 * DAY)
    subscription = subscribe(client, customer, plans.basic)

    ends = [item_of(subscription).current_period_end]
    for _ in range(2):
        fake.control("clock", to=ends[-1])
        ends.append(item_of(client.v1.subscriptions.retrieve(subscription.id)).current_period_end)

    assert [(end - START) // DAY for end in ends] == [31 + 27, 31 + 28 + 30, 31 + 28 + 31 + 29]
    assert [one.amount_paid for one in invoices_of(client, subscription)] == [1000] * 3
    updated = fake.events("customer.subscription.updated")[-1]["data"]["previous_attributes"]
    assert "items" in updated
    assert "latest_invoice" in updated


def test_a_renewal_that_is_declined_is_tried_again(fake, client, plans, customer):
    subscription = subscribe(client, customer, plans.basic)
    fake.control("decline")

    fake.control("clock", to=FEBRUARY)
    failed = client.v1.subscriptions.retrieve(subscription.id, {"expand": ["latest_invoice"]})
    fake.control("clock", advance=3 * DAY)
    recovered = client.v1.subscriptions.retrieve(subscription.id, {"expand": ["latest_invoice"]})

    assert (failed.status, failed.latest_invoice.status) == ("past_due", "open")
    assert failed.latest_invoice.next_payment_attempt == FEBRUARY + 3 * DAY
    assert (recovered.status, recovered.latest_invoice.status) == ("active", "paid")
    assert recovered.latest_invoice.attempt_count == 2


def test_a_renewal_that_is_never_paid_ends_the_subscription(fake, client, plans, customer):
    subscription = subscribe(client, customer, plans.basic)
    fake.control("decline", count=10)

    fake.control("clock", to=FEBRUARY + 20 * DAY)

    after = client.v1.subscriptions.retrieve(subscription.id)
    assert (after.status, after.cancellation_details.reason) == ("canceled", "payment_failed")
    assert len(fake.events("invoice.payment_failed")) == 4
    assert len(fake.events("customer.subscription.deleted")) == 1
    assert client.v1.subscriptions.list().data == []


def test_cancelling_at_the_periods_end_can_be_taken_back(fake, client, plans, customer):
    ending = subscribe(client, customer, plans.basic)
    staying = subscribe(client, customer, plans.pro)
    for subscription in (ending, staying):
        cancelled = client.v1.subscriptions.update(subscription.id, {"cancel_at_period_end": True})
    resumed = client.v1.subscriptions.update(staying.id, {"cancel_at_period_end": False})

    fake.control("clock", to=FEBRUARY)

    assert (cancelled.status, cancelled.cancel_at) == ("active", FEBRUARY)
    assert (resumed.cancel_at, resumed.canceled_at) == (None, None)
    ended = client.v1.subscriptions.retrieve(ending.id)
    assert (ended.status, ended.ended_at) == ("canceled", FEBRUARY)
    assert client.v1.subscriptions.retrieve(staying.id).status == "active"
    assert [len(invoices_of(client, one)) for one in (ending, staying)] == [1, 2]


def test_cancelling_now_gives_the_rest_back_only_when_asked_for(fake, client, plans, customer):
    plain, prorated = (subscribe(client, customer, plans.basic) for _ in range(2))
    fake.control("clock", advance=HALF_OF_JANUARY)

    client.v1.subscriptions.cancel(
        plain.id, {"cancellation_details": {"feedback": "too_expensive"}}
    )
    balance = client.v1.customers.retrieve(customer.id).balance
    client.v1.subscriptions.cancel(prorated.id, {"prorate": True, "invoice_now": True})

    after = client.v1.subscriptions.retrieve(plain.id)
    assert (after.status, after.ended_at) == ("canceled", START + HALF_OF_JANUARY)
    assert after.cancellation_details.to_dict() == {
        "comment": None,
        "feedback": "too_expensive",
        "reason": "cancellation_requested",
    }
    assert balance == 0
    assert client.v1.customers.retrieve(customer.id).balance == -500
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.subscriptions.cancel(plain.id)
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.subscriptions.update(plain.id, {"cancel_at_period_end": True})


def test_a_trial_is_free_is_announced_and_then_paid(fake, client, plans, customer):
    subscription = subscribe(client, customer, plans.pro, trial_period_days=7)
    changed = change(client, subscription, plans.basic, proration_behavior="always_invoice")

    fake.control("clock", advance=4 * DAY)
    announced = len(fake.events("customer.subscription.trial_will_end"))
    fake.control("clock", advance=3 * DAY)

    after = client.v1.subscriptions.retrieve(subscription.id)
    free, paid = invoices_of(client, subscription)
    assert (subscription.status, subscription.trial_end) == ("trialing", START + 7 * DAY)
    assert (changed.status, announced) == ("trialing", 1)
    assert (free.total, free.status, paid.amount_paid) == (0, "paid", 1000)
    assert after.status == "active"
    assert item_of(after).current_period_start == START + 7 * DAY
    assert item_of(after).current_period_end == FEBRUARY + 7 * DAY


def test_a_trial_ends_now_when_told(fake, client, plans, customer):
    subscription = subscribe(client, customer, plans.pro, trial_period_days=7)
    fake.control("clock", advance=DAY)

    ended = client.v1.subscriptions.update(subscription.id, {"trial_end": "now"})

    assert (ended.status, ended.trial_end) == ("active", START + DAY)
    assert invoices_of(client, subscription)[-1].amount_paid == 2000


def test_an_invoice_is_paid_once_and_void_ones_never(fake, client, plans, customer):
    paid = subscribe(client, customer, plans.basic)
    fake.control("decline")
    unpaid = subscribe(client, customer, plans.basic)
    voided = client.v1.invoices.void_invoice(unpaid.latest_invoice)

    for invoice in (paid.latest_invoice, voided.id):
        with pytest.raises(stripe.InvalidRequestError):
            client.v1.invoices.pay(invoice)

    assert voided.status == "void"
    assert [one.id for one in client.v1.invoices.list({"status": "paid"}).data] == [
        paid.latest_invoice
    ]
    assert len(client.v1.invoices.line_items.list(voided.id).data) == 1


def test_a_customer_without_a_card_can_not_pay(client, plans):
    bare = client.v1.customers.create()

    subscription = subscribe(client, bare, plans.basic)

    assert subscription.status == "incomplete"
    with pytest.raises(stripe.InvalidRequestError, match="default_payment_method"):
        client.v1.invoices.pay(subscription.latest_invoice)
    paid = client.v1.invoices.pay(subscription.latest_invoice, {"payment_method": "pm_card_visa"})
    assert (paid.status, client.v1.subscriptions.retrieve(subscription.id).status) == (
        "paid",
        "active",
    )


def test_a_renewal_that_asks_the_cards_owner_is_paid_when_he_agrees(fake, client, plans, customer):
    subscription = subscribe(client, customer, plans.basic)
    card = client.v1.payment_methods.attach(
        "pm_card_authenticationRequired", {"customer": customer.id}
    )
    client.v1.subscriptions.update(subscription.id, {"default_payment_method": card.id})
    fake.control("clock", to=FEBRUARY)
    late = client.v1.subscriptions.retrieve(
        subscription.id, {"expand": ["latest_invoice.payments"]}
    )
    intent = late.latest_invoice.payments.data[0].payment.payment_intent

    asking = client.v1.payment_intents.confirm(intent, {"payment_method": card.id})
    fake.control(f"payment_intents/{intent}/authenticate", agreed=True)

    assert (late.status, asking.status) == ("past_due", "requires_action")
    assert client.v1.invoices.retrieve(late.latest_invoice.id).status == "paid"
    assert client.v1.subscriptions.retrieve(subscription.id).status == "active"


@pytest.mark.parametrize(
    ("items", "message"),
    [
        ([], "items"),
        ([{"price": "once"}], "recurring"),
        ([{"price": "basic"}, {"price": "yearly"}], "interval"),
    ],
)
def test_refuses_items_that_do_not_fit(client, plans, customer, items, message):
    once = client.v1.prices.create(
        {"product_data": {"name": "Once"}, "unit_amount": 100, "currency": "usd"}
    )
    named = {"once": once.id, "basic": plans.basic, "yearly": plans.yearly}

    with pytest.raises(stripe.InvalidRequestError, match=message):
        client.v1.subscriptions.create(
            {
                "customer": customer.id,
                "items": [{"price": named[item["price"]]} for item in items],
            }
        )


def test_a_subscription_keeps_one_item_at_least_and_no_plan_twice(client, plans, customer):
    subscription = subscribe(client, customer, plans.basic)
    item = item_of(subscription).id

    for items in ([{"id": item, "deleted": True}], [{"price": plans.basic}], [{"id": "si_gone"}]):
        with pytest.raises(stripe.InvalidRequestError):
            client.v1.subscriptions.update(subscription.id, {"items": items})

    assert len(client.v1.subscriptions.retrieve(subscription.id)["items"].data) == 1


def test_items_and_pending_amounts_are_found_on_their_own(fake, client, plans, customer):
    subscription = subscribe(client, customer, plans.basic)
    fake.control("clock", advance=HALF_OF_JANUARY)
    change(client, subscription, plans.pro)

    items = client.v1.subscription_items.list({"subscription": subscription.id})
    item = client.v1.subscription_items.retrieve(items.data[0].id)
    waiting = client.v1.invoice_items.list({"customer": customer.id})
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.subscription_items.retrieve("si_gone")

    assert item.price.id == plans.pro
    assert [(one.amount, one.invoice) for one in waiting.data] == [(1000, None), (-500, None)]
    assert caught.value.http_status == 404


def test_deleting_a_customer_ends_its_subscriptions(fake, client, plans, customer):
    subscription = subscribe(client, customer, plans.basic)

    client.v1.customers.delete(customer.id)
    fake.control("clock", to=MARCH)

    assert client.v1.subscriptions.retrieve(subscription.id).status == "canceled"
    assert len(invoices_of(client, subscription)) == 1
    assert len(fake.events("customer.subscription.deleted", "payment_method.detached")) == 2
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.customers.delete(customer.id)
    assert caught.value.http_status == 404


def test_a_renewal_waits_as_a_draft_when_told_to_and_may_be_collected_before(
    fake, client, plans, customer
):
    fake.control("drafts", seconds=3600)
    subscription = subscribe(client, customer, plans.basic)

    fake.control("clock", to=FEBRUARY)
    (draft,) = [one for one in invoices_of(client, subscription) if one.status == "draft"]
    finalised = client.v1.invoices.finalize_invoice(draft.id, {"auto_advance": True})
    paid = client.v1.invoices.pay(draft.id)
    fake.control("clock", to=MARCH + 3600)

    assert (draft.automatically_finalizes_at, draft.billing_reason) == (
        FEBRUARY + 3600,
        "subscription_cycle",
    )
    assert (finalised.status, paid.status, paid.amount_paid) == ("open", "paid", 1000)
    assert [one.status for one in invoices_of(client, subscription)] == ["paid"] * 3


def test_ends_at_a_date_when_one_is_set(fake, client, plans, customer):
    subscription, staying = (subscribe(client, customer, plans.basic) for _ in range(2))
    for one in (subscription, staying):
        client.v1.subscriptions.update(one.id, {"cancel_at": START + 40 * DAY})
    client.v1.subscriptions.update(staying.id, {"cancel_at": ""})

    fake.control("clock", to=MARCH)

    ended = client.v1.subscriptions.retrieve(subscription.id)
    assert (ended.status, ended.ended_at) == ("canceled", START + 40 * DAY)
    assert client.v1.subscriptions.retrieve(staying.id).status == "active"
