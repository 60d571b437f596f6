"""Totals: what probes have come to since the beginning, by provider, tier and result."""

from collections import Counter
from collections.abc import Iterable

from django.db.models import F

from apps.monitoring.models import ProbeTotal

Entry = tuple[str, str, str, int]
"""Provider, tier, result, and what it cost in nano-USD."""


def count(entries: Iterable[Entry]) -> None:
    numbers: Counter[tuple[str, str, str]] = Counter()
    costs: Counter[tuple[str, str, str]] = Counter()
    for provider, tier, result, cost in entries:
        numbers[provider, tier, result] += 1
        costs[provider, tier, result] += cost
    for provider, tier, result in sorted(numbers):
        row, _ = ProbeTotal.objects.get_or_create(provider=provider, tier=tier, result=result)
        ProbeTotal.objects.filter(pk=row.pk).update(
            number=F("number") + numbers[provider, tier, result],
            cost=F("cost") + costs[provider, tier, result],
        )
