"""Products and prices: per unit, licensed, once or by day, week, month or year."""

import copy

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
    one_of,
    text,
)
from tests.fakes.stripe.routing import PAGING, Route, one_of_kind
from tests.fakes.stripe.world import World, chosen, nulls, page, within

RECURRING: Spec = {
    "interval": Required(one_of("day", "week", "month", "year")),
    "interval_count": integer(minimum=1),
    "usage_type": one_of("licensed"),
}
PRODUCT_FIELDS: Spec = {
    "name": text,
    "description": clearable(text),
    "active": boolean,
    "metadata": metadata,
    "images": array(text),
    "tax_code": clearable(text),
    "unit_label": clearable(text),
    "url": clearable(text),
    "statement_descriptor": text,
    "default_price": text,
}
INLINE_PRODUCT: Spec = {
    "name": Required(text),
    "description": text,
    "metadata": metadata,
    "images": array(text),
    "tax_code": text,
}
PRICE_DATA: Spec = {
    "currency": Required(text),
    "unit_amount": Required(integer(minimum=0)),
    "recurring": group(RECURRING),
    "tax_behavior": one_of("inclusive", "exclusive", "unspecified"),
    "product": text,
}
INLINE_PRICE: Spec = {**PRICE_DATA, "product_data": group(INLINE_PRODUCT)}
PRICE_UPDATE: Spec = {
    "active": boolean,
    "lookup_key": clearable(text),
    "nickname": clearable(text),
    "metadata": metadata,
}
CREATE_PRICE: Spec = {
    **PRICE_DATA,
    **PRICE_UPDATE,
    "product_data": group({**INLINE_PRODUCT, "id": text, "active": boolean}),
    "transfer_lookup_key": boolean,
}


def make_product(world: World, params: Json) -> Json:
    product = world.add(
        {
            "id": params.get("id") or world.new_id("prod"),
            "object": "product",
            **nulls("package_dimensions", "shippable"),
            "active": params.get("active", True),
            "created": world.now(),
            "default_price": None,
            "description": params.get("description"),
            "images": params.get("images", []),
            "livemode": False,
            "marketing_features": [],
            "metadata": merged({}, params.get("metadata", {})),
            "name": params["name"],
            "statement_descriptor": params.get("statement_descriptor"),
            "tax_code": params.get("tax_code"),
            "type": "service",
            "unit_label": params.get("unit_label"),
            "updated": world.now(),
            "url": params.get("url"),
        }
    )
    world.emit("product.created", product)
    return product


def create_product(world: World, params: Json) -> Json:
    if params.get("id") in world.tables.get("product", {}):
        raise bad_parameter("Product already exists.", code="resource_already_exists", param="id")
    product = make_product(world, params)
    if "default_price_data" in params:
        price = make_price(world, {**params["default_price_data"], "product": product["id"]})
        product["default_price"] = price["id"]
    return product


def update_product(world: World, params: Json, identifier: str) -> Json:
    product = world.get("product", identifier)
    if "default_price" in params:
        world.get("price", params["default_price"], param="default_price")
    return _update(world, product, params, "product.updated")


def delete_product(world: World, params: Json, identifier: str) -> Json:
    product = world.get("product", identifier)
    if any(price["product"] == identifier for price in world.all("price")):
        raise invalid(
            "This product cannot be deleted because it has one or more user-created prices."
        )
    del world.tables["product"][identifier]
    world.emit("product.deleted", product)
    return {"id": identifier, "object": "product", "deleted": True}


def _update(world: World, thing: Json, params: Json, event: str) -> Json:
    before = copy.deepcopy(thing)
    if "metadata" in params:
        params["metadata"] = merged(thing["metadata"], params["metadata"])
    thing.update(params)
    if "updated" in thing:
        thing["updated"] = world.now()
    if thing != before:
        world.emit(event, thing, before=before)
    return thing


def make_price(world: World, params: Json) -> Json:
    """``params`` as CREATE_PRICE reads them; also for ``price_data`` of a checkout or a subscription."""
    if "product" in params:
        world.get("product", params["product"], param="product")
        product = params["product"]
    elif "product_data" in params:
        product = make_product(world, params["product_data"])["id"]
    else:
        raise bad_parameter(
            "You must specify either `product` or `product_data` when creating a price.",
            code="parameter_missing",
            param="product",
        )
    recurring = params.get("recurring")
    price = world.add(
        {
            "id": world.new_id("price"),
            "object": "price",
            **nulls("custom_unit_amount", "tiers_mode", "transform_quantity"),
            "active": params.get("active", True),
            "billing_scheme": "per_unit",
            "created": world.now(),
            "currency": params["currency"].lower(),
            "livemode": False,
            "lookup_key": params.get("lookup_key"),
            "metadata": merged({}, params.get("metadata", {})),
            "nickname": params.get("nickname"),
            "product": product,
            "recurring": recurring
            and {
                "interval": recurring["interval"],
                "interval_count": recurring.get("interval_count", 1),
                "meter": None,
                "trial_period_days": None,
                "usage_type": "licensed",
            },
            "tax_behavior": params.get("tax_behavior", "unspecified"),
            "type": "recurring" if recurring else "one_time",
            "unit_amount": params["unit_amount"],
            "unit_amount_decimal": str(params["unit_amount"]),
        }
    )
    world.emit("price.created", price)
    return price


def create_price(world: World, params: Json) -> Json:
    _take_lookup_key(world, params)
    return make_price(world, params)


def _take_lookup_key(world: World, params: Json) -> None:
    key = params.get("lookup_key")
    holders = [price for price in world.all("price") if key and price["lookup_key"] == key]
    if holders and not params.pop("transfer_lookup_key", False):
        raise bad_parameter(
            f"A price (`{holders[0]['id']}`) already uses that lookup key.", param="lookup_key"
        )
    for holder in holders:
        _update(world, holder, {"lookup_key": None}, "price.updated")


def update_price(world: World, params: Json, identifier: str) -> Json:
    price = world.get("price", identifier)
    if params.get("lookup_key") != price["lookup_key"]:
        _take_lookup_key(world, params)
    return _update(world, price, params, "price.updated")


def price_named(world: World, item: Json, name: str) -> Json:
    """The price of a line of a request: named, or described in place."""
    if "price" in item:
        price = world.get("price", item["price"], param=f"{name}[price]")
        if not price["active"]:
            raise bad_parameter(
                f"The price specified is inactive. This field only accepts active prices. ({price['id']})",
                param=f"{name}[price]",
            )
        return price
    if "price_data" in item:
        return make_price(world, item["price_data"])
    raise bad_parameter(
        "One of `price` or `price_data` must be given.", code="parameter_missing", param=name
    )


def list_products(world: World, params: Json) -> Json:
    rows = within(chosen(world.all("product"), params, "active"), params)
    wanted = params.get("ids")
    return page(
        [row for row in rows if wanted is None or row["id"] in wanted], params, "/v1/products"
    )


def list_prices(world: World, params: Json) -> Json:
    rows = within(
        chosen(world.all("price"), params, "active", "product", "type", "currency"), params
    )
    keys = params.get("lookup_keys")
    return page(
        [row for row in rows if keys is None or row["lookup_key"] in keys], params, "/v1/prices"
    )


CREATE_PRODUCT: Spec = {
    **{name: reader for name, reader in PRODUCT_FIELDS.items() if name != "default_price"},
    "name": Required(text),
    "id": text,
    "default_price_data": group(
        {name: reader for name, reader in PRICE_DATA.items() if name != "product"}
    ),
}

ROUTES = (
    Route("POST", "/v1/products", create_product, CREATE_PRODUCT),
    Route("GET", "/v1/products", list_products, {**PAGING, "active": boolean, "ids": array(text)}),
    one_of_kind("product", "/v1/products/{id}"),
    Route("POST", "/v1/products/{id}", update_product, PRODUCT_FIELDS),
    Route("DELETE", "/v1/products/{id}", delete_product),
    Route("POST", "/v1/prices", create_price, CREATE_PRICE),
    Route(
        "GET",
        "/v1/prices",
        list_prices,
        {
            **PAGING,
            "active": boolean,
            "product": text,
            "type": text,
            "currency": text,
            "lookup_keys": array(text),
        },
    ),
    one_of_kind("price", "/v1/prices/{id}"),
    Route(
        "POST", "/v1/prices/{id}", update_price, {**PRICE_UPDATE, "transfer_lookup_key": boolean}
    ),
)
