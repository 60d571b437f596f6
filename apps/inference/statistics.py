"""Statistics: what providers and models have done lately, from the request records. Public: only counts and times.

One query for everything, at most every ``TRUST_SECONDS`` in a process. Percentiles are nearest-rank, so they are times that some request
really took: its rank among a provider's is compared with the number of them, and the smallest at or beyond the wanted rank is it.
"""

import datetime
import threading
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from django.db import DatabaseError, connection

from apps.catalog.directory import refresh_times
from apps.common import clock
from apps.common.db import is_postgresql
from apps.inference.faults import FaultKind
from apps.inference.models import Outcome

TRUST_SECONDS = 60.0

Window = Literal["1h", "24h", "7d"]
WINDOWS: dict[Window, datetime.timedelta] = {
    "1h": datetime.timedelta(hours=1),
    "24h": datetime.timedelta(hours=24),
    "7d": datetime.timedelta(days=7),
}

EACH_ATTEMPT = {
    True: "jsonb_array_elements(seen.attempts) AS attempt(value)",
    False: "json_each(seen.attempts) AS attempt",
}
"""On PostgreSQL, and on SQLite."""
SPANS = " UNION ALL ".join(f"SELECT '{window}' AS span, %s AS since" for window in WINDOWS)
INPUT = "input_tokens + cache_read_tokens + cache_write_5m_tokens + cache_write_1h_tokens + audio_input_tokens"
OUTPUT = "output_tokens + reasoning_tokens + audio_output_tokens"


def _rank(column: str, percent: int) -> str:
    reached = f"{column}_rank * 100 >= {percent} * {column}_count"
    return f"MIN(CASE WHEN completed = 1 AND {reached} THEN {column} END)"


QUERY = f"""
WITH spans AS ({SPANS}),
seen AS (
    SELECT span, provider, model, price_id, outcome, attempts, first_token_ms, latency_ms,
           CASE WHEN outcome = '{Outcome.COMPLETED.value}' THEN 1 ELSE 0 END AS completed,
           {INPUT} AS input, {OUTPUT} AS output
    FROM spans JOIN inference_requestrecord ON created_at > since
    WHERE provider <> ''
),
ranked AS (
    SELECT seen.*,
           ROW_NUMBER() OVER (PARTITION BY span, provider, completed, first_token_ms IS NULL
                              ORDER BY first_token_ms) AS first_token_ms_rank,
           COUNT(first_token_ms) OVER (PARTITION BY span, provider, completed) AS first_token_ms_count,
           ROW_NUMBER() OVER (PARTITION BY span, provider, completed ORDER BY latency_ms) AS latency_ms_rank,
           COUNT(*) OVER (PARTITION BY span, provider, completed) AS latency_ms_count
    FROM seen
)
SELECT span, provider, model, COUNT(*), SUM(input), SUM(output),
       SUM(CASE WHEN price_id IS NULL THEN 0 ELSE completed END),
       SUM(CASE WHEN price_id IS NULL THEN 0 ELSE completed * (input + output) END),
       {_rank("first_token_ms", 50)}, {_rank("first_token_ms", 95)},
       {_rank("latency_ms", 50)}, {_rank("latency_ms", 95)}, 0, 0
FROM ranked GROUP BY span, provider, model
UNION ALL
SELECT span, attempt.value ->> 'provider', '', 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL,
       SUM(CASE WHEN attempt.value ->> 'fault' = '' THEN completed ELSE 0 END),
       SUM(CASE WHEN attempt.value ->> 'fault' IN ('', '{FaultKind.REJECTED.value}') THEN 0 ELSE 1 END)
FROM seen CROSS JOIN {{each_attempt}} GROUP BY 1, 2
"""  # noqa: S608 - built from the constants above


class Row(NamedTuple):
    """A line of the query: a model's part in what a provider did."""

    window: str
    provider: str
    model: str
    requests: int
    input_tokens: int
    output_tokens: int
    paid_requests: int
    paid_tokens: int
    first_token_p50: int | None
    first_token_p95: int | None
    latency_p50: int | None
    latency_p95: int | None
    answered: int
    failed: int


@dataclass(slots=True)
class ModelCount:
    """Answers in full that somebody paid for; what test keys ask for is left out."""

    requests: int = 0
    tokens: int = 0

    def add(self, requests: int, tokens: int) -> None:
        self.requests += requests
        self.tokens += tokens


@dataclass(slots=True)
class ProviderCount:
    """What a provider did in a window. Times are milliseconds of its full answers, as their clients waited."""

    requests: int = 0
    """Those that it answered, or was the last to be asked for."""
    input_tokens: int = 0
    output_tokens: int = 0
    first_token_p50: int | None = None
    first_token_p95: int | None = None
    latency_p50: int | None = None
    latency_p95: int | None = None
    answered: int = 0
    """Calls that ended in a full answer, and ``failed`` ones that did not by the provider's fault."""
    failed: int = 0
    models: dict[str, ModelCount] = field(default_factory=dict)

    @property
    def success_rate(self) -> float | None:
        calls = self.answered + self.failed
        return self.answered / calls if calls else None

    @property
    def error_rate(self) -> float | None:
        calls = self.answered + self.failed
        return self.failed / calls if calls else None

    def add(self, row: Row) -> None:
        for name in ("requests", "input_tokens", "output_tokens", "answered", "failed"):
            setattr(self, name, getattr(self, name) + int(getattr(row, name)))
        for name in ("first_token_p50", "first_token_p95", "latency_p50", "latency_p95"):
            # Ranks are among all of the provider's answers, so the least over its models is the provider's.
            known = [time for time in (getattr(self, name), getattr(row, name)) if time is not None]
            setattr(self, name, min(known, default=None))
        if row.paid_requests:
            self.models[row.model] = ModelCount(int(row.paid_requests), int(row.paid_tokens))


@dataclass(frozen=True, slots=True, eq=False)
class Statistics:
    as_of: datetime.datetime
    providers: Mapping[tuple[str, str], ProviderCount]
    """By window and slug."""
    refreshed_at: Mapping[str, datetime.datetime]
    """When a provider's own list of models was last read and believed."""

    def of(self, window: str, provider: str) -> ProviderCount:
        return self.providers.get((window, provider)) or ProviderCount()

    def models(self, window: str, *, without: Collection[str]) -> dict[str, ModelCount]:
        """Over all providers but these."""
        total: dict[str, ModelCount] = defaultdict(ModelCount)
        for (found, provider), count in self.providers.items():
            if found != window or provider in without:
                continue
            for model, part in count.models.items():
                total[model].add(part.requests, part.tokens)
        return dict(total)


def load_statistics() -> Statistics:
    now = clock.now()
    providers: dict[tuple[str, str], ProviderCount] = defaultdict(ProviderCount)
    for row in _read(now):
        providers[row.window, row.provider].add(row)
    return Statistics(now, dict(providers), refresh_times())


def _read(now: datetime.datetime) -> list[Row]:
    since = [connection.ops.adapt_datetimefield_value(now - length) for length in WINDOWS.values()]
    with connection.cursor() as cursor:
        cursor.execute(QUERY.format(each_attempt=EACH_ATTEMPT[is_postgresql()]), since)
        return [Row(*values) for values in cursor.fetchall()]


class Recent:
    """The statistics, read again by one reader when they are too old; the others are given the old ones meanwhile."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        self._value: Statistics | None = None
        self._read_at = 0.0

    def get(self) -> Statistics:
        """Raises DatabaseError when nothing is known yet."""
        known = self._value
        if known is not None and clock.monotonic() - self._read_at < TRUST_SECONDS:
            return known
        if not self._lock.acquire(blocking=known is None):
            assert known is not None
            return known
        try:
            return self._load()
        except DatabaseError:
            if known is None:
                raise
            return known
        finally:
            self._lock.release()

    def _load(self) -> Statistics:
        if self._value is None or clock.monotonic() - self._read_at >= TRUST_SECONDS:
            started = clock.monotonic()
            self._value = load_statistics()
            self._read_at = started
        return self._value


recent = Recent()
