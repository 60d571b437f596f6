"""Every operation of the API, and every field that must be asked for with ``expand[]``."""

from tests.fakes.stripe import (
    account,
    catalogue,
    charges,
    checkout,
    customers,
    disputes,
    invoices,
    paying,
    payment_methods,
    payments,
    portal,
    previews,
    refunds,
    setup_intents,
    subscriptions,
)
from tests.fakes.stripe.errors import Json
from tests.fakes.stripe.expanding import Included
from tests.fakes.stripe.reading import array, text
from tests.fakes.stripe.routing import PAGING, Route, Routes, one_of_kind
from tests.fakes.stripe.world import World, page, within


def list_events(world: World, params: Json) -> Json:
    kinds = params.get("types") or ([params["type"]] if "type" in params else None)
    rows = within(world.all("event"), params)
    return page(
        [row for row in rows if kinds is None or _is_one_of(row, kinds)], params, "/v1/events"
    )


def _is_one_of(event: Json, kinds: list[str]) -> bool:
    """``charge.*`` means every type that begins so."""
    return any(
        event["type"] == kind or (kind.endswith(".*") and event["type"].startswith(kind[:-1]))
        for kind in kinds
    )


EVENTS = (
    Route("GET", "/v1/events", list_events, {**PAGING, "type": text, "types": array(text)}),
    one_of_kind("event", "/v1/events/{id}"),
)

ROUTES = Routes(
    [
        *account.ROUTES,
        *customers.ROUTES,
        *payment_methods.ROUTES,
        *setup_intents.ROUTES,
        *payments.ROUTES,
        *charges.ROUTES,
        *refunds.ROUTES,
        *disputes.ROUTES,
        *catalogue.ROUTES,
        *checkout.ROUTES,
        *subscriptions.ROUTES,
        *previews.ROUTES,
        *invoices.ROUTES,
        *paying.ROUTES,
        *portal.ROUTES,
        *EVENTS,
    ]
)

INCLUDED: dict[tuple[str, str], Included] = {
    ("checkout.session", "line_items"): checkout.included_line_items,
    ("charge", "refunds"): refunds.included_refunds,
    ("customer", "sources"): customers.included_sources,
    ("customer", "tax_ids"): customers.included_tax_ids,
    ("customer", "subscriptions"): subscriptions.included_subscriptions,
    ("invoice", "payments"): paying.included_payments,
    ("invoice", "confirmation_secret"): paying.included_secret,
}
