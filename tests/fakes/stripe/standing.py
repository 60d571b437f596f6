"""What a payment, or its failure, does to a subscription's status.

::

    incomplete ── paid ──▶ active ── failed ──▶ past_due ── paid ──▶ active
         └ not within 23 hours ▶ incomplete_expired     └ last attempt failed ▶ canceled
"""

import copy

from tests.fakes.stripe.errors import Json
from tests.fakes.stripe.world import World

RETRIES_AFTER = (3 * 86_400, 5 * 86_400, 7 * 86_400)
"""Pauses between attempts to collect a renewal; after the last one the subscription ends."""


def set_status(world: World, subscription: Json, status: str) -> None:
    if subscription["status"] == status:
        return
    before = copy.deepcopy(subscription)
    subscription["status"] = status
    world.emit("customer.subscription.updated", subscription, before=before)


def after_payment(world: World, identifier: str) -> None:
    subscription = world.get("subscription", identifier)
    still_open = any(
        invoice["status"] == "open"
        and invoice["parent"] is not None
        and invoice["parent"]["subscription_details"]["subscription"] == identifier
        for invoice in world.all("invoice")
    )
    if subscription["status"] in ("incomplete", "past_due") and not still_open:
        set_status(world, subscription, "active")


def after_failure(world: World, identifier: str, invoice: Json) -> None:
    """Also plans the next attempt, or ends the subscription after the last."""
    subscription = world.get("subscription", identifier)
    if invoice["billing_reason"] == "subscription_create":
        return  # stays incomplete
    attempts = invoice["attempt_count"]
    if attempts > len(RETRIES_AFTER):
        end(world, subscription, reason="payment_failed")
    elif subscription["status"] == "active":
        set_status(world, subscription, "past_due")


def next_attempt(world: World, invoice: Json) -> int | None:
    attempts = invoice["attempt_count"]
    retried = invoice["billing_reason"] in ("subscription_cycle", "subscription_update")
    if not retried or attempts > len(RETRIES_AFTER):
        return None
    return world.now() + RETRIES_AFTER[attempts - 1]


def end(world: World, subscription: Json, *, reason: str, comment: Json | None = None) -> None:
    now = world.now()
    details = {**subscription["cancellation_details"], **(comment or {}), "reason": reason}
    subscription.update(
        status="canceled",
        canceled_at=subscription["canceled_at"] or now,
        ended_at=now,
        cancellation_details=details,
    )
    world.emit("customer.subscription.deleted", subscription)
