"""Entries of genai-prices, the package that the gateway reads at run time too: https://github.com/pydantic/genai-prices."""

import datetime
from collections.abc import Iterator

from genai_prices.data_snapshot import get_snapshot

from apps.catalog.models.price import AMOUNTS
from apps.catalog.providers.modalities import modalities_of
from apps.catalog.providers.registry import PROVIDERS
from apps.catalog.providers.spec import NoAuth, ProviderSpec
from apps.catalog.services.price_book import BookEntry, Skipped, read_book
from seeds.entries import BASE_TIER, Entry, LeftOut
from seeds.sources import BOOK, HUGGINGFACE

RETIRED = ("claude-2", "claude-v1", "command-light", "open-mi", "llama-2", "llama-3-")


def book_entries(date: datetime.date) -> Iterator[Entry | LeftOut]:
    now = datetime.datetime.combine(date, datetime.time(), datetime.UTC)
    for provider in get_snapshot().providers:
        host = provider.id.removeprefix(HUGGINGFACE) if provider.id.startswith(HUGGINGFACE) else ""
        slug = "huggingface" if host else BOOK.get(provider.id, "")
        if not slug:
            continue
        spec = ProviderSpec(
            slug=slug, name="", base_url="", auth=NoAuth(), endpoints={}, price_book=provider.id
        )
        for found in read_book(spec, now=now):
            yield (
                LeftOut(found.model, found.reason)
                if isinstance(found, Skipped)
                else _entry(found, slug, host)
            )


def neighbour_entries(date: datetime.date) -> Iterator[Entry]:
    """Of the providers that are read at run time only: to compare prices with, not for the seed."""
    now = datetime.datetime.combine(date, datetime.time(), datetime.UTC)
    for spec in PROVIDERS.values():
        if spec.price_book and spec.price_book not in BOOK:
            for found in read_book(spec, now=now):
                entry = None if isinstance(found, Skipped) else _entry(found, spec.slug, "")
                if isinstance(entry, Entry):
                    yield entry


def _entry(found: BookEntry, slug: str, host: str) -> Entry | LeftOut:
    name = found.upstream_model
    if modalities_of((), (), name) != ("text",):
        return LeftOut(name, "not text: left to the other source")
    if any(name.lower().startswith(retired) for retired in RETIRED):
        return LeftOut(name, "retired")
    told = {bucket: getattr(found.amounts, bucket) for bucket in AMOUNTS}
    if not any(told.values()):
        return LeftOut(name, "no price")
    entry = Entry(
        provider=slug,
        upstream=f"{name}:{host}" if host else name,
        name=found.name,
        context=found.context_length,
        prices={bucket: amount for bucket, amount in told.items() if amount},
        note=BASE_TIER if found.amounts.tiers else "",
    )
    return entry if entry.id else LeftOut(name, "nothing tells whose model it is")
