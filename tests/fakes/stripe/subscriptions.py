"""Subscriptions: begun, changed, cancelled. Changes in the middle of a period are in changes.py, time is in renewals.py."""

import copy
from collections.abc import Sequence

from tests.fakes.stripe import changes, invoices, paying, payment_methods, periods, standing
from tests.fakes.stripe.catalogue import PRICE_DATA, price_named
from tests.fakes.stripe.changes import Wanted
from tests.fakes.stripe.errors import Json, bad_parameter, invalid
from tests.fakes.stripe.reading import (
    Required,
    Spec,
    array,
    boolean,
    clearable,
    group,
    integer,
    merged,
    metadata,
    now_or_timestamp,
    one_of,
    text,
    timestamp,
)
from tests.fakes.stripe.routing import PAGING, Route, one_of_kind
from tests.fakes.stripe.world import World, as_list, chosen, nulls, page, within

DAY = 86_400
ENDED = ("canceled", "incomplete_expired")
PRORATION = one_of("create_prorations", "always_invoice", "none")
BEHAVIOUR = one_of("allow_incomplete", "default_incomplete", "error_if_incomplete")
CANCELLATION = group(
    {
        "comment": clearable(text),
        "feedback": clearable(
            one_of(
                "customer_service",
                "low_quality",
                "missing_features",
                "other",
                "switched_service",
                "too_complex",
                "too_expensive",
                "unused",
            )
        ),
    }
)
SHARED: Spec = {
    "metadata": metadata,
    "description": clearable(text),
    "default_payment_method": clearable(text),
    "cancel_at_period_end": boolean,
    "payment_behavior": BEHAVIOUR,
    "proration_behavior": PRORATION,
    "off_session": boolean,
    "payment_settings": group(
        {
            "save_default_payment_method": one_of("off", "on_subscription"),
            "payment_method_types": array(text),
        }
    ),
}
CREATE: Spec = {
    **SHARED,
    "customer": Required(text),
    "currency": text,
    "items": Required(
        array(
            group(
                {
                    "price": text,
                    "price_data": group(PRICE_DATA),
                    "quantity": integer(minimum=0),
                    "metadata": metadata,
                }
            )
        )
    ),
    "trial_period_days": integer(minimum=0),
    "trial_end": now_or_timestamp,
    "collection_method": one_of("charge_automatically"),
    "billing_mode": group({"type": Required(one_of("classic", "flexible"))}),
}
ITEM_CHANGE: Spec = {
    "id": text,
    "price": text,
    "price_data": group(PRICE_DATA),
    "quantity": integer(minimum=0),
    "deleted": boolean,
    "metadata": metadata,
}
UPDATE: Spec = {
    **SHARED,
    "items": array(group(ITEM_CHANGE)),
    "proration_date": timestamp,
    "trial_end": now_or_timestamp,
    "billing_cycle_anchor": one_of("now", "unchanged"),
    "cancellation_details": CANCELLATION,
    "cancel_at": clearable(timestamp),
}
CANCEL: Spec = {
    "invoice_now": boolean,
    "prorate": boolean,
    "cancellation_details": CANCELLATION,
}


def create(world: World, params: Json) -> Json:
    customer = world.get("customer", params["customer"], param="customer")
    wanted = [
        Wanted(None, price_named(world, item, f"items[{number}]"), item.get("quantity", 1))
        for number, item in enumerate(params["items"])
    ]
    behaviour = params.get("payment_behavior", "allow_incomplete")
    with world.undone_if_refused():
        subscription = make(world, customer, wanted, params)
        invoice = bill_first(world, subscription)
        if invoice["status"] == "open" and behaviour != "default_incomplete":
            refused = paying.collect(world, invoice, off_session=params.get("off_session", False))
            if refused is not None and behaviour == "error_if_incomplete":
                raise refused
        elif invoice["status"] == "open":
            paying.prepare(world, invoice)
    return subscription


def make(world: World, customer: Json, wanted: Sequence[Wanted], params: Json) -> Json:
    """A stored subscription that waits for its first payment, or whose trial has begun."""
    if not wanted:
        raise bad_parameter(
            "Missing required param: items.", code="parameter_missing", param="items"
        )
    _check_prices([one.price for one in wanted])
    now = world.now()
    trial_end = _trial_end(params, now)
    identifier = world.new_id("sub")
    card = params.get("default_payment_method")
    if card is not None:
        card = payment_methods.resolve(world, card, param="default_payment_method")["id"]
    subscription = world.add(
        {
            "id": identifier,
            "object": "subscription",
            **nulls("application", "application_fee_percent", "billing_cycle_anchor_config"),
            **nulls("billing_thresholds", "cancel_at", "canceled_at", "customer_account"),
            **nulls("days_until_due", "default_source", "ended_at", "latest_invoice"),
            **nulls("next_pending_invoice_item_invoice", "on_behalf_of", "pause_collection"),
            **nulls("pending_invoice_item_interval", "pending_setup_intent", "pending_update"),
            **nulls("schedule", "test_clock", "transfer_data"),
            "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
            "billing_cycle_anchor": trial_end or now,
            "billing_mode": {
                "flexible": {"proration_discounts": "included"},
                "type": params.get("billing_mode", {}).get("type", "flexible"),
            },
            "billing_schedules": [],
            "cancel_at_period_end": False,
            "cancellation_details": {**nulls("comment", "feedback", "reason")},
            "collection_method": "charge_automatically",
            "created": now,
            "currency": wanted[0].price["currency"],
            "customer": customer["id"],
            "default_payment_method": card,
            "default_tax_rates": [],
            "description": params.get("description"),
            "discounts": [],
            "invoice_settings": {"account_tax_ids": None, "issuer": {"type": "self"}},
            "items": as_list([], f"/v1/subscription_items?subscription={identifier}"),
            "livemode": False,
            "metadata": merged({}, params.get("metadata", {})),
            "payment_settings": {
                **nulls("payment_method_options", "payment_method_types"),
                "save_default_payment_method": "off",
                **params.get("payment_settings", {}),
            },
            "start_date": now,
            "status": "trialing" if trial_end else "incomplete",
            "trial_end": trial_end,
            "trial_settings": {"end_behavior": {"missing_payment_method": "create_invoice"}},
            "trial_start": now if trial_end else None,
        }
    )
    end = trial_end or periods.step(now, wanted[0].price["recurring"], 1)
    subscription["items"]["data"] = [
        changes.make_item(world, identifier, one, start=now, end=end) for one in wanted
    ]
    if params.get("cancel_at_period_end"):
        _set_cancel_at_period_end(world, subscription, wanted=True)
    world.emit("customer.subscription.created", subscription)
    return subscription


def bill_first(world: World, subscription: Json) -> Json:
    """The first invoice, open; paid already when a trial makes it zero."""
    customer = world.get("customer", subscription["customer"])
    lines = changes.lines_of_period(
        world, subscription["items"]["data"], trial=subscription["status"] == "trialing"
    )
    invoice = invoices.draft(
        world,
        customer,
        lines,
        currency=subscription["currency"],
        reason="subscription_create",
        subscription=subscription,
    )
    subscription["latest_invoice"] = invoice["id"]
    invoices.finalise(world, invoice)
    if invoice["amount_due"] == 0:
        paying.settle(world, invoice)
    return invoice


def _check_prices(prices: Sequence[Json]) -> None:
    for price in prices:
        if price["type"] != "recurring":
            raise bad_parameter(
                f"The price specified is set to `type=one_time` but this field only accepts prices with "
                f"`type=recurring`. ({price['id']})",
                param="items[0][price]",
            )
    kinds = {
        (price["currency"], price["recurring"]["interval"], price["recurring"]["interval_count"])
        for price in prices
    }
    if len(kinds) > 1:
        raise invalid(
            "Currency and interval fields must match across all plans on this subscription."
        )


def _trial_end(params: Json, now: int) -> int | None:
    given = params.get("trial_end")
    if given is not None and given != "now":
        if given <= now:
            raise bad_parameter("`trial_end` must be in the future.", param="trial_end")
        return int(given)
    days = params.get("trial_period_days", 0)
    return now + days * DAY if days else None


def update(world: World, params: Json, identifier: str) -> Json:
    subscription = world.get("subscription", identifier)
    if subscription["status"] in ENDED:
        raise invalid(
            "A canceled subscription can only update its cancellation_details and metadata.",
            code="resource_missing",
        )
    before = copy.deepcopy(subscription)
    with world.undone_if_refused():
        _set_fields(world, subscription, params)
        change = changes.plan(world, subscription, params)
        if change is not None:
            changes.apply(world, subscription, change, params.get("proration_behavior"))
        if params.get("trial_end") == "now" and before["status"] == "trialing":
            changes.begin_period(world, subscription, world.now())
            subscription.update(trial_end=world.now(), status="active")
        if subscription != before:
            world.emit("customer.subscription.updated", subscription, before=before)
        invoice = changes.bill(world, subscription, before, change, params)
        if invoice is not None and invoice["status"] == "open":
            refused = paying.collect(world, invoice, off_session=params.get("off_session", True))
            if refused is not None and params.get("payment_behavior") == "error_if_incomplete":
                raise refused
    return subscription


def _set_fields(world: World, subscription: Json, params: Json) -> None:
    if "metadata" in params:
        subscription["metadata"] = merged(subscription["metadata"], params["metadata"])
    if "description" in params:
        subscription["description"] = params["description"]
    if "payment_settings" in params:
        subscription["payment_settings"].update(params["payment_settings"])
    if "default_payment_method" in params:
        card = params["default_payment_method"]
        if card is not None:
            world.get("payment_method", card, param="default_payment_method")
        subscription["default_payment_method"] = card
    if "cancellation_details" in params:
        subscription["cancellation_details"].update(params["cancellation_details"])
    if "cancel_at" in params:
        wanted = params["cancel_at"]
        subscription.update(
            cancel_at=wanted,
            cancel_at_period_end=False,
            canceled_at=None if wanted is None else world.now(),
        )
    if "cancel_at_period_end" in params:
        _set_cancel_at_period_end(world, subscription, wanted=params["cancel_at_period_end"])
    if isinstance(params.get("trial_end"), int):
        end = _trial_end(params, world.now())
        subscription.update(trial_end=end, status="trialing", billing_cycle_anchor=end)
        for item in subscription["items"]["data"]:
            item["current_period_end"] = end


def _set_cancel_at_period_end(world: World, subscription: Json, *, wanted: bool) -> None:
    if subscription["cancel_at_period_end"] == wanted:
        return
    end = subscription["items"]["data"][0]["current_period_end"]
    subscription.update(
        cancel_at_period_end=wanted,
        cancel_at=end if wanted else None,
        canceled_at=world.now() if wanted else None,
    )
    subscription["cancellation_details"]["reason"] = "cancellation_requested" if wanted else None


def cancel(world: World, params: Json, identifier: str) -> Json:
    subscription = world.get("subscription", identifier)
    if subscription["status"] in ENDED:
        raise invalid(f"No such subscription: '{identifier}'", code="resource_missing", param="id")
    if params.get("prorate"):
        changes.give_back_rest(world, subscription)
    invoice = changes.bill_pending(world, subscription) if params.get("invoice_now") else None
    if invoice is not None and invoice["status"] == "open":
        paying.collect(world, invoice)
    standing.end(
        world,
        subscription,
        reason="cancellation_requested",
        comment=params.get("cancellation_details"),
    )
    return subscription


def list_subscriptions(world: World, params: Json) -> Json:
    rows = within(chosen(world.all("subscription"), params, "customer"), params)
    status, price = params.get("status"), params.get("price")
    if status is None:
        rows = [row for row in rows if row["status"] not in ENDED]
    elif status == "ended":
        rows = [row for row in rows if row["status"] in ENDED]
    elif status != "all":
        rows = [row for row in rows if row["status"] == status]
    if price is not None:
        rows = [
            row for row in rows if price in {item["price"]["id"] for item in row["items"]["data"]}
        ]
    return page(rows, params, "/v1/subscriptions")


def list_items(world: World, params: Json) -> Json:
    subscription = world.get("subscription", params["subscription"], param="subscription")
    return page(subscription["items"]["data"][::-1], params, "/v1/subscription_items")


def retrieve_item(world: World, params: Json, identifier: str) -> Json:
    for subscription in world.all("subscription"):
        for item in subscription["items"]["data"]:
            if item["id"] == identifier:
                found: Json = item
                return found
    return world.get("subscription_item", identifier)


def included_subscriptions(world: World, customer: Json) -> Json:
    rows = [
        row
        for row in world.all("subscription")
        if row["customer"] == customer["id"] and row["status"] not in ENDED
    ]
    return as_list(rows[::-1], f"/v1/customers/{customer['id']}/subscriptions")


ROUTES = (
    Route("POST", "/v1/subscriptions", create, CREATE),
    Route(
        "GET",
        "/v1/subscriptions",
        list_subscriptions,
        {**PAGING, "customer": text, "status": text, "price": text},
    ),
    one_of_kind("subscription", "/v1/subscriptions/{id}"),
    Route("GET", "/v1/subscription_items", list_items, {**PAGING, "subscription": Required(text)}),
    Route("GET", "/v1/subscription_items/{id}", retrieve_item),
    Route("POST", "/v1/subscriptions/{id}", update, UPDATE),
    Route("DELETE", "/v1/subscriptions/{id}", cancel, CANCEL),
)
