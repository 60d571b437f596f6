"""Prices that cannot be: beyond what its kind is sold at, off its provider's others of the kind, off the model's other hosts.

A price that is a thousand times its siblings' was told for a thousand tokens in the place of one for each, or the like:
it is set right where a thousandth of it is near them, else the entry is left out.
"""

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator

from apps.catalog.providers.canonical import same_model_key
from apps.catalog.providers.plausible import beyond_bounds
from seeds.entries import Entry

OUTLIER = 10
FEWEST_OTHERS = 1
FEWEST_SIBLINGS = 3
NEAR = 2
PER_THOUSAND = 1000
ALIKE = frozenset({("embeddings",), ("rerank",), ("moderation",)})
"""Kinds of which one provider's models cost about the same; chat models of one vendor differ a hundredfold."""
MEDIANS = ("input", "output", "images", "seconds")


def plausible(entries: list[Entry], left_out: Counter[str], told: list[str]) -> Iterator[Entry]:
    """The entries without those that cannot cost what they say; ``told`` gets a line for each that was set right or left out."""
    siblings: dict[tuple[str, tuple[str, ...]], list[Entry]] = defaultdict(list)
    for entry in entries:
        siblings[entry.provider, entry.outputs].append(entry)
    for entry in entries:
        others = [one for one in siblings[entry.provider, entry.outputs] if one is not entry]
        reason = beyond_bounds(entry.prices, entry.outputs) or off_its_siblings(entry, others)
        if not reason:
            yield entry
            continue
        if is_near_siblings(entry, others, divided_by=PER_THOUSAND):
            told.append(f"{entry.provider} {entry.upstream}: {reason}; taken as told per thousand")
            yield divided(entry, PER_THOUSAND)
            continue
        told.append(f"{entry.provider} {entry.upstream}: {reason}; left out")
        left_out["a price that its kind never has"] += 1


def off_its_siblings(entry: Entry, others: list[Entry]) -> str:
    if entry.outputs not in ALIKE or len(others) < FEWEST_SIBLINGS:
        return ""
    middle, own = median_of(others, "input"), entry.prices.get("input", 0)
    if not middle or not own or middle / OUTLIER <= own <= middle * OUTLIER:
        return ""
    return "more than ten times off the provider's others of its kind"


def is_near_siblings(entry: Entry, others: list[Entry], *, divided_by: int) -> bool:
    middle = median_of(others, "input")
    own = entry.prices.get("input", 0) / divided_by
    return bool(middle) and middle / NEAR <= own <= middle * NEAR


def divided(entry: Entry, by: int) -> Entry:
    entry.prices = {name: amount // by for name, amount in entry.prices.items()}
    return entry


def median_of(entries: Iterable[Entry], bucket: str) -> float:
    """0 when none has one."""
    amounts = [entry.prices[bucket] for entry in entries if entry.prices.get(bucket)]
    return statistics.median(amounts) if amounts else 0


def without_outliers(
    entries: list[Entry], read_at_run_time: list[Entry], left_out: Counter[str]
) -> Iterator[Entry]:
    """Without prices more than ten times off the median of the other hosts: one of the two is wrong."""
    by_model: dict[str, list[Entry]] = defaultdict(list)
    for entry in (*entries, *read_at_run_time):
        by_model[same_model_key(entry.id)].append(entry)
    for entry in entries:
        others = [
            other
            for other in by_model[same_model_key(entry.id)]
            if other.provider != entry.provider
        ]
        if not entry.variant and any(is_off(entry, others, bucket) for bucket in MEDIANS):
            left_out["more than ten times off the other hosts"] += 1
            continue
        yield entry


def is_off(entry: Entry, others: list[Entry], bucket: str) -> bool:
    middle, own = median_of(others, bucket), entry.prices.get(bucket, 0)
    if len({other.provider for other in others}) < FEWEST_OTHERS or not middle or not own:
        return False
    return not middle / OUTLIER <= own <= middle * OUTLIER
