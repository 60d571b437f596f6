"""Jobs of the billing app."""

import structlog
from celery import shared_task

from apps.billing.services import (
    auto_top_up,
    budgets,
    credit_watch,
    inbox,
    ledger,
    mirror,
    referrals,
    sweep,
)
from apps.billing.services.verification import verify
from apps.common import clock
from apps.common.money import format_usd

log = structlog.get_logger(__name__)


@shared_task
def verify_ledger() -> None:
    """Nightly proof of the books; an unsound ledger is an error that Sentry reports."""
    found = verify()
    if found.is_sound:
        log.info("ledger.sound", entries=found.entries, open_holds=found.open_holds)
    else:
        log.error("ledger.unsound", problems=found.problems)


@shared_task
def expire_credit() -> None:
    """Take back what was not used in time."""
    if expired := ledger.expire_credit(clock.now()):
        log.info("ledger.credit_expired", amount=format_usd(expired))


@shared_task
def watch_credit() -> None:
    """Tell those whose credit is low."""
    if told := credit_watch.watch():
        log.info("credit.low", organizations=told)


@shared_task
def give_referral_credit() -> None:
    """Usually there is nothing left to give or take: it is done when the purchase, or its refund, is committed."""
    if given := referrals.give_earned():
        log.warning("referrals.given_late", number=given)
    if taken := referrals.take_forfeited():
        log.warning("referrals.taken_late", number=taken)


@shared_task
def tell_budget_alerts() -> None:
    """Say once of each budget's window that it has reached a percentage."""
    for told in budgets.tell_alerts(clock.now()):
        log.warning(
            "budget.alert",
            budget=told.budget.pk,
            organization=told.budget.organization_id,
            percent=told.percent,
            spent=format_usd(told.spent),
            amount=format_usd(told.budget.amount),
        )


@shared_task
def mirror_stripe_event(event_id: str) -> None:
    """Show staff the object as Stripe has it. Nothing depends on it, so a failure is only told."""
    if found := inbox.object_of(event_id):
        mirror.update(found)


@shared_task
def sweep_payments() -> None:
    """Webhooks that failed or whose process died; orders, subscriptions and refunds that nobody told us of."""
    for event_id in inbox.due_events():
        if inbox.process(event_id):
            mirror_stripe_event.delay(event_id)
    sweep.compare_open_orders()
    sweep.compare_subscriptions()
    sweep.send_waiting_refunds()


@shared_task
def top_up() -> None:
    """Buy credit for those who want it bought when little is left."""
    auto_top_up.charge_due()
