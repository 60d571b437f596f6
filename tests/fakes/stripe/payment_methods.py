"""Saved cards: made from test cards, attached to a customer, detached."""

import copy

from tests.fakes.stripe import cards
from tests.fakes.stripe.cards import TEST_CARDS, card_of
from tests.fakes.stripe.errors import Json, bad_parameter, card_refused, invalid, no_such
from tests.fakes.stripe.reading import (
    Required,
    Spec,
    address,
    clearable,
    full_address,
    group,
    integer,
    merged,
    metadata,
    one_of,
    text,
)
from tests.fakes.stripe.routing import PAGING, Route, one_of_kind
from tests.fakes.stripe.world import World, chosen, page

BILLING: Spec = {
    "email": clearable(text),
    "name": clearable(text),
    "phone": clearable(text),
    "address": clearable(address),
}
CREATE: Spec = {
    "type": Required(one_of("card")),
    "card": group({"token": text}),
    "billing_details": group(BILLING),
    "metadata": metadata,
}
UPDATE: Spec = {
    "billing_details": group(BILLING),
    "metadata": metadata,
    "card": group({"exp_month": integer(minimum=1), "exp_year": integer(minimum=2000)}),
}


def make(world: World, card: str, billing: Json | None = None) -> Json:
    """A new payment method of a test card's name; nobody's yet."""
    payment_method = world.add(
        {
            "id": world.new_id("pm"),
            "object": "payment_method",
            "allow_redisplay": "unspecified",
            "billing_details": _billing({}, billing or {}),
            "card": cards.details(TEST_CARDS[card]),
            "created": world.now(),
            "customer": None,
            "customer_account": None,
            "livemode": False,
            "metadata": {},
            "type": "card",
        }
    )
    world.cards[payment_method["id"]] = card
    return payment_method


def _billing(before: Json, change: Json) -> Json:
    after = {"email": None, "name": None, "phone": None, "tax_id": None, **before, **change}
    return {**after, "address": full_address(after.get("address"))}


def resolve(world: World, identifier: str, *, param: str | None = "payment_method") -> Json:
    """A payment method by its id; the name of a test card makes a new one each time, as with Stripe."""
    card = cards.named(identifier)
    if card is not None:
        return make(world, card)
    return world.get("payment_method", identifier, param=param)


def attach_to(world: World, payment_method: Json, customer: str) -> None:
    """Nothing happens when it is the customer's already."""
    if payment_method["customer"] == customer:
        return
    if payment_method["customer"] is not None:
        raise invalid(
            "The payment method you provided has already been attached to a customer.",
            code="payment_method_already_attached",
        )
    card = card_of(world, payment_method["id"])
    if card.refuses_attaching and card.decline is not None:
        decline = card.decline
        raise card_refused(decline.code, decline.decline_code, cards.message_of(decline), {})
    payment_method["customer"] = customer
    world.emit("payment_method.attached", payment_method)


def create(world: World, params: Json) -> Json:
    token = params.get("card", {}).get("token")
    card = cards.named(token) if token else None
    if card is None:
        raise bad_parameter(
            "Sending credit card numbers directly to the Stripe API is generally unsafe. Use a test card's token.",
            param="card",
        )
    made = make(world, card, params.get("billing_details"))
    made["metadata"] = merged({}, params.get("metadata", {}))
    return made


def update(world: World, params: Json, identifier: str) -> Json:
    payment_method = world.get("payment_method", identifier)
    before = copy.deepcopy(payment_method)
    payment_method["card"].update(params.get("card", {}))
    payment_method["billing_details"] = _billing(
        payment_method["billing_details"], params.get("billing_details", {})
    )
    if "metadata" in params:
        payment_method["metadata"] = merged(payment_method["metadata"], params["metadata"])
    world.emit("payment_method.updated", payment_method, before=before)
    return payment_method


def attach(world: World, params: Json, identifier: str) -> Json:
    world.get("customer", params["customer"], param="customer")
    payment_method = resolve(world, identifier, param=None)
    attach_to(world, payment_method, params["customer"])
    return payment_method


def detach(world: World, params: Json, identifier: str) -> Json:
    payment_method = world.get("payment_method", identifier)
    owner = payment_method["customer"]
    if owner is None:
        raise invalid(
            "The payment method you provided is not attached to a customer so detachment is impossible.",
            param="payment_method",
        )
    before = copy.deepcopy(payment_method)
    payment_method["customer"] = None
    customer = world.tables["customer"][owner]
    if not customer.get("deleted"):
        _forget_default(world, customer, identifier)
    world.emit("payment_method.detached", payment_method, before=before)
    return payment_method


def _forget_default(world: World, customer: Json, identifier: str) -> None:
    if customer["invoice_settings"]["default_payment_method"] != identifier:
        return
    before = copy.deepcopy(customer)
    customer["invoice_settings"]["default_payment_method"] = None
    world.emit("customer.updated", customer, before=before)


def list_of_customer(world: World, params: Json, customer: str | None = None) -> Json:
    owner = customer or params.get("customer")
    if owner is not None:
        found = world.get("customer", owner, param=None if customer else "customer")
        if found.get("deleted"):
            raise no_such("customer", owner, param=None)
    # Without a customer Stripe lists none of the saved ones either.
    rows = [row for row in world.all("payment_method") if owner and row["customer"] == owner]
    url = f"/v1/customers/{customer}/payment_methods" if customer else "/v1/payment_methods"
    return page(chosen(rows, params, "type"), params, url)


def retrieve_of_customer(world: World, params: Json, customer: str, identifier: str) -> Json:
    world.get("customer", customer)
    found = world.get("payment_method", identifier)
    if found["customer"] != customer:
        raise no_such("PaymentMethod", identifier, param=None)
    return found


ROUTES = (
    Route("POST", "/v1/payment_methods", create, CREATE),
    Route(
        "GET", "/v1/payment_methods", list_of_customer, {**PAGING, "customer": text, "type": text}
    ),
    one_of_kind("payment_method", "/v1/payment_methods/{id}"),
    Route("POST", "/v1/payment_methods/{id}", update, UPDATE),
    Route("POST", "/v1/payment_methods/{id}/attach", attach, {"customer": Required(text)}),
    Route("POST", "/v1/payment_methods/{id}/detach", detach),
    Route("GET", "/v1/customers/{id}/payment_methods", list_of_customer, {**PAGING, "type": text}),
    Route("GET", "/v1/customers/{id}/payment_methods/{id}", retrieve_of_customer),
)
