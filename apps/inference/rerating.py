"""Re-rating: what requests of a period cost by the prices and terms that are said to have been in force, and the entries that mend it.

A record names the price row, the mark-up, the terms and the share that it was charged by. From these its cost must come out again; one
whose cost does not is left alone and reported. Then the same usage is rated by the row and the terms that were in force when the
request began, as the tables say now. The provider's mark-up and the share stay what they were: they have no dates.
"""

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from django.conf import settings
from django.db.models import Q, QuerySet
from msgspec.structs import replace

from apps.billing.selectors import credit_of
from apps.billing.services import ledger_rerate, rating
from apps.billing.services.ledger_rerate import Adjustment, Booked
from apps.catalog.history import PriceHistory, read_history
from apps.common.usage import NOTHING, WHOLE_BP, Rates, Usage
from apps.inference.models import RequestRecord

CHUNK = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """The requests to look at: those that ended from ``since`` on and before ``until``."""

    since: datetime.datetime
    until: datetime.datetime
    provider: str = ""
    model: str = ""
    organization_id: int | None = None


class Verdict(StrEnum):
    UNCHANGED = "unchanged"
    REFUNDED = "refunded"
    CHARGED = "charged"
    NOT_CHARGED = "not charged"
    """It cost too little, and nobody said that this may be charged."""
    NOT_PROVABLE = "not provable"
    """Its cost does not come out of what its record names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rerated:
    """One request. Money is nano-USD."""

    request_id: str
    organization_id: int
    created_at: datetime.datetime
    provider: str
    model: str
    verdict: Verdict
    price_before: int
    price_now: int | None
    terms_before: int
    terms_now: int
    cost_before: int
    cost_now: int
    adjustment: Adjustment


def rerate(period: Period, *, may_charge: bool = False, dry_run: bool = False) -> Iterator[Rerated]:
    """Each request of the period, mended before it is told unless it is a dry run. Safe to repeat: what is right stays."""
    for batch in _batches(period):
        history = read_history({record.price_id for record in batch if record.price_id})
        booked = ledger_rerate.booked_for([record.id for record in batch])
        for record in batch:
            if record.price_id in history.rows:
                yield _rerate(record, history, booked[record.id], may_charge, dry_run)


def _batches(period: Period) -> Iterator[list[RequestRecord]]:
    """Each read by itself, so that nothing stays open while entries are written."""
    rows = _records(period)
    batch = list(rows[:CHUNK])
    while batch:
        yield batch
        last = batch[-1]
        after = Q(created_at__gt=last.created_at) | Q(created_at=last.created_at, pk__gt=last.pk)
        batch = list(rows.filter(after)[:CHUNK])


def has_answered(*, provider: str = "", model: str = "") -> bool:
    """Whether there is any request that this provider, or this model, has answered."""
    rows = RequestRecord.objects.all()
    rows = rows.filter(provider=provider) if provider else rows
    return (rows.filter(model=model) if model else rows).exists()


def _records(period: Period) -> QuerySet[RequestRecord]:
    rows = RequestRecord.objects.filter(
        created_at__gte=period.since, created_at__lt=period.until, price_id__isnull=False
    )
    if period.provider:
        rows = rows.filter(provider=period.provider)
    if period.model:
        rows = rows.filter(model=period.model)
    if period.organization_id is not None:
        rows = rows.filter(organization_id=period.organization_id)
    return rows.order_by("created_at", "pk")


def _rerate(
    record: RequestRecord, history: PriceHistory, booked: Booked, may_charge: bool, dry_run: bool
) -> Rerated:
    assert record.price_id is not None
    usage = usage_of(record)
    applied = _applied(record, history)
    began = record.created_at - datetime.timedelta(milliseconds=record.latency_ms)
    price_now = history.in_force(record.price_id, began)
    terms_now = 0
    if not record.is_byok:
        terms_now = history.agreed(
            record.organization_id, provider=record.provider, model_id=record.model, at=began
        )
    cost_now, adjustment = booked.cost, Adjustment(booked.cost)
    if price_now is None or _cost(usage, applied) != record.cost:
        verdict = Verdict.NOT_PROVABLE
    else:
        rates = history.rates(price_now, markup_ppm=applied.markup_ppm, terms_bp=terms_now)
        cost_now = _cost(usage, replace(rates, share_bp=applied.share_bp))
        adjustment = _mend(record, booked, cost_now, price_now, may_charge, dry_run)
        verdict = _verdict(cost_now, adjustment)
    return Rerated(
        request_id=record.id,
        organization_id=record.organization_id,
        created_at=record.created_at,
        provider=record.provider,
        model=record.model,
        verdict=verdict,
        price_before=record.price_id,
        price_now=price_now,
        terms_before=applied.terms_bp,
        terms_now=terms_now,
        cost_before=adjustment.before,
        cost_now=cost_now,
        adjustment=adjustment,
    )


def usage_of(record: RequestRecord) -> Usage:
    """What was billed."""
    return Usage(
        input=record.input_tokens,
        cache_read=record.cache_read_tokens,
        cache_write_5m=record.cache_write_5m_tokens,
        cache_write_1h=record.cache_write_1h_tokens,
        output=record.output_tokens,
        reasoning=record.reasoning_tokens,
        audio_input=record.audio_input_tokens,
        audio_output=record.audio_output_tokens,
        images=record.images,
        characters=record.characters,
        seconds=record.seconds,
        searches=record.searches,
    )


def _applied(record: RequestRecord, history: PriceHistory) -> Rates:
    """The rates that the record names; of one from before it named them all, those that held for everybody."""
    assert record.price_id is not None
    markup, share = record.markup_ppm, record.share_bp
    if markup is None:
        markup = history.markups.get(record.provider, 0)
    if share is None:
        share = settings.BYOK_FEE_BP if record.is_byok else WHOLE_BP
    rates = history.rates(record.price_id, markup_ppm=markup, terms_bp=record.terms_bp or 0)
    return replace(rates, share_bp=share)


def _cost(usage: Usage, rates: Rates) -> int:
    """As a settlement computes it."""
    return 0 if usage == NOTHING else rating.cost(usage, rates).total


def _mend(
    record: RequestRecord,
    booked: Booked,
    cost: int,
    price_id: int,
    may_charge: bool,
    dry_run: bool,
) -> Adjustment:
    if cost == booked.cost:
        return Adjustment(booked.cost)
    if dry_run:
        available = credit_of(record.organization_id).available
        return ledger_rerate.foresee(booked, cost=cost, may_charge=may_charge, available=available)
    return ledger_rerate.rerate(
        record.id,
        record.organization_id,
        cost=cost,
        price_id=price_id,
        may_charge=may_charge,
        memo=f"Re-rated: price row {record.price_id} then, {price_id} now",
    )


def _verdict(cost: int, adjustment: Adjustment) -> Verdict:
    if adjustment.difference:
        return Verdict.REFUNDED if adjustment.difference < 0 else Verdict.CHARGED
    return Verdict.UNCHANGED if cost == adjustment.before else Verdict.NOT_CHARGED


def columns(found: Rerated) -> Sequence[tuple[str, object]]:
    """A line of the report."""
    booked = found.adjustment
    return (
        ("request", found.request_id),
        ("organization", found.organization_id),
        ("ended_at", found.created_at.isoformat()),
        ("provider", found.provider),
        ("model", found.model),
        ("verdict", found.verdict.value),
        ("price_before", found.price_before),
        ("price_now", found.price_now),
        ("terms_bp_before", found.terms_before),
        ("terms_bp_now", found.terms_now),
        ("cost_nano_usd_before", found.cost_before),
        ("cost_nano_usd_now", found.cost_now),
        ("refunded_nano_usd", booked.refunded),
        ("charged_nano_usd", booked.charged),
        ("written_off_nano_usd", booked.written_off),
    )
