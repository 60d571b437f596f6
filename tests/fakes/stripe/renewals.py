"""What time does: renewals, ends of trials, second attempts to collect, sessions and subscriptions that expire.

``advance`` stops at every moment at which something is due, in order. A renewal's invoice is finalised and collected at
once, unless the control ``drafts`` says how long it waits; at Stripe that is about an hour.
"""

import copy
from collections.abc import Callable, Iterator

from tests.fakes.stripe import changes, checkout, invoices, paying, periods, standing
from tests.fakes.stripe.errors import Json, bad_parameter
from tests.fakes.stripe.world import World

INCOMPLETE_FOR = 23 * 3600
TELLS_TRIAL_ENDS = 3 * 86_400
RUNNING = ("active", "past_due", "trialing")

Due = tuple[int, Callable[[World, Json], None], Json]


def advance(world: World, until: int) -> None:
    if until < world.now():
        raise bad_parameter("The clock does not go back.", param="advance")
    while (due := min(_due(world), key=lambda one: one[0], default=None)) is not None:
        at, happen, thing = due
        if at > until:
            break
        world.clock.go_to(max(at, world.now()))
        happen(world, thing)
    world.clock.go_to(until)


def _due(world: World) -> Iterator[Due]:
    for subscription in world.all("subscription"):
        if subscription["status"] == "incomplete":
            yield subscription["created"] + INCOMPLETE_FOR, _expire, subscription
        if subscription["status"] in RUNNING:
            end = subscription["items"]["data"][0]["current_period_end"]
            yield end, _end_period, subscription
            if (ends_at := subscription["cancel_at"]) is not None and ends_at < end:
                yield ends_at, _end, subscription
        if subscription["status"] == "trialing" and not _told(world, subscription):
            at = max(subscription["trial_end"] - TELLS_TRIAL_ENDS, subscription["created"])
            yield at, _tell_trial_ends, subscription
    for invoice in world.all("invoice"):
        if invoice["status"] == "open" and invoice["next_payment_attempt"] is not None:
            yield invoice["next_payment_attempt"], _collect_again, invoice
        if invoice["status"] == "draft" and invoice["automatically_finalizes_at"] is not None:
            yield invoice["automatically_finalizes_at"], _finalise, invoice
    for session in world.all("checkout.session"):
        if session["status"] == "open":
            yield session["expires_at"], checkout.expire_session, session


def _told(world: World, subscription: Json) -> bool:
    return bool(world.notes.get(subscription["id"], {}).get("trial_end_told"))


def _tell_trial_ends(world: World, subscription: Json) -> None:
    world.notes.setdefault(subscription["id"], {})["trial_end_told"] = True
    world.emit("customer.subscription.trial_will_end", subscription)


def _expire(world: World, subscription: Json) -> None:
    subscription["ended_at"] = world.now()
    standing.set_status(world, subscription, "incomplete_expired")
    invoice = world.get("invoice", subscription["latest_invoice"])
    if invoice["status"] == "open":
        invoices.void(world, {}, invoice["id"])


def _end(world: World, subscription: Json) -> None:
    standing.end(world, subscription, reason="cancellation_requested")


def _end_period(world: World, subscription: Json) -> None:
    if subscription["cancel_at"] == subscription["items"]["data"][0]["current_period_end"]:
        _end(world, subscription)
        return
    before = copy.deepcopy(subscription)
    items = subscription["items"]["data"]
    started = items[0]["current_period_end"]
    for item in items:
        item["current_period_start"] = started
        item["current_period_end"] = periods.end_of_period(
            subscription["billing_cycle_anchor"], item["price"]["recurring"], start=started
        )
    if subscription["status"] == "trialing":
        subscription["status"] = "active"
    lines = [*invoices.pending_lines(world, subscription), *changes.lines_of_period(world, items)]
    invoice = changes.draft_of(world, subscription, lines, reason="subscription_cycle")
    invoice.update(
        period_start=before["items"]["data"][0]["current_period_start"], period_end=started
    )
    if world.draft_seconds:
        invoice["automatically_finalizes_at"] = world.now() + world.draft_seconds
    else:
        changes.finalise(world, invoice)
    world.emit("customer.subscription.updated", subscription, before=before)
    if invoice["status"] == "open":
        paying.collect(world, invoice)


def _finalise(world: World, invoice: Json) -> None:
    changes.finalise(world, invoice)
    if invoice["status"] == "open":
        paying.collect(world, invoice)


def _collect_again(world: World, invoice: Json) -> None:
    subscription = invoices.subscription_of(invoice)
    if subscription is not None and world.get("subscription", subscription)["ended_at"]:
        invoice["next_payment_attempt"] = None
        return
    paying.collect(world, invoice)
