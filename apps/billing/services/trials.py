"""Trials: credit for a few days, one per organisation and per verified identity.

    start     the terms in force, for the organisation whose owner has a verified mailbox of their own
    give      one that ends when its credit is used up, or after so many days
    review    what was used, and the end when that is too much or the time is over; a job of every minute calls it
    end       takes back what is left of the credit: its lot expires now
    extend    the same trial, some days longer

A request never asks about a trial. Its credit is what limits it; the job takes that away.
"""

import datetime
from dataclasses import dataclass

from django.db import IntegrityError, transaction

from apps.accounts import notices
from apps.accounts.identities import identity_of, is_disposable
from apps.accounts.notices import TrialEnding
from apps.accounts.selectors import owner_of
from apps.billing.models import PartnerOffer, Trial, TrialEnd, TrialTerms
from apps.billing.selectors import expiring_credit
from apps.billing.services import ledger
from apps.common import clock
from apps.common.errors import InvalidRequest, TrialRefused

STANDARD = "standard"
NO_LIMIT = 2**31 - 1
"""Of tokens and requests: the credit is used up long before."""
LONGEST_EXTENSION_DAYS = 365
REMINDER = datetime.timedelta(days=1)
"""How long before its end the people of the organisation are told."""


@dataclass(frozen=True, slots=True)
class Running:
    """A trial to be reviewed."""

    id: int
    organization_id: int
    started_at: datetime.datetime


def start(organization_id: int) -> Trial:
    """A trial under the standard terms. Raises TrialRefused."""
    terms = TrialTerms.objects.filter(pk=STANDARD, is_offered=True).first()
    if terms is None:
        raise TrialRefused("No trial is offered at the moment.", code="permission_denied")
    return begin(organization_id, terms=terms)


def give(organization_id: int, *, name: str, credit: int, days: int) -> Trial:
    """``credit`` in nano-USD. Raises TrialRefused."""
    terms = TrialTerms(slug=name, days=days, credit=credit, tokens=NO_LIMIT, requests=NO_LIMIT)
    return begin(organization_id, terms=terms)


@transaction.atomic
def begin(organization_id: int, *, terms: TrialTerms, offer: PartnerOffer | None = None) -> Trial:
    """A trial under these terms, with its credit. Raises TrialRefused; then nothing is written."""
    now = clock.now()
    trial = Trial(
        organization_id=organization_id,
        identity=_verified_identity(organization_id),
        offer=offer,
        credit=terms.credit,
        tokens=terms.tokens,
        requests=terms.requests,
        started_at=now,
        ends_at=now + datetime.timedelta(days=terms.days),
    )
    try:
        with transaction.atomic():
            trial.save(force_insert=True)
    except IntegrityError as error:
        raise _had_one() from error
    is_new = ledger.grant_promo(
        organization_id,
        amount=trial.credit,
        reference=trial.reference,
        memo=f"Trial credit ({terms.slug})",
        expires_at=trial.ends_at,
    )
    if not is_new:
        raise _had_one()
    return trial


def running() -> list[Running]:
    rows = Trial.objects.filter(ended_at=None).order_by("pk")
    return [Running(*row) for row in rows.values_list("pk", "organization_id", "started_at")]


@transaction.atomic
def review(trial_id: int, *, tokens: int, requests: int) -> TrialEnd | None:
    """Write down what has been used since the trial began. Why it ends with that; None while it goes on, or had ended."""
    trial = Trial.objects.select_for_update().get(pk=trial_id)
    if trial.ended_at is not None:
        return None
    trial.tokens_used, trial.requests_used = tokens, requests
    trial.save(update_fields=["tokens_used", "requests_used", "updated_at"])
    now = clock.now()
    if trial.ends_at <= now:
        reason = TrialEnd.TIME
    elif tokens >= trial.tokens:
        reason = TrialEnd.TOKENS
    elif requests >= trial.requests:
        reason = TrialEnd.REQUESTS
    else:
        if trial.ends_at - now < REMINDER:
            _remind(trial)
        return None
    _end(trial, reason, now)
    return reason


def _remind(trial: Trial) -> None:
    left = sum(
        lot.amount
        for lot in expiring_credit(trial.organization_id)
        if lot.reference == trial.reference
    )
    if left:
        notices.notify(
            trial.organization_id,
            TrialEnding(ends_at=trial.ends_at, remaining_nano_usd=left),
            reference=f"trial-ending:{trial.pk}",
        )


@transaction.atomic
def end(trial_id: int) -> Trial:
    """Ended by staff. Raises InvalidRequest when it has ended."""
    trial = _lock_running(trial_id)
    _end(trial, TrialEnd.STAFF, clock.now())
    return trial


@transaction.atomic
def extend(trial_id: int, *, days: int) -> Trial:
    """So many days more. Raises InvalidRequest when it has ended, or for no days."""
    if not 1 <= days <= LONGEST_EXTENSION_DAYS:
        raise InvalidRequest(
            f"'days' must be from 1 to {LONGEST_EXTENSION_DAYS}.",
            param="days",
            code="invalid_value",
        )
    trial = _lock_running(trial_id)
    trial.ends_at += datetime.timedelta(days=days)
    trial.save(update_fields=["ends_at", "updated_at"])
    ledger.move_expiry(trial.organization_id, reference=trial.reference, expires_at=trial.ends_at)
    return trial


def _lock_running(trial_id: int) -> Trial:
    trial = Trial.objects.select_for_update().get(pk=trial_id)
    if trial.ended_at is not None or trial.ends_at <= clock.now():
        raise InvalidRequest("This trial has ended.", param="id", code="invalid_value")
    return trial


def _end(trial: Trial, reason: TrialEnd, now: datetime.datetime) -> None:
    trial.ended_at, trial.end_reason = min(now, trial.ends_at), reason
    trial.save(update_fields=["ended_at", "end_reason", "updated_at"])
    # What requests under way have on hold is taken when they are done, by the job that expires credit.
    ledger.move_expiry(trial.organization_id, reference=trial.reference, expires_at=trial.ended_at)


def _verified_identity(organization_id: int) -> str:
    """Of the organisation's owner. Raises TrialRefused when there is none, or not a lasting one."""
    owner = owner_of(organization_id)
    if owner is None or not owner.is_verified:
        raise TrialRefused(
            "A trial needs an owner whose e-mail address is verified. Verify it and ask again.",
            code="email_not_verified",
        )
    if is_disposable(owner.email):
        raise TrialRefused(
            "Addresses of this e-mail domain get no trial. Use a lasting address of your own.",
            code="email_not_allowed",
        )
    return identity_of(owner.email)


def _had_one() -> TrialRefused:
    return TrialRefused(
        "There was a trial before, of this organisation or of its owner; everybody gets one.",
        code="trial_already_used",
    )
