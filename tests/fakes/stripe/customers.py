"""Customers and their tax ids."""

import copy

from tests.fakes.stripe import payment_methods, standing
from tests.fakes.stripe.errors import Json, bad_parameter, no_such
from tests.fakes.stripe.reading import (
    Required,
    Spec,
    address,
    array,
    clearable,
    full_address,
    group,
    integer,
    merged,
    metadata,
    one_of,
    text,
)
from tests.fakes.stripe.routing import PAGING, Route
from tests.fakes.stripe.world import World, as_list, chosen, nulls, page, within

TAX_ID_COUNTRIES = {
    "eu_vat": None,
    "us_ein": "US",
    "gb_vat": "GB",
    "ch_vat": "CH",
    "au_abn": "AU",
    "ca_bn": "CA",
    "in_gst": "IN",
    "sg_uen": "SG",
}
"""Types the fake knows; None: the value's first two letters say the country."""

TAX_ID: Spec = {"type": Required(one_of(*TAX_ID_COUNTRIES)), "value": Required(text)}
FIELDS: Spec = {
    "email": clearable(text),
    "name": clearable(text),
    "phone": clearable(text),
    "description": clearable(text),
    "address": clearable(address),
    "metadata": metadata,
    "balance": integer(),
    "tax_exempt": one_of("none", "exempt", "reverse"),
    "preferred_locales": array(text),
    "invoice_settings": group({"default_payment_method": clearable(text)}),
}
CREATE: Spec = {**FIELDS, "tax_id_data": array(group(TAX_ID)), "payment_method": text}


def make_customer(world: World, params: Json) -> Json:
    """Also for a checkout that makes its own customer."""
    identifier = world.new_id("cus")
    customer = world.add(
        {
            "id": identifier,
            "object": "customer",
            **nulls("customer_account", "default_source", "discount", "shipping", "test_clock"),
            "address": None,
            "balance": 0,
            "created": world.now(),
            "currency": None,
            "delinquent": False,
            "description": None,
            "email": None,
            "invoice_prefix": f"GW{identifier[-6:].upper()}",
            "invoice_settings": {
                **nulls("custom_fields", "default_payment_method", "footer", "rendering_options")
            },
            "livemode": False,
            "metadata": {},
            "name": None,
            "next_invoice_sequence": 1,
            "phone": None,
            "preferred_locales": [],
            "tax_exempt": "none",
        }
    )
    _change(world, customer, params)
    world.emit("customer.created", customer)
    for one in params.get("tax_id_data", []):
        add_tax_id(world, one, customer["id"])
    return customer


def create(world: World, params: Json) -> Json:
    card = params.pop("payment_method", None)
    customer = make_customer(world, params)
    if card is not None:
        payment_methods.attach_to(world, payment_methods.resolve(world, card), customer["id"])
    return customer


def retrieve(world: World, params: Json, identifier: str) -> Json:
    return world.get("customer", identifier)


def update(world: World, params: Json, identifier: str) -> Json:
    customer = _present(world, identifier)
    before = copy.deepcopy(customer)
    _change(world, customer, params)
    if customer != before:
        world.emit("customer.updated", customer, before=before)
    return customer


def _change(world: World, customer: Json, params: Json) -> None:
    change = {name: value for name, value in params.items() if name in customer}
    if "metadata" in change:
        change["metadata"] = merged(customer["metadata"], change["metadata"])
    if change.get("address") is not None:
        change["address"] = full_address(change["address"])
    if "invoice_settings" in change:
        card = change["invoice_settings"].get("default_payment_method")
        if card is not None:
            _must_own(world, customer, card)
        change["invoice_settings"] = {**customer["invoice_settings"], **change["invoice_settings"]}
    customer.update(change)


def _must_own(world: World, customer: Json, card: str) -> None:
    name = "invoice_settings[default_payment_method]"
    if world.get("payment_method", card, param=name)["customer"] != customer["id"]:
        raise bad_parameter(
            f"The customer does not have a payment method with the ID {card}. The payment method must be attached "
            "to the customer.",
            code="resource_missing",
            param=name,
        )


def delete(world: World, params: Json, identifier: str) -> Json:
    """Ends its subscriptions at once and lets go of its cards."""
    customer = _present(world, identifier)
    for subscription in list(world.all("subscription")):
        if subscription["customer"] == identifier and subscription["ended_at"] is None:
            standing.end(world, subscription, reason="cancellation_requested")
    for card in list(world.all("payment_method")):
        if card["customer"] == identifier:
            payment_methods.detach(world, {}, card["id"])
    world.tables["customer"][identifier] = gone = {
        "id": identifier,
        "object": "customer",
        "deleted": True,
    }
    world.emit("customer.deleted", customer)
    return gone


def _present(world: World, identifier: str) -> Json:
    """A deleted customer can be read, and nothing else."""
    customer = world.get("customer", identifier)
    if customer.get("deleted"):
        raise no_such("customer", identifier, param=None)
    return customer


def list_customers(world: World, params: Json) -> Json:
    living = [customer for customer in world.all("customer") if not customer.get("deleted")]
    return page(within(chosen(living, params, "email"), params), params, "/v1/customers")


def add_tax_id(world: World, params: Json, customer: str) -> Json:
    _present(world, customer)
    kind, value = params["type"], params["value"]
    tax_id = world.add(
        {
            "id": world.new_id("txi"),
            "object": "tax_id",
            "country": TAX_ID_COUNTRIES[kind] or value[:2].upper(),
            "created": world.now(),
            "customer": customer,
            "customer_account": None,
            "livemode": False,
            "owner": {"customer": customer, "type": "customer"},
            "type": kind,
            "value": value,
            "verification": {
                "status": "pending",
                "verified_address": None,
                "verified_name": None,
            },
        }
    )
    world.emit("customer.tax_id.created", tax_id)
    return tax_id


def tax_ids_of(world: World, customer: str) -> list[Json]:
    return [tax_id for tax_id in world.all("tax_id") if tax_id["customer"] == customer]


def list_tax_ids(world: World, params: Json, customer: str) -> Json:
    _present(world, customer)
    return page(tax_ids_of(world, customer), params, f"/v1/customers/{customer}/tax_ids")


def _own_tax_id(world: World, customer: str, identifier: str) -> Json:
    _present(world, customer)
    found = world.get("tax_id", identifier)
    if found["customer"] != customer:
        raise no_such("tax_id", identifier, param=None)
    return found


def retrieve_tax_id(world: World, params: Json, customer: str, identifier: str) -> Json:
    return _own_tax_id(world, customer, identifier)


def delete_tax_id(world: World, params: Json, customer: str, identifier: str) -> Json:
    found = _own_tax_id(world, customer, identifier)
    del world.tables["tax_id"][identifier]
    world.emit("customer.tax_id.deleted", found)
    return {"id": identifier, "object": "tax_id", "deleted": True}


def included_tax_ids(world: World, customer: Json) -> Json:
    rows = tax_ids_of(world, customer["id"])[::-1]
    return as_list(rows, f"/v1/customers/{customer['id']}/tax_ids")


def included_sources(world: World, customer: Json) -> Json:
    """What came before payment methods; nobody has any."""
    return as_list([], f"/v1/customers/{customer['id']}/sources")


ROUTES = (
    Route("POST", "/v1/customers", create, CREATE),
    Route("GET", "/v1/customers", list_customers, {**PAGING, "email": text}),
    Route("GET", "/v1/customers/{id}", retrieve),
    Route("POST", "/v1/customers/{id}", update, FIELDS),
    Route("DELETE", "/v1/customers/{id}", delete),
    Route("POST", "/v1/customers/{id}/tax_ids", add_tax_id, TAX_ID),
    Route("GET", "/v1/customers/{id}/tax_ids", list_tax_ids, PAGING),
    Route("GET", "/v1/customers/{id}/tax_ids/{id}", retrieve_tax_id),
    Route("DELETE", "/v1/customers/{id}/tax_ids/{id}", delete_tax_id),
)
