"""The lock that keeps two workers from choosing probes at once: one row, for as long as a transaction."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction

from apps.monitoring.models import ProbeRound


@contextmanager
def one_round() -> Iterator[ProbeRound]:
    """SQLite, which locks no rows, lets one transaction write at a time."""
    ProbeRound.objects.get_or_create(pk=1)
    with transaction.atomic():
        yield ProbeRound.objects.select_for_update().get(pk=1)
