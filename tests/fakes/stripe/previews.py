"""``POST /v1/invoices/create_preview``: the next invoice of a subscription, as it is or as a change would make it."""

import copy

from tests.fakes.stripe import changes, invoices, periods
from tests.fakes.stripe.catalogue import PRICE_DATA
from tests.fakes.stripe.errors import Json, bad_parameter, invalid
from tests.fakes.stripe.reading import Spec, array, boolean, group, one_of, text, timestamp
from tests.fakes.stripe.routing import Route
from tests.fakes.stripe.subscriptions import ENDED, ITEM_CHANGE, PRORATION
from tests.fakes.stripe.world import World

DETAILS: Spec = {
    "items": array(group({**ITEM_CHANGE, "price_data": group(PRICE_DATA)})),
    "proration_behavior": PRORATION,
    "proration_date": timestamp,
    "billing_cycle_anchor": one_of("now", "unchanged"),
    "cancel_at_period_end": boolean,
}
CREATE: Spec = {"customer": text, "subscription": text, "subscription_details": group(DETAILS)}


def create(world: World, params: Json) -> Json:
    if "subscription" not in params:
        raise bad_parameter(
            "You must provide the subscription to preview.",
            code="parameter_missing",
            param="subscription",
        )
    real = world.get("subscription", params["subscription"], param="subscription")
    if params.get("customer", real["customer"]) != real["customer"]:
        raise invalid("The subscription does not belong to the customer.", param="subscription")
    if real["status"] in ENDED or real["cancel_at_period_end"]:
        raise invalid(
            "No upcoming invoices for customer: the subscription ends.",
            code="invoice_upcoming_none",
        )
    saved = copy.deepcopy((world.tables, world.pending))
    try:
        return _preview(world, world.get("subscription", real["id"]), params)
    finally:
        # A preview does everything that the change would do, and then none of it.
        world.tables, world.pending = saved


def _preview(world: World, subscription: Json, params: Json) -> Json:
    details = params.get("subscription_details", {})
    behaviour = details.get("proration_behavior", "create_prorations")
    change = changes.plan(world, subscription, details)
    if change is not None:
        changes.apply(world, subscription, change, behaviour)
    lines = invoices.pending_lines(world, subscription)
    at_once = change is not None and (change.new_period or behaviour == "always_invoice")
    if change is not None and change.new_period:
        lines += changes.lines_of_period(world, subscription["items"]["data"])
    elif not at_once:
        _go_to_next_period(subscription)
        lines += changes.lines_of_period(world, subscription["items"]["data"])
    customer = world.get("customer", subscription["customer"])
    invoice = invoices.build(
        world,
        customer,
        lines,
        identifier=f"upcoming_{world.new_id('in')}",
        currency=subscription["currency"],
        reason="subscription_update" if at_once else "upcoming",
        subscription=subscription,
    )
    invoices.apply_credit(invoice, customer["balance"])
    if not at_once:
        invoice["next_payment_attempt"] = subscription["items"]["data"][0]["current_period_start"]
    return invoice


def _go_to_next_period(subscription: Json) -> None:
    for item in subscription["items"]["data"]:
        start = item["current_period_end"]
        item["current_period_start"] = start
        item["current_period_end"] = periods.end_of_period(
            subscription["billing_cycle_anchor"], item["price"]["recurring"], start=start
        )


ROUTES = (Route("POST", "/v1/invoices/create_preview", create, CREATE),)
