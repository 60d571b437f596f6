"""Disputes: a bank opens them (control), evidence is given or not, the bank decides (control)."""

import copy

from tests.fakes.stripe import charges
from tests.fakes.stripe.errors import Json, invalid
from tests.fakes.stripe.reading import Spec, boolean, clearable, group, merged, metadata, text
from tests.fakes.stripe.routing import Route, list_of, one_of_kind
from tests.fakes.stripe.world import World, nulls

FEE = 1500
EVIDENCE_WITHIN = 9 * 86_400
OPEN = ("needs_response", "under_review")
EVIDENCE = (
    "access_activity_log",
    "billing_address",
    "cancellation_policy",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "customer_communication",
    "customer_email_address",
    "customer_name",
    "customer_purchase_ip",
    "customer_signature",
    "duplicate_charge_documentation",
    "duplicate_charge_explanation",
    "duplicate_charge_id",
    "product_description",
    "receipt",
    "refund_policy",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
    "service_documentation",
    "shipping_address",
    "shipping_carrier",
    "shipping_date",
    "shipping_documentation",
    "shipping_tracking_number",
    "uncategorized_file",
    "uncategorized_text",
)
UPDATE: Spec = {
    "evidence": group({name: clearable(text) for name in EVIDENCE}),
    "submit": boolean,
    "metadata": metadata,
}


def open_dispute(world: World, charge: Json, *, amount: int, reason: str) -> Json:
    """The bank takes the money back at once, and a fee."""
    if charge["disputed"]:
        raise invalid(f"Charge {charge['id']} is disputed already.")
    before = copy.deepcopy(charge)
    charge["disputed"] = True
    dispute = world.add(
        {
            "id": world.new_id("du"),
            "object": "dispute",
            "amount": amount,
            "balance_transactions": [],
            "charge": charge["id"],
            "created": world.now(),
            "currency": charge["currency"],
            "enhanced_eligibility_types": [],
            "evidence": {**nulls(*EVIDENCE), "enhanced_evidence": {}},
            "evidence_details": {
                "due_by": world.now() + EVIDENCE_WITHIN,
                "enhanced_eligibility": {},
                "has_evidence": False,
                "past_due": False,
                "submission_count": 0,
            },
            "is_charge_refundable": False,
            "livemode": False,
            "metadata": {},
            "payment_intent": charge["payment_intent"],
            "payment_method_details": {
                "card": {
                    "brand": charge["payment_method_details"]["card"]["brand"],
                    "case_type": "chargeback",
                    "network": charge["payment_method_details"]["card"]["network"],
                    "network_reason_code": "83",
                },
                "type": "card",
            },
            "reason": reason,
            "status": "needs_response",
        }
    )
    world.emit("charge.updated", charge, before=before)
    world.emit("charge.dispute.created", dispute)
    _move(world, dispute, amount=-amount, fee=FEE, category="dispute")
    world.emit("charge.dispute.funds_withdrawn", dispute)
    return dispute


def _move(world: World, dispute: Json, *, amount: int, fee: int, category: str) -> None:
    moved = charges.move_money(
        world, dispute, kind="adjustment", amount=amount, fee=fee, category=category
    )
    dispute["balance_transactions"].append(moved)


def decide(world: World, dispute: Json, *, won: bool) -> Json:
    """A dispute that is won gives the money and the fee back."""
    if dispute["status"] not in OPEN:
        raise invalid(f"This dispute is already closed: {dispute['id']}.")
    before = copy.deepcopy(dispute)
    dispute["status"] = "won" if won else "lost"
    if won:
        _move(world, dispute, amount=dispute["amount"], fee=-FEE, category="dispute_reversal")
        world.emit("charge.dispute.funds_reinstated", dispute)
    world.emit("charge.dispute.closed", dispute, before=before)
    return dispute


def update(world: World, params: Json, identifier: str) -> Json:
    dispute = world.get("dispute", identifier)
    if dispute["status"] not in OPEN:
        raise invalid("This dispute is already closed, so evidence cannot be changed.")
    before = copy.deepcopy(dispute)
    details = dispute["evidence_details"]
    if "evidence" in params:
        dispute["evidence"].update(params["evidence"])
        details["has_evidence"] = any(dispute["evidence"][name] for name in EVIDENCE)
    if "metadata" in params:
        dispute["metadata"] = merged(dispute["metadata"], params["metadata"])
    if params.get("submit", True) and details["has_evidence"]:
        details["submission_count"] += 1
        dispute["status"] = "under_review"
    world.emit("charge.dispute.updated", dispute, before=before)
    return dispute


def give_up(world: World, params: Json, identifier: str) -> Json:
    return decide(world, world.get("dispute", identifier), won=False)


ROUTES = (
    list_of("dispute", "/v1/disputes", "charge", "payment_intent"),
    one_of_kind("dispute", "/v1/disputes/{id}"),
    Route("POST", "/v1/disputes/{id}", update, UPDATE),
    Route("POST", "/v1/disputes/{id}/close", give_up),
)
