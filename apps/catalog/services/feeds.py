"""Feeds: reading each provider's own list of models into the catalogue.

    refresh("novita") ──► claim ──► fetch ──► read ──► believe? ──► take in ──► who is missing ──► note it down

One refresh of a provider at a time. Whatever goes wrong, the catalogue stays as it was and the feed says why. Nothing is
written to the catalogue when the list is the one of the last time. An entry that cannot be read is left out and counted.
"""

import datetime
import math
import string
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import structlog
from django.conf import settings
from django.db.models import Q

from apps.catalog.models import Feed, Offering, PriceSource, Provider
from apps.catalog.providers.amounts import nano_amounts
from apps.catalog.providers.canonical import canonicalize
from apps.catalog.providers.listed import ListedModel, Listing, read_models
from apps.catalog.providers.listings import LISTINGS, listing_of
from apps.catalog.providers.registry import spec_of
from apps.catalog.providers.spec import ProviderSpec, auth_headers
from apps.catalog.reach import base_url_of, secret_of, why_not_asked
from apps.catalog.services import absence, intake
from apps.catalog.services.fetching import Fetch, ListUnchanged
from apps.catalog.services.json_lists import ListRefused
from apps.catalog.services.offers import Amounts
from apps.common import clock

log = structlog.get_logger(__name__)

CLAIM = datetime.timedelta(minutes=15)
"""A refresh that began longer ago died with its process."""


class Outcome(StrEnum):
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    BUSY = "busy"
    """Another process is at it."""
    SKIPPED = "skipped"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshSummary:
    provider: str
    outcome: Outcome
    reason: str = ""
    """Why it was skipped or failed."""
    listed: int = 0
    priced: int = 0
    added: int = 0
    """New price rows; ``new`` are new offerings."""
    new: int = 0
    withdrawn: int = 0
    restored: int = 0
    quarantined: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Entries that were not taken in, by reason."""


def refresh(slug: str, *, force: bool = False) -> RefreshSummary:
    """Read the provider's list; with ``force`` even when it is the one of the last time. Raises Provider.DoesNotExist."""
    row = Provider.objects.get(slug=slug)
    listing = listing_of(slug)
    reason = why_not_asked(row) or _why_not_listed(slug)
    if listing is None or reason:
        return RefreshSummary(provider=slug, outcome=Outcome.SKIPPED, reason=reason)
    feed, _ = Feed.objects.get_or_create(provider=row)
    if not _claim(feed):
        return RefreshSummary(provider=slug, outcome=Outcome.BUSY)
    try:
        summary = _refresh(row, listing, feed, force=force)
    except ListRefused as error:
        log.warning("catalog.refresh_failed", provider=slug, reason=str(error))
        summary = _failed(feed, str(error))
    except Exception as error:
        # Whatever is wrong with one list: its row and the log say so, and the other providers' are still read.
        log.exception("catalog.refresh_failed", provider=slug)
        summary = _failed(feed, f"Unexpected {type(error).__name__}; the log says where.")
    finally:
        Feed.objects.filter(pk=feed.pk).update(claimed_at=None)
    if summary.outcome is not Outcome.FAILED:
        log.info(
            "catalog.provider_refreshed", provider=slug, outcome=summary.outcome.value, listed=summary.listed,
            added=summary.added, new=summary.new, withdrawn=summary.withdrawn, quarantined=summary.quarantined,
            left_out=dict(summary.left_out),
        )  # fmt: skip
    return summary


def _failed(feed: Feed, reason: str) -> RefreshSummary:
    Feed.objects.filter(pk=feed.pk).update(error=reason[:500])
    return RefreshSummary(provider=str(feed.pk), outcome=Outcome.FAILED, reason=reason)


def due(now: datetime.datetime) -> list[str]:
    """The providers to refresh in this minute, those first that waited longest; so few that an hour's are spread over it."""
    feeds = {feed.provider_id: feed for feed in Feed.objects.all()}
    waiting: list[tuple[datetime.datetime, str]] = []
    each_minute = 0.0
    for row in Provider.objects.filter(enabled=True):
        feed = feeds.get(row.slug) or Feed(provider=row)
        if listing_of(row.slug) is None or not feed.every_minutes or why_not_asked(row):
            continue
        each_minute += 1 / feed.every_minutes
        since = feed.attempted_at or datetime.datetime.min.replace(tzinfo=datetime.UTC)
        if now - since >= datetime.timedelta(minutes=feed.every_minutes):
            waiting.append((since, row.slug))
    return [slug for _, slug in sorted(waiting)][: math.ceil(each_minute)]


def readable() -> set[str]:
    """The providers whose lists can be read now."""
    return {
        row.slug
        for row in Provider.objects.filter(enabled=True)
        if listing_of(row.slug) is not None
        and not (why_not_asked(row) or _why_not_listed(row.slug))
    }


def _why_not_listed(slug: str) -> str:
    listing = LISTINGS.get(slug)
    return (listing.why_none if listing else "no list of its models is known") or ""


def _claim(feed: Feed) -> bool:
    """Whether this process may refresh now: one statement, so that two cannot both."""
    now = clock.now()
    free = Q(claimed_at=None) | Q(claimed_at__lt=now - CLAIM)
    return bool(Feed.objects.filter(free, pk=feed.pk).update(claimed_at=now, attempted_at=now))


def _refresh(row: Provider, listing: Listing, feed: Feed, *, force: bool) -> RefreshSummary:
    spec = spec_of(row.slug, row.wire)
    fetch = Fetch(
        listing=listing,
        url=_url(row, spec, listing),
        headers={**spec.headers, **({} if listing.public else auth_headers(spec.auth, secret_of(row, spec)))},
        etag="" if force else feed.etag,
        content_hash="" if force else feed.content_hash,
    )  # fmt: skip
    known = set(Offering.objects.filter(provider=row).values_list("upstream_model", flat=True))
    try:
        read = _read(row.slug, fetch, known)
    except ListUnchanged:
        return _unchanged(row, feed)
    content_hash = fetch.digest.hexdigest()
    if content_hash == feed.content_hash and not force:
        return _unchanged(row, feed)
    listed = len(read.seen)
    _believe(listing, listed, feed)
    taken = intake.take_in(list(read.found.values()))
    gone = absence.count(row, read.seen, complete=listing.complete)
    Feed.objects.filter(pk=feed.pk).update(
        etag=fetch.etag, content_hash=content_hash, listed=listed, priced=read.priced, refreshed_at=clock.now(), error=""
    )  # fmt: skip
    return RefreshSummary(
        provider=row.slug, outcome=Outcome.UPDATED, listed=listed, priced=read.priced, added=taken.added,
        new=taken.offerings, withdrawn=gone.withdrawn, restored=gone.restored, quarantined=len(taken.quarantined),
        left_out=read.left_out,
    )  # fmt: skip


UNREADABLE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What becomes of taking an entry for what it is not."""


@dataclass(slots=True)
class _Read:
    """What a list says."""

    seen: set[str] = field(default_factory=set)
    """All names in it."""
    found: dict[str, intake.Found] = field(default_factory=dict)
    """By name, the models that matter: what has a price, and what we offer already."""
    priced: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    """Why others do not."""


def _read(slug: str, fetch: Fetch, known: set[str]) -> _Read:
    whole = _Read()
    for entry in fetch.entries():
        try:
            read = list(read_models(fetch.listing, entry))
        except UNREADABLE as error:
            whole.left_out[f"not an entry as the row says ({type(error).__name__})"] += 1
            continue
        for model in read:
            name = model.upstream_model
            whole.seen |= {name, *model.also}
            if model.left_out:
                whole.left_out[model.left_out] += 1
                continue
            is_priced = bool(model.prices or model.free)
            if (is_priced or name in known) and name not in whole.found:
                whole.found[name] = _found(slug, model)
                whole.priced += is_priced
    return whole


def _believe(listing: Listing, listed: int, feed: Feed) -> None:
    """Raises ListRefused for a list that is too short to be the whole one."""
    if listed < listing.expected:
        raise ListRefused(
            f"The list names {listed} models, and at least {listing.expected} are expected."
        )
    if 2 * listed < feed.listed:
        raise ListRefused(
            f"The list names {listed} models, fewer than half of the {feed.listed} before."
        )


def _unchanged(row: Provider, feed: Feed) -> RefreshSummary:
    """What was missing from the list is missing again."""
    withdrawn = absence.count_again(row)
    Feed.objects.filter(pk=feed.pk).update(refreshed_at=clock.now(), error="")
    return RefreshSummary(
        provider=row.slug,
        outcome=Outcome.UNCHANGED,
        listed=feed.listed,
        priced=feed.priced,
        withdrawn=withdrawn,
    )


def _url(row: Provider, spec: ProviderSpec, listing: Listing) -> str:
    if listing.url.startswith("/"):
        return base_url_of(row, spec) + listing.url
    names = {name for _, name, _, _ in string.Formatter().parse(listing.url) if name}
    values = {name: settings.PROVIDER_SECRET(name) for name in names}
    missing = sorted(name for name, value in values.items() if not value)
    if missing:
        raise ListRefused(f"Its address needs {', '.join(missing)}.")
    return listing.url.format_map(values)


MOST_LETTERS = 200
"""Of a model's id, which a vendor's name may make longer than the name at the provider."""


def _found(slug: str, model: ListedModel) -> intake.Found:
    canonical = canonicalize(slug, model.upstream_model, spec_of(slug, "openai_chat").namespace)
    amounts = nano_amounts(model.prices)
    priced = bool(model.prices or model.free) and 0 < len(canonical.id) <= MOST_LETTERS
    return intake.Found(
        source=PriceSource.PROVIDER,
        provider=slug,
        upstream_model=model.upstream_model,
        model_id=canonical.id,
        amounts=Amounts.of_model(canonical.id, amounts) if priced else None,
        name=model.name,
        description=model.description,
        context_length=model.context_length,
        max_output_tokens=model.max_output_tokens,
        input_modalities=model.input_modalities,
        output_modalities=model.output_modalities,
        supported_parameters=model.supported_parameters,
        variant=canonical.variant,
        quantization=canonical.quantization,
        free=model.free,
        zero_is_free=model.zero_is_free,
    )


def refresh_all(slugs: Iterable[str] = (), *, force: bool = False) -> list[RefreshSummary]:
    """One after the other; without names, every provider that can be asked."""
    chosen = list(slugs) or [
        row.slug
        for row in Provider.objects.all()
        if listing_of(row.slug) and not why_not_asked(row)
    ]
    return [refresh(slug, force=force) for slug in chosen]
