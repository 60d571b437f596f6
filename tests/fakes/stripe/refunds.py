"""Money given back: whole or in parts, never more than was paid and is not disputed."""

import copy

from tests.fakes.stripe import charges
from tests.fakes.stripe.errors import Json, bad_parameter, invalid
from tests.fakes.stripe.reading import Spec, integer, merged, metadata, one_of, text
from tests.fakes.stripe.routing import PAGING, Route, list_of, one_of_kind
from tests.fakes.stripe.world import World, as_list, nulls, page

CREATE: Spec = {
    "charge": text,
    "payment_intent": text,
    "amount": integer(minimum=1),
    "reason": one_of("duplicate", "fraudulent", "requested_by_customer"),
    "metadata": metadata,
}


def create(world: World, params: Json) -> Json:
    charge = _charge_of(world, params)
    left = charge["amount_captured"] - charge["amount_refunded"]
    amount = params.get("amount", left)
    if charge["refunded"]:
        raise invalid(
            f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded"
        )
    if charge["disputed"]:
        raise invalid(
            f"Charge {charge['id']} has been charged back; cannot issue a refund.",
            code="charge_disputed",
        )
    if amount > left:
        raise invalid(
            f"Refund amount ({_shown(amount)}) is greater than unrefunded amount on charge ({_shown(left)})",
            param="amount",
        )
    refund = world.add(
        {
            "id": world.new_id("re"),
            "object": "refund",
            **nulls("customer_account", "source_transfer_reversal", "transfer_reversal"),
            "amount": amount,
            "balance_transaction": None,
            "charge": charge["id"],
            "created": world.now(),
            "currency": charge["currency"],
            "customer": charge["customer"],
            "destination_details": {
                "card": {
                    "reference_status": "pending",
                    "reference_type": "acquirer_reference_number",
                    "type": "refund",
                },
                "type": "card",
            },
            "metadata": merged({}, params.get("metadata", {})),
            "payment_intent": charge["payment_intent"],
            "payment_method": charge["payment_method"],
            "reason": params.get("reason"),
            "receipt_number": None,
            "status": "succeeded",
        }
    )
    moved = charges.move_money(world, refund, kind="refund", amount=-amount)
    refund["balance_transaction"] = moved["id"]
    before = copy.deepcopy(charge)
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount_captured"]
    world.emit("refund.created", refund)
    world.emit("charge.refunded", charge, before=before)
    return refund


def _charge_of(world: World, params: Json) -> Json:
    if "charge" in params:
        return _paid(world.get("charge", params["charge"], param="charge"))
    if "payment_intent" in params:
        intent = world.get("payment_intent", params["payment_intent"], param="payment_intent")
        if intent["latest_charge"] is None:
            raise invalid(
                f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund.",
                code="payment_intent_unexpected_state",
            )
        return _paid(world.get("charge", intent["latest_charge"]))
    raise bad_parameter(
        "One of the following params should be provided for this request: payment_intent or charge.",
        code="parameter_missing",
        param="charge",
    )


def _paid(charge: Json) -> Json:
    if charge["status"] != "succeeded":
        raise invalid(f"Charge {charge['id']} has not been paid, so it cannot be refunded.")
    return charge


def _shown(cents: int) -> str:
    return f"${cents // 100}.{cents % 100:02}"


def update(world: World, params: Json, identifier: str) -> Json:
    refund = world.get("refund", identifier)
    before = copy.deepcopy(refund)
    refund["metadata"] = merged(refund["metadata"], params.get("metadata", {}))
    world.emit("refund.updated", refund, before=before)
    return refund


def fail(world: World, identifier: str) -> Json:
    """The bank sends the money back, days after the refund: the charge is paid again."""
    refund = world.get("refund", identifier)
    before = copy.deepcopy(refund)
    returned = charges.move_money(
        world, refund, kind="refund_failure", amount=refund["amount"], category="refund_failure"
    )
    refund.update(
        status="failed",
        failure_reason="lost_or_stolen_card",
        failure_balance_transaction=returned["id"],
    )
    charge = world.get("charge", refund["charge"])
    charge["amount_refunded"] -= refund["amount"]
    charge["refunded"] = False
    world.emit("refund.updated", refund, before=before)
    world.emit("refund.failed", refund)
    return refund


def refunds_of(world: World, charge: str) -> list[Json]:
    return [refund for refund in world.all("refund") if refund["charge"] == charge]


def included_refunds(world: World, charge: Json) -> Json:
    rows = refunds_of(world, charge["id"])
    return as_list(rows[::-1], f"/v1/charges/{charge['id']}/refunds")


def list_of_charge(world: World, params: Json, charge: str) -> Json:
    world.get("charge", charge)
    return page(refunds_of(world, charge), params, f"/v1/charges/{charge}/refunds")


ROUTES = (
    Route("POST", "/v1/refunds", create, CREATE),
    list_of("refund", "/v1/refunds", "charge", "payment_intent"),
    one_of_kind("refund", "/v1/refunds/{id}"),
    Route("GET", "/v1/charges/{id}/refunds", list_of_charge, PAGING),
    Route("POST", "/v1/refunds/{id}", update, {"metadata": metadata}),
)
