"""Notices: what the people of an organisation are told by e-mail, once for each reference.

    notify(…)      writes the notice down, in the transaction of what it is about: nothing is told that did not happen
    send_due()     sends what waits; tried again later and later, and given up after a day

A process that dies between sending and writing that down sends the notice again: twice is better than never.
"""

import datetime

import msgspec
import structlog
from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import transaction
from django.template.loader import render_to_string

from apps.accounts.models import Notice
from apps.accounts.selectors import addresses_of
from apps.common import clock
from apps.common.money import NANO_PER_USD, format_usd

log = structlog.get_logger(__name__)

LEASE = datetime.timedelta(minutes=10)
"""How long a process may take to send what it has taken."""
PAUSES = tuple(datetime.timedelta(minutes=minutes) for minutes in (1, 5, 20, 60, 240, 1080))
AT_ONCE = 100
NANO_PER_CENT = NANO_PER_USD // 100


class LowBalance(msgspec.Struct, frozen=True, tag="low_balance"):
    """The credit fell below what the organisation wants to have."""

    available_nano_usd: int
    threshold_nano_usd: int


class CreditUsedUp(msgspec.Struct, frozen=True, tag="credit_used_up"):
    """Nothing is left: requests are refused."""


class PaymentReceived(msgspec.Struct, frozen=True, tag="payment_received"):
    """A payment became credit."""

    order: str
    paid_cents: int
    fee_cents: int
    credit_nano_usd: int
    receipt_url: str = ""


class PaymentFailed(msgspec.Struct, frozen=True, tag="payment_failed"):
    """A card could not be charged."""

    amount_cents: int
    what_for: str
    """``auto top-up``, ``subscription``."""
    is_given_up: bool = False
    """It will not be tried again by itself."""


class SubscriptionPaid(msgspec.Struct, frozen=True, tag="subscription_paid"):
    """An invoice of a subscription was paid, and its allowance given."""

    plan: str
    paid_cents: int
    allowance_nano_usd: int
    ends_at: datetime.datetime
    """When the allowance expires."""
    invoice: str
    """Its number."""
    invoice_url: str = ""


class SubscriptionEnded(msgspec.Struct, frozen=True, tag="subscription_ended"):
    """The organisation is back on the plan that everybody has."""

    plan: str
    """That has ended."""


class TrialEnding(msgspec.Struct, frozen=True, tag="trial_ending"):
    ends_at: datetime.datetime
    remaining_nano_usd: int


class BudgetReached(msgspec.Struct, frozen=True, tag="budget_reached"):
    subject: str
    """Whose budget it is, as its owner knows it: ``the key build``."""
    window: str
    percent: int
    amount_nano_usd: int
    spent_nano_usd: int
    starts_again_at: datetime.datetime
    is_hard: bool
    """Requests are refused beyond it."""


Facts = (
    LowBalance | CreditUsedUp | PaymentReceived | PaymentFailed
    | SubscriptionPaid | SubscriptionEnded | TrialEnding | BudgetReached
)  # fmt: skip
KINDS: tuple[type[Facts], ...] = (
    LowBalance, CreditUsedUp, PaymentReceived, PaymentFailed,
    SubscriptionPaid, SubscriptionEnded, TrialEnding, BudgetReached,
)  # fmt: skip


def notify(organization_id: int, facts: Facts, *, reference: str) -> bool:
    """Part of the caller's transaction, if any. False when this reference was told before."""
    now = clock.now()
    _, is_new = Notice.objects.get_or_create(
        reference=reference,
        defaults={
            "organization_id": organization_id,
            "kind": str(facts.__struct_config__.tag),
            "facts": msgspec.to_builtins(facts),
            "created_at": now,
            "due_at": now,
        },
    )
    return is_new


def send_due() -> int:
    """Send what waits; how many left."""
    return sum(_send(notice) for notice in _take())


@transaction.atomic
def _take() -> list[Notice]:
    now = clock.now()
    waiting = Notice.objects.select_for_update(skip_locked=True).filter(due_at__lte=now)
    taken = list(waiting.order_by("due_at")[:AT_ONCE])
    Notice.objects.filter(pk__in=[notice.pk for notice in taken]).update(due_at=now + LEASE)
    return taken


def _send(notice: Notice) -> bool:
    to = addresses_of(notice.organization_id)
    error = "" if to else "nobody to write to"
    if to:
        try:
            compose(notice, to).send()
        except Exception as failure:  # noqa: BLE001 - each backend raises its own; it is written down and tried again
            error = f"{type(failure).__name__}: {failure}"[:200]
    pauses = PAUSES[notice.tries :] if to else ()
    now = clock.now()
    notice.tries += 1
    notice.error = error
    notice.sent_at = None if error else now
    notice.due_at = now + pauses[0] if error and pauses else None
    notice.save(update_fields=["tries", "error", "sent_at", "due_at"])
    if error:
        log.warning("notice.failed", kind=notice.kind, tries=notice.tries, error=error)
    return not error


def compose(notice: Notice, to: list[str]) -> EmailMultiAlternatives:
    """The first line of the text is the subject."""
    facts = msgspec.convert(notice.facts, Facts)
    context = {
        **_shown(facts),
        "organization": notice.organization.name,
        "url": settings.PUBLIC_URL,
    }
    text = render_to_string(f"emails/{notice.kind}.txt", context)
    subject, _, body = text.strip().partition("\n")
    mail = EmailMultiAlternatives(subject.strip(), body.strip() + "\n", to=to)
    mail.attach_alternative(render_to_string(f"emails/{notice.kind}.html", context), "text/html")
    return mail


def _shown(facts: Facts) -> dict[str, object]:
    """Money as dollars: ``paid_cents`` and ``credit_nano_usd`` become ``paid`` and ``credit``."""
    shown: dict[str, object] = {}
    for name, value in msgspec.structs.asdict(facts).items():
        if name.endswith("_nano_usd"):
            shown[name.removesuffix("_nano_usd")] = format_usd(value)
        elif name.endswith("_cents"):
            shown[name.removesuffix("_cents")] = format_usd(value * NANO_PER_CENT)
        else:
            shown[name] = value
    return shown
