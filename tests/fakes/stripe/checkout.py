"""Checkout sessions: what a caller asks for. What a human then does on Stripe's page is in checkout_pages.py."""

from tests.fakes.stripe import catalogue
from tests.fakes.stripe.errors import Json, bad_parameter, invalid, missing_parameter
from tests.fakes.stripe.payments import SMALLEST
from tests.fakes.stripe.reading import (
    Required,
    Spec,
    array,
    boolean,
    group,
    integer,
    merged,
    metadata,
    one_of,
    text,
    timestamp,
)
from tests.fakes.stripe.routing import PAGING, Route, list_of, one_of_kind
from tests.fakes.stripe.world import World, as_list, nulls, page

DAY = 86_400
SHORTEST = 30 * 60
ENABLED = group({"enabled": Required(boolean)})

CREATE: Spec = {
    "mode": Required(one_of("payment", "subscription", "setup")),
    "ui_mode": one_of("hosted_page"),
    "line_items": array(
        group(
            {
                "price": text,
                "price_data": group(catalogue.INLINE_PRICE),
                "quantity": integer(minimum=1),
            }
        )
    ),
    "success_url": text,
    "cancel_url": text,
    "customer": text,
    "customer_email": text,
    "customer_creation": one_of("always", "if_required"),
    "customer_update": group(
        {name: one_of("auto", "never") for name in ("address", "name", "shipping")}
    ),
    "client_reference_id": text,
    "currency": text,
    "metadata": metadata,
    "expires_at": timestamp,
    "allow_promotion_codes": boolean,
    "automatic_tax": ENABLED,
    "billing_address_collection": one_of("auto", "required"),
    "locale": text,
    "payment_method_types": array(text),
    "payment_method_collection": one_of("always", "if_required"),
    "submit_type": one_of("auto", "book", "donate", "pay", "subscribe"),
    "tax_id_collection": group(
        {"enabled": Required(boolean), "required": one_of("if_supported", "never")}
    ),
    "saved_payment_method_options": group({"payment_method_save": one_of("enabled", "disabled")}),
    "invoice_creation": group(
        {
            "enabled": Required(boolean),
            "invoice_data": group({"description": text, "footer": text, "metadata": metadata}),
        }
    ),
    "payment_intent_data": group(
        {
            "description": text,
            "metadata": metadata,
            "receipt_email": text,
            "setup_future_usage": one_of("on_session", "off_session"),
            "statement_descriptor": text,
            "statement_descriptor_suffix": text,
        }
    ),
    "setup_intent_data": group({"description": text, "metadata": metadata}),
    "subscription_data": group(
        {
            "description": text,
            "metadata": metadata,
            "trial_end": timestamp,
            "trial_period_days": integer(minimum=1),
        }
    ),
}
ONLY_IN_MODE = {
    "payment_intent_data": ("payment",),
    "invoice_creation": ("payment",),
    "customer_creation": ("payment", "setup"),
    "submit_type": ("payment", "subscription"),
    "setup_intent_data": ("setup",),
    "subscription_data": ("subscription",),
    "payment_method_collection": ("subscription",),
}


def create(world: World, params: Json) -> Json:
    mode = params["mode"]
    _check(world, params, mode)
    identifier = world.new_id("cs_test")
    items = _line_items(world, params)
    currency = items[0]["currency"] if items else params.get("currency")
    total = sum(item["amount_total"] for item in items) if mode != "setup" else None
    if mode == "payment" and total is not None and 0 < total < SMALLEST:
        raise bad_parameter(
            "The Checkout Session's total amount due must add up to at least $0.50 usd",
            code="amount_too_small",
            param="line_items",
        )
    if _has_trial(params):
        total = 0
    creation = params.get("customer_creation")
    if mode == "payment" and "customer" not in params:
        creation = creation or "if_required"
    session = world.add(
        {
            "id": identifier,
            "object": "checkout.session",
            **nulls("after_expiration", "branding_settings", "client_secret", "consent"),
            **nulls("collected_information", "consent_collection", "currency_conversion"),
            **nulls("customer_account", "integration_identifier", "invoice", "origin_context"),
            **nulls("payment_link", "permissions", "recovered_from", "setup_intent"),
            **nulls("shipping_address_collection", "shipping_cost", "subscription"),
            **nulls("payment_intent", "payment_method_configuration_details", "wallet_options"),
            "adaptive_pricing": {"enabled": False} if mode == "payment" else None,
            "allow_promotion_codes": params.get("allow_promotion_codes"),
            "amount_subtotal": total,
            "amount_total": total,
            "automatic_tax": {
                "enabled": params.get("automatic_tax", {}).get("enabled", False),
                **nulls("liability", "provider", "status"),
            },
            "billing_address_collection": params.get("billing_address_collection"),
            "cancel_url": params.get("cancel_url"),
            "client_reference_id": params.get("client_reference_id"),
            "created": world.now(),
            "currency": currency,
            "custom_fields": [],
            "custom_text": {
                **nulls("after_submit", "shipping_address", "submit"),
                "terms_of_service_acceptance": None,
            },
            "customer": params.get("customer"),
            "customer_creation": creation,
            "customer_details": _known_details(world, params),
            "customer_email": params.get("customer_email"),
            "discounts": [] if mode != "setup" else None,
            "expires_at": params.get("expires_at", world.now() + DAY),
            "invoice_creation": _invoice_creation(params) if mode == "payment" else None,
            "livemode": False,
            "locale": params.get("locale"),
            "metadata": merged({}, params.get("metadata", {})),
            "mode": mode,
            "payment_method_collection": params.get(
                "payment_method_collection", "if_required" if mode == "payment" else "always"
            ),
            "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
            "payment_method_types": params.get("payment_method_types", ["card"]),
            "payment_status": "no_payment_required" if mode == "setup" else "unpaid",
            "phone_number_collection": {"enabled": False},
            "saved_payment_method_options": _saved_options(params),
            "shipping_options": [],
            "status": "open",
            "submit_type": params.get("submit_type"),
            "success_url": params["success_url"],
            "total_details": None
            if mode == "setup"
            else {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
            "ui_mode": "hosted_page",
            "url": f"https://checkout.stripe.com/c/pay/{identifier}",
        }
    )
    if "tax_id_collection" in params:
        session["tax_id_collection"] = {"required": "never", **params["tax_id_collection"]}
    world.notes[identifier] = {"items": items, "params": params}
    return session


def _check(world: World, params: Json, mode: str) -> None:
    for name, modes in ONLY_IN_MODE.items():
        if name in params and mode not in modes:
            raise bad_parameter(f"You can not pass `{name}` in `{mode}` mode.", param=name)
    if mode == "setup" and "line_items" in params:
        raise bad_parameter("You can not pass `line_items` in `setup` mode.", param="line_items")
    if mode != "setup" and not params.get("line_items"):
        raise missing_parameter("line_items")
    if mode == "setup" and not params.keys() & {"currency", "payment_method_types"}:
        raise missing_parameter("currency")
    if "success_url" not in params:
        raise missing_parameter("success_url")
    if "customer" in params:
        world.get("customer", params["customer"], param="customer")
        if "customer_email" in params:
            raise bad_parameter(
                "You may only specify one of these parameters: customer, customer_email.",
                param="customer_email",
            )
    elif "customer_update" in params:
        raise bad_parameter(
            "`customer_update` can only be used with `customer`.", param="customer_update"
        )
    expires_at = params.get("expires_at", world.now() + DAY)
    if not SHORTEST <= expires_at - world.now() <= DAY:
        raise bad_parameter(
            "The `expires_at` timestamp must be at least 30 minutes and at most 24 hours from Checkout Session "
            "creation.",
            param="expires_at",
        )


def _line_items(world: World, params: Json) -> list[Json]:
    made = []
    for number, given in enumerate(params.get("line_items", [])):
        name = f"line_items[{number}]"
        price = catalogue.price_named(world, given, name)
        if params["mode"] == "payment" and price["type"] == "recurring":
            raise bad_parameter(
                "You specified `payment` mode but passed a recurring price. Either switch to `subscription` mode or use "
                "only one-time prices.",
                param="mode",
            )
        quantity = given.get("quantity", 1)
        amount = price["unit_amount"] * quantity
        shown = 0 if _has_trial(params) and price["type"] == "recurring" else amount
        made.append(
            {
                "id": world.new_id("li"),
                "object": "item",
                "adjustable_quantity": None,
                "amount_discount": 0,
                "amount_subtotal": shown,
                "amount_tax": 0,
                "amount_total": shown,
                "currency": price["currency"],
                "description": world.get("product", price["product"])["name"],
                "metadata": {},
                "price": price,
                "quantity": quantity,
            }
        )
    if params["mode"] == "subscription" and all(
        item["price"]["type"] != "recurring" for item in made
    ):
        raise bad_parameter(
            "You must provide at least one recurring price in `subscription` mode.", param="mode"
        )
    if len({item["currency"] for item in made}) > 1:
        raise bad_parameter("All line items must have the same currency.", param="line_items")
    return made


def _has_trial(params: Json) -> bool:
    return bool(params.get("subscription_data", {}).keys() & {"trial_end", "trial_period_days"})


def _known_details(world: World, params: Json) -> Json | None:
    email = params.get("customer_email")
    if "customer" in params:
        email = world.get("customer", params["customer"])["email"]
    return None if email is None else details_of(email=email)


def details_of(**known: object) -> Json:
    """``customer_details``: what the human typed, or the customer's own."""
    empty = nulls(
        "address", "business_name", "email", "individual_name", "name", "phone", "tax_ids"
    )
    return {**empty, "tax_exempt": "none", **known}


def _invoice_creation(params: Json) -> Json:
    given = params.get("invoice_creation", {"enabled": False})
    data = given.get("invoice_data", {})
    return {
        "enabled": given["enabled"],
        "invoice_data": {
            **nulls("account_tax_ids", "custom_fields", "issuer", "rendering_options"),
            "description": data.get("description"),
            "footer": data.get("footer"),
            "metadata": merged({}, data.get("metadata", {})),
        },
    }


def _saved_options(params: Json) -> Json | None:
    given = params.get("saved_payment_method_options")
    if given is None and "customer" not in params:
        return None
    return {
        "allow_redisplay_filters": ["always"],
        **nulls("payment_method_remove", "payment_method_save"),
        **(given or {}),
    }


def update(world: World, params: Json, identifier: str) -> Json:
    session = world.get("checkout.session", identifier)
    session["metadata"] = merged(session["metadata"], params.get("metadata", {}))
    return session


def expire(world: World, params: Json, identifier: str) -> Json:
    session = world.get("checkout.session", identifier)
    if session["status"] != "open":
        raise invalid(
            'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout Session has a status of '
            f"`{session['status']}`."
        )
    expire_session(world, session)
    return session


def expire_session(world: World, session: Json) -> None:
    session.update(status="expired", url=None, expires_at=min(session["expires_at"], world.now()))
    world.emit("checkout.session.expired", session)


def line_items_of(world: World, session: Json) -> list[Json]:
    items: list[Json] = world.notes[session["id"]]["items"]
    return items


def list_line_items(world: World, params: Json, identifier: str) -> Json:
    session = world.get("checkout.session", identifier)
    # In the order in which they were given, unlike other lists.
    rows = line_items_of(world, session)[::-1]
    return page(rows, params, f"/v1/checkout/sessions/{identifier}/line_items")


def included_line_items(world: World, session: Json) -> Json:
    return as_list(
        line_items_of(world, session), f"/v1/checkout/sessions/{session['id']}/line_items"
    )


ROUTES = (
    Route("POST", "/v1/checkout/sessions", create, CREATE),
    list_of(
        "checkout.session",
        "/v1/checkout/sessions",
        "customer",
        "payment_intent",
        "subscription",
        "status",
    ),
    one_of_kind("checkout.session", "/v1/checkout/sessions/{id}"),
    Route("POST", "/v1/checkout/sessions/{id}", update, {"metadata": metadata}),
    Route("POST", "/v1/checkout/sessions/{id}/expire", expire),
    Route("GET", "/v1/checkout/sessions/{id}/line_items", list_line_items, PAGING),
)
