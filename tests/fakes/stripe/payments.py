"""Payment intents: made, confirmed, authenticated, declined, cancelled. Checkout and invoices pay through here too."""

import copy

from tests.fakes.stripe import cards, charges, payment_methods
from tests.fakes.stripe.errors import Json, Refused, bad_parameter, card_refused, invalid
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
from tests.fakes.stripe.routing import Route, list_of, one_of_kind
from tests.fakes.stripe.world import Decline, World, nulls

SMALLEST = 50
LARGEST = 99_999_999
CANCELLABLE = ("requires_payment_method", "requires_confirmation", "requires_action")

FIELDS: Spec = {
    "amount": integer(minimum=1),
    "currency": text,
    "customer": text,
    "payment_method": text,
    "description": clearable(text),
    "metadata": metadata,
    "receipt_email": clearable(text),
    "setup_future_usage": clearable(one_of("on_session", "off_session")),
    "statement_descriptor": clearable(text),
    "statement_descriptor_suffix": clearable(text),
    "payment_method_types": array(text),
}
CREATE: Spec = {
    **FIELDS,
    "amount": Required(integer(minimum=1)),
    "currency": Required(text),
    "automatic_payment_methods": group(
        {"enabled": Required(boolean), "allow_redirects": one_of("always", "never")}
    ),
    "capture_method": one_of("automatic", "automatic_async"),
    "confirm": boolean,
    "off_session": boolean,
    "error_on_requires_action": boolean,
    "return_url": text,
}
CONFIRM: Spec = {
    "payment_method": text,
    "off_session": boolean,
    "return_url": text,
    "receipt_email": clearable(text),
    "setup_future_usage": clearable(one_of("on_session", "off_session")),
    "error_on_requires_action": boolean,
}


def make(world: World, params: Json) -> Json:
    """An intent that is not confirmed yet. ``params`` as CREATE reads them."""
    _check_amount(params["amount"], params["currency"])
    identifier = world.new_id("pi")
    types = params.get("payment_method_types", ["card"])
    automatic = params.get("automatic_payment_methods")
    if automatic is None and "payment_method_types" not in params:
        automatic = {"enabled": True}
    intent = world.add(
        {
            "id": identifier,
            "object": "payment_intent",
            **nulls("application", "application_fee_amount", "canceled_at", "customer_account"),
            **nulls("cancellation_reason", "excluded_payment_method_types", "last_payment_error"),
            **nulls("latest_charge", "next_action", "on_behalf_of", "processing", "review"),
            **nulls("shipping", "source", "transfer_data", "transfer_group"),
            "amount": params["amount"],
            "amount_capturable": 0,
            "amount_details": {"tip": {}},
            "amount_received": 0,
            "automatic_payment_methods": None
            if automatic is None
            else {"allow_redirects": "always", **automatic},
            "capture_method": params.get("capture_method", "automatic_async"),
            "client_secret": f"{identifier}_secret_fake",
            "confirmation_method": "automatic",
            "created": world.now(),
            "currency": params["currency"].lower(),
            "customer": params.get("customer"),
            "description": params.get("description"),
            "livemode": False,
            "metadata": merged({}, params.get("metadata", {})),
            "payment_method": None,
            "payment_method_configuration_details": None,
            "payment_method_options": {
                "card": {
                    **nulls("installments", "mandate_options", "network"),
                    "request_three_d_secure": "automatic",
                }
            },
            "payment_method_types": types,
            "receipt_email": params.get("receipt_email"),
            "setup_future_usage": params.get("setup_future_usage"),
            "statement_descriptor": params.get("statement_descriptor"),
            "statement_descriptor_suffix": params.get("statement_descriptor_suffix"),
            "status": "requires_payment_method",
        }
    )
    world.emit("payment_intent.created", intent)
    return intent


def _check_amount(amount: int, currency: str) -> None:
    if amount < SMALLEST:
        raise bad_parameter(
            f"Amount must be at least $0.50 {currency.lower()}",
            code="amount_too_small",
            param="amount",
        )
    if amount > LARGEST:
        raise bad_parameter(
            "Amount must be no more than $999,999.99", code="amount_too_large", param="amount"
        )


def create(world: World, params: Json) -> Json:
    if "customer" in params:
        world.get("customer", params["customer"], param="customer")
    _check_amount(params["amount"], params["currency"])
    chosen = None
    if "payment_method" in params:
        chosen = payment_methods.resolve(world, params["payment_method"])
        _must_match(chosen, params.get("customer"))
    if params.get("off_session") and not params.get("confirm"):
        raise bad_parameter(
            "You can only provide `off_session` when also providing `confirm=true`.",
            param="off_session",
        )
    intent = make(world, params)
    if chosen is not None:
        intent.update(payment_method=chosen["id"], status="requires_confirmation")
    if params.get("confirm"):
        confirm(world, params | {"payment_method": None}, intent["id"])
    return intent


def _must_match(payment_method: Json, customer: str | None) -> None:
    owner = payment_method["customer"]
    if owner is not None and owner != customer:
        raise invalid(
            "The provided PaymentMethod cannot be attached. To reuse a PaymentMethod, you must attach it to a "
            "Customer first."
            if customer
            else "The payment method you provided is attached to a customer so for security purposes you must provide "
            "the customer in the request.",
            param="payment_method" if customer else "customer",
        )


def update(world: World, params: Json, identifier: str) -> Json:
    intent = world.get("payment_intent", identifier)
    fixed = {"amount", "currency", "customer", "payment_method"} & params.keys()
    if fixed and intent["status"] not in CANCELLABLE:
        raise _wrong_state(
            intent,
            f"This PaymentIntent's {min(fixed)} could not be updated because it has a status of "
            f"{intent['status']}.",
        )
    if "amount" in params:
        _check_amount(params["amount"], params.get("currency") or intent["currency"])
    if "customer" in params:
        world.get("customer", params["customer"], param="customer")
    if "metadata" in params:
        params["metadata"] = merged(intent["metadata"], params["metadata"])
    if "payment_method" in params:
        chosen = payment_methods.resolve(world, params["payment_method"])
        _must_match(chosen, params.get("customer", intent["customer"]))
        params.update(payment_method=chosen["id"], status="requires_confirmation")
    intent.update(params)
    return intent


def confirm(world: World, params: Json, identifier: str) -> Json:
    """Raises what Stripe answers when the card is declined; the intent then waits for another card."""
    intent = world.get("payment_intent", identifier)
    if intent["status"] not in CANCELLABLE:
        raise _wrong_state(
            intent,
            f"You cannot confirm this PaymentIntent because it has already {_past(intent)}.",
        )
    given = params.get("payment_method")
    if given is not None:
        chosen = payment_methods.resolve(world, given)
        _must_match(chosen, intent["customer"])
        intent["payment_method"] = chosen["id"]
    if intent["payment_method"] is None:
        raise _wrong_state(
            intent,
            "You cannot confirm this PaymentIntent because it's missing a payment method. You can either update the "
            "PaymentIntent with a payment method and then confirm it again, or confirm it again directly with a "
            "payment method or ConfirmationToken.",
        )
    for name in ("receipt_email", "setup_future_usage"):
        if name in params:
            intent[name] = params[name]
    chosen = world.get("payment_method", intent["payment_method"])
    said = cards.what_the_bank_says(
        world, chosen["id"], off_session=params.get("off_session", False)
    )
    if isinstance(said, Decline):
        raise decline(world, intent, chosen, said)
    if said == "authenticate":
        if params.get("error_on_requires_action"):
            raise decline(
                world, intent, chosen, Decline("authentication_required", "authentication_required")
            )
        return ask_owner(world, intent, params.get("return_url"))
    return succeed(world, intent, chosen)


def succeed(world: World, intent: Json, payment_method: Json) -> Json:
    if intent["setup_future_usage"] is not None and intent["customer"] is not None:
        payment_methods.attach_to(world, payment_method, intent["customer"])
        world.authenticated.add(payment_method["id"])
    charge = charges.make(world, intent, payment_method, None)
    intent.update(
        amount_received=intent["amount"],
        last_payment_error=None,
        latest_charge=charge["id"],
        next_action=None,
        payment_method=payment_method["id"],
        status="succeeded",
    )
    world.emit("payment_intent.succeeded", intent)
    charges.settle(world, charge)
    return intent


def decline(world: World, intent: Json, payment_method: Json, said: Decline) -> Refused:
    """What to raise."""
    charge = charges.make(world, intent, payment_method, said)
    problem: Json = {
        "charge": charge["id"],
        "code": said.code,
        "doc_url": f"https://stripe.com/docs/error-codes/{said.code.replace('_', '-')}",
        "message": cards.message_of(said),
        "payment_method": copy.deepcopy(payment_method),
        "type": "card_error",
    }
    if said.decline_code is not None:
        problem["decline_code"] = said.decline_code
    intent.update(
        last_payment_error=problem,
        latest_charge=charge["id"],
        next_action=None,
        payment_method=None,
        status="requires_payment_method",
    )
    world.emit("payment_intent.payment_failed", intent)
    more = {
        "charge": charge["id"],
        "payment_intent": copy.deepcopy(intent),
        "payment_method": copy.deepcopy(payment_method),
    }
    return card_refused(said.code, said.decline_code, cards.message_of(said), more)


def ask_owner(world: World, intent: Json, return_url: str | None) -> Json:
    address = f"https://hooks.stripe.com/3d_secure_2/{intent['id']}"
    intent.update(
        status="requires_action",
        next_action={
            "redirect_to_url": {"return_url": return_url, "url": address},
            "type": "redirect_to_url",
        }
        if return_url
        else {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect"}},
    )
    world.emit("payment_intent.requires_action", intent)
    return intent


def authenticate(world: World, identifier: str, *, agreed: bool) -> Json:
    """The owner of the card said yes or no to a payment that asked."""
    intent = world.get("payment_intent", identifier)
    if intent["status"] != "requires_action":
        raise _wrong_state(intent, f"This PaymentIntent asks for nothing: it {_past(intent)}.")
    chosen = world.get("payment_method", intent["payment_method"])
    if agreed:
        world.authenticated.add(chosen["id"])
        return succeed(world, intent, chosen)
    intent.update(
        status="requires_payment_method",
        next_action=None,
        payment_method=None,
        last_payment_error={
            "code": "payment_intent_authentication_failure",
            "doc_url": "https://stripe.com/docs/error-codes/payment-intent-authentication-failure",
            "message": "The provided PaymentMethod has failed authentication.",
            "payment_method": copy.deepcopy(chosen),
            "type": "invalid_request_error",
        },
    )
    world.emit("payment_intent.payment_failed", intent)
    return intent


def cancel(world: World, params: Json, identifier: str) -> Json:
    intent = world.get("payment_intent", identifier)
    if intent["status"] not in CANCELLABLE:
        raise _wrong_state(
            intent,
            f"You cannot cancel this PaymentIntent because it has a status of {intent['status']}. Only a PaymentIntent "
            "with one of the following statuses may be canceled: requires_payment_method, requires_capture, "
            "requires_confirmation, requires_action, processing.",
        )
    intent.update(
        status="canceled",
        canceled_at=world.now(),
        cancellation_reason=params.get("cancellation_reason"),
        next_action=None,
    )
    world.emit("payment_intent.canceled", intent)
    return intent


def _past(intent: Json) -> str:
    return "succeeded" if intent["status"] == "succeeded" else f"a status of {intent['status']}"


def _wrong_state(intent: Json, message: str) -> Refused:
    return Refused(
        400,
        "invalid_request_error",
        message,
        code="payment_intent_unexpected_state",
        more={"payment_intent": copy.deepcopy(intent)},
    )


CANCEL: Spec = {
    "cancellation_reason": one_of("duplicate", "fraudulent", "requested_by_customer", "abandoned")
}

ROUTES = (
    # Confirming is in paying.py: the intent may belong to an invoice.
    Route("POST", "/v1/payment_intents", create, CREATE),
    list_of("payment_intent", "/v1/payment_intents", "customer"),
    one_of_kind("payment_intent", "/v1/payment_intents/{id}"),
    Route("POST", "/v1/payment_intents/{id}", update, FIELDS),
    Route("POST", "/v1/payment_intents/{id}/cancel", cancel, CANCEL),
)
