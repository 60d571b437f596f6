"""Differences: what a price that was found would change of the one in force, number by number. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from apps.catalog.models import WORDS


@dataclass(frozen=True, slots=True)
class Difference:
    """Nano-USD; None where there is no such number, because there is no such tier."""

    above: int
    """Of the tier: the input tokens that a request has more than; 0 below all tiers."""
    bucket: str
    former: int | None
    found: int | None

    @property
    def name(self) -> str:
        return f"{self.bucket} above {self.above:,}" if self.above else self.bucket

    @property
    def words(self) -> str:
        """As staff read it."""
        name = WORDS[self.bucket]
        return f"{name}, above {self.above:,} input tokens" if self.above else name

    @property
    def ratio(self) -> float | None:
        """What was found to what was before; None where one of them is nothing."""
        return self.found / self.former if self.former and self.found else None


def differences(former: Mapping[str, Any] | None, found: Mapping[str, Any]) -> Iterator[Difference]:
    """Of two prices as a proposal keeps them; what is the same is left out."""
    before, now = _by_tier(former or {}), _by_tier(found)
    for above in sorted({*before, *now}):
        old, new = before.get(above, {}), now.get(above, {})
        for bucket in WORDS:
            if old.get(bucket) != new.get(bucket) and (old.get(bucket) or new.get(bucket)):
                yield Difference(above, bucket, old.get(bucket), new.get(bucket))


def _by_tier(price: Mapping[str, Any]) -> dict[int, Mapping[str, int]]:
    return {0: price, **{tier["above"]: tier for tier in price.get("tiers") or ()}}
