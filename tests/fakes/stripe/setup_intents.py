"""Setup intents: a card is saved for later, without a payment."""

import copy

from tests.fakes.stripe import cards, payment_methods
from tests.fakes.stripe.cards import card_of
from tests.fakes.stripe.errors import Json, Refused, card_refused
from tests.fakes.stripe.reading import (
    Required,
    Spec,
    array,
    boolean,
    clearable,
    group,
    merged,
    metadata,
    one_of,
    text,
)
from tests.fakes.stripe.routing import Route, list_of, one_of_kind
from tests.fakes.stripe.world import World, nulls

OPEN = ("requires_payment_method", "requires_confirmation", "requires_action")
CREATE: Spec = {
    "customer": text,
    "payment_method": text,
    "payment_method_types": array(text),
    "automatic_payment_methods": group(
        {"enabled": Required(boolean), "allow_redirects": one_of("always", "never")}
    ),
    "usage": one_of("on_session", "off_session"),
    "description": clearable(text),
    "metadata": metadata,
    "confirm": boolean,
    "return_url": text,
}


def make(world: World, params: Json) -> Json:
    identifier = world.new_id("seti")
    automatic = params.get("automatic_payment_methods")
    intent = world.add(
        {
            "id": identifier,
            "object": "setup_intent",
            **nulls("application", "cancellation_reason", "customer_account", "flow_directions"),
            **nulls("excluded_payment_method_types", "last_setup_error", "latest_attempt"),
            **nulls("mandate", "next_action", "on_behalf_of", "single_use_mandate"),
            "automatic_payment_methods": {"allow_redirects": "always", **automatic}
            if automatic
            else None,
            "client_secret": f"{identifier}_secret_fake",
            "created": world.now(),
            "customer": params.get("customer"),
            "description": params.get("description"),
            "livemode": False,
            "metadata": merged({}, params.get("metadata", {})),
            "payment_method": None,
            "payment_method_configuration_details": None,
            "payment_method_options": {
                "card": {
                    **nulls("mandate_options", "network"),
                    "request_three_d_secure": "automatic",
                }
            },
            "payment_method_types": params.get("payment_method_types", ["card"]),
            "status": "requires_payment_method",
            "usage": params.get("usage", "off_session"),
        }
    )
    world.emit("setup_intent.created", intent)
    return intent


def create(world: World, params: Json) -> Json:
    if "customer" in params:
        world.get("customer", params["customer"], param="customer")
    intent = make(world, params)
    if "payment_method" in params:
        chosen = payment_methods.resolve(world, params["payment_method"])
        intent.update(payment_method=chosen["id"], status="requires_confirmation")
    if params.get("confirm"):
        confirm(world, {}, intent["id"])
    return intent


def confirm(world: World, params: Json, identifier: str) -> Json:
    intent = world.get("setup_intent", identifier)
    if intent["status"] not in OPEN:
        raise _wrong_state(intent)
    if "payment_method" in params:
        intent["payment_method"] = payment_methods.resolve(world, params["payment_method"])["id"]
    if intent["payment_method"] is None:
        raise _wrong_state(intent)
    chosen = world.get("payment_method", intent["payment_method"])
    card = card_of(world, chosen["id"])
    if card.decline is not None and card.refuses_attaching:
        raise _fail(world, intent, chosen)
    if card.asks != "never":
        intent.update(
            status="requires_action",
            next_action={
                "type": "use_stripe_sdk",
                "use_stripe_sdk": {"type": "three_d_secure_redirect"},
            },
        )
        world.emit("setup_intent.requires_action", intent)
        return intent
    return succeed(world, intent, chosen)


def succeed(world: World, intent: Json, payment_method: Json) -> Json:
    if intent["customer"] is not None:
        payment_methods.attach_to(world, payment_method, intent["customer"])
    world.authenticated.add(payment_method["id"])
    intent.update(
        status="succeeded",
        payment_method=payment_method["id"],
        next_action=None,
        last_setup_error=None,
    )
    world.emit("setup_intent.succeeded", intent)
    return intent


def authenticate(world: World, identifier: str, *, agreed: bool) -> Json:
    intent = world.get("setup_intent", identifier)
    if intent["status"] != "requires_action":
        raise _wrong_state(intent)
    chosen = world.get("payment_method", intent["payment_method"])
    if agreed:
        return succeed(world, intent, chosen)
    intent.update(
        status="requires_payment_method",
        next_action=None,
        payment_method=None,
        last_setup_error={
            "code": "setup_intent_authentication_failure",
            "message": "The latest attempt to set up the payment method has failed because authentication failed.",
            "payment_method": copy.deepcopy(chosen),
            "type": "invalid_request_error",
        },
    )
    world.emit("setup_intent.setup_failed", intent)
    return intent


def _fail(world: World, intent: Json, payment_method: Json) -> Refused:
    said = card_of(world, payment_method["id"]).decline
    assert said is not None
    intent.update(
        status="requires_payment_method",
        payment_method=None,
        last_setup_error={
            "code": said.code,
            "decline_code": said.decline_code,
            "message": cards.message_of(said),
            "payment_method": copy.deepcopy(payment_method),
            "type": "card_error",
        },
    )
    world.emit("setup_intent.setup_failed", intent)
    more = {"setup_intent": copy.deepcopy(intent)}
    return card_refused(said.code, said.decline_code, cards.message_of(said), more)


def cancel(world: World, params: Json, identifier: str) -> Json:
    intent = world.get("setup_intent", identifier)
    if intent["status"] not in OPEN:
        raise _wrong_state(intent)
    intent.update(
        status="canceled",
        cancellation_reason=params.get("cancellation_reason"),
        next_action=None,
    )
    world.emit("setup_intent.canceled", intent)
    return intent


def _wrong_state(intent: Json) -> Refused:
    return Refused(
        400,
        "invalid_request_error",
        f"This SetupIntent does not allow that: it has a status of {intent['status']} and "
        f"{'a' if intent['payment_method'] else 'no'} payment method.",
        code="setup_intent_unexpected_state",
        more={"setup_intent": copy.deepcopy(intent)},
    )


CANCEL: Spec = {"cancellation_reason": one_of("abandoned", "requested_by_customer", "duplicate")}

ROUTES = (
    Route("POST", "/v1/setup_intents", create, CREATE),
    list_of("setup_intent", "/v1/setup_intents", "customer", "payment_method"),
    one_of_kind("setup_intent", "/v1/setup_intents/{id}"),
    Route(
        "POST",
        "/v1/setup_intents/{id}/confirm",
        confirm,
        {"payment_method": text, "return_url": text},
    ),
    Route("POST", "/v1/setup_intents/{id}/cancel", cancel, CANCEL),
)
