"""Series of the inference path. Labels come from closed sets: catalogue ids and slugs, never what a client typed."""

from functools import lru_cache
from typing import Any

from prometheus_client import Counter, Gauge, Histogram

SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600)

requests = Counter(
    "gatewayz_requests_total",
    "Requests that were admitted, by how they ended.",
    ["provider", "model", "surface", "outcome"],
)
refusals = Counter(
    "gatewayz_refusals_total",
    "Requests refused before any provider was asked, by error code.",
    ["code"],
)
tokens = Counter(
    "gatewayz_tokens_total", "Billed tokens by bucket.", ["provider", "model", "bucket"]
)
cost = Counter(
    "gatewayz_cost_nano_usd_total", "What clients were charged, in nano-USD.", ["provider", "model"]
)
attempts = Counter(
    "gatewayz_attempts_total",
    "Calls of providers; fault is empty for an answer.",
    ["provider", "fault"],
)
recoveries = Counter(
    "gatewayz_recoveries_total",
    "Streams whose host failed after content: recovered, and how, or broken.",
    ["mode", "result"],
)
latency = Histogram(
    "gatewayz_request_seconds",
    "From the request's arrival to the answer's end.",
    ["provider", "model"],
    buckets=SECONDS,
)
first_token = Histogram(
    "gatewayz_first_content_seconds",
    "From the request's arrival to the first content for the client.",
    ["provider", "model"],
    buckets=SECONDS,
)
in_flight = Gauge(
    "gatewayz_requests_in_flight", "Requests being served now.", multiprocess_mode="livesum"
)
velocity_mode = Gauge(
    "gatewayz_velocity_mode",
    "1 while limits are shrunk because providers fail in masses.",
    multiprocess_mode="livemax",
)
usage_quarantined = Counter(
    "gatewayz_usage_quarantined_total",
    "Usage reports that could not be true; counted instead.",
    ["provider"],
)
uncovered = Counter(
    "gatewayz_uncovered_nano_usd_total",
    "Cost beyond the credit left, written off, in nano-USD.",
    ["provider"],
)

kept_answers = Counter(
    "gatewayz_kept_answers_total",
    "Answers that were looked for among those kept, by what came of it.",
    ["feature", "result"],
)
answer_store_failures = Counter(
    "gatewayz_answer_store_failures_total",
    "Questions to the store of answers that Redis did not answer; requests go on without it.",
)


@lru_cache(maxsize=4096)
def child(series: Any, *labels: str) -> Any:
    """The series with these labels; ``labels()`` itself takes a lock and costs more than counting does."""
    return series.labels(*labels)
