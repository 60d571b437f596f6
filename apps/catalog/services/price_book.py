"""Reading the price book that ships as a package (genai-prices): one typed entry per model that we could offer.

The book says dollars per million tokens as ``Decimal``; they become nano-USD exactly. Left out, because a price that
we cannot bill right is worse than none: entries without both token prices, with tokens of another kind (audio,
image), with prices that depend on the time of day, deprecated ones, and what the provider's row says to skip.
The book has one kind of tiers, whoever the provider is: once a request has more input than a tier's ``start``, cached or not,
all of its tokens cost what the tier says (``genai_prices.types.calc_unit_price``).
"""

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from fnmatch import fnmatchcase

from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import (
    ClauseEquals,
    ClauseOr,
    ModelInfo,
    ModelPrice,
    TieredPrices,
    TimeOfDateConstraint,
)

from apps.catalog.models import TIER_PRICES
from apps.catalog.providers.canonical import canonicalize
from apps.catalog.providers.spec import ProviderSpec
from apps.catalog.services.offers import Amounts, TierAmounts
from apps.catalog.snapshots import DATED
from apps.common.money import divide_half_up, usd_to_nano

BILLABLE = frozenset(
    {
        "input_mtok",
        "output_mtok",
        "cache_read_mtok",
        "cache_write_mtok",
        "cache_write_5m_mtok",
        "cache_write_1h_mtok",
        "output_reasoning_mtok",
        "requests_kcount",
        "web_searches_kcount",
        # The price of a tool that is refused (apps.inference.extras).
        "storage_searches_kcount",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BookEntry:
    upstream_model: str
    name: str
    description: str
    context_length: int | None
    amounts: Amounts


@dataclass(frozen=True, slots=True)
class Skipped:
    model: str
    reason: str


def read_book(spec: ProviderSpec, *, now: datetime.datetime) -> Iterator[BookEntry | Skipped]:
    """The provider's entries with the price in force ``now``; a dated release that shares a price is an entry too."""
    for provider in get_snapshot().providers:
        if provider.id != spec.price_book:
            continue
        for model in provider.models:
            yield from _entries(model, spec, now=now)


def _entries(
    model: ModelInfo, spec: ProviderSpec, *, now: datetime.datetime
) -> Iterator[BookEntry | Skipped]:
    reason = _why_skipped(model)
    prices = None if reason else model.get_prices(now)
    if prices is not None:
        reason = _why_not_billable(prices)
    for upstream_model in _names(model, spec):
        skipped = reason or _why_skipped_by_name(upstream_model, spec)
        if skipped or prices is None:
            yield Skipped(upstream_model, skipped)
            continue
        model_id = canonicalize(spec.slug, upstream_model, spec.namespace).id
        yield BookEntry(
            upstream_model=upstream_model,
            name=(model.name or "") if upstream_model == model.id else "",
            description=model.description or "",
            context_length=model.context_window or None,
            amounts=amounts_of(prices, model_id),
        )


def _names(model: ModelInfo, spec: ProviderSpec) -> list[str]:
    """The entry's id and, at a vendor, its dated releases. Other names that the book matches are spellings, not ids."""
    clauses = model.match.or_ if isinstance(model.match, ClauseOr) else [model.match]
    exact = [clause.equals for clause in clauses if isinstance(clause, ClauseEquals)]
    dated = [name for name in exact if spec.namespace and DATED.search(name)]
    return list(dict.fromkeys([model.id, *dated]))


def _why_skipped(model: ModelInfo) -> str:
    if model.deprecated:
        return "deprecated"
    if isinstance(model.prices, list):
        if not model.prices:
            return "no price"
        if any(isinstance(price.constraint, TimeOfDateConstraint) for price in model.prices):
            return "priced by the time of day"
    return ""


def _why_skipped_by_name(upstream_model: str, spec: ProviderSpec) -> str:
    if any(fnmatchcase(upstream_model, glob) for glob in spec.price_book_skip):
        return "the provider's row skips it"
    return ""


def _why_not_billable(prices: ModelPrice) -> str:
    known = {name for name, value in vars(prices).items() if value is not None}
    if not {"input_mtok", "output_mtok"} <= known:
        return "no price for both input and output tokens"
    foreign = sorted(known - BILLABLE)
    return f"also priced by {', '.join(foreign)}" if foreign else ""


def amounts_of(prices: ModelPrice, model_id: str) -> Amounts:
    """Raises CatalogError for tiers that make no sense."""
    base = _at(prices, model_id, 0)
    starts = {
        tier.start
        for value in vars(prices).values()
        if isinstance(value, TieredPrices)
        for tier in value.tiers
    }
    return base.with_tiers(
        TierAmounts(
            above=start,
            **{name: getattr(_at(prices, model_id, start + 1), name) for name in TIER_PRICES},
        )
        for start in sorted(starts)
    )


def _at(prices: ModelPrice, model_id: str, input_tokens: int) -> Amounts:
    """What a request with so much input is rated by."""
    found = {
        name: usd_to_nano(_reached(value, input_tokens))
        for name, value in vars(prices).items()
        if isinstance(value, Decimal | TieredPrices)
    }
    told = {
        "input": found["input_mtok"],
        "output": found["output_mtok"],
        "cache_read": found.get("cache_read_mtok"),
        "cache_write_5m": found.get("cache_write_5m_mtok", found.get("cache_write_mtok")),
        "cache_write_1h": found.get("cache_write_1h_mtok"),
        "reasoning": found.get("output_reasoning_mtok"),
        "request": divide_half_up(found.get("requests_kcount", 0), 1000),
        "searches": divide_half_up(found.get("web_searches_kcount", 0), 1000),
    }
    return Amounts.of_model(model_id, told)


def _reached(value: Decimal | TieredPrices, input_tokens: int) -> Decimal:
    if isinstance(value, Decimal):
        return value
    reached = [tier.price for tier in value.tiers if input_tokens > tier.start]
    return reached[-1] if reached else value.base
