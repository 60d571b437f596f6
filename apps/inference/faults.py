"""What went wrong at a provider, and what follows from it: ask the same host again, move on, or tell the client.

Classified by status first, then, for 400 and 422 only, by what the body says; both are tables. The provider's own text
is for the log and for these tables; it never reaches a client.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import orjson

from apps.common.errors import ContentRejected, ContextTooLong, GatewayzError, InvalidRequest
from apps.inference.canonical.events import UpstreamError

LONGEST_PAUSE_SECONDS = 2.0
SHORT_PAUSE_SECONDS = 0.15


class FaultKind(StrEnum):
    CONNECTION = "connection"
    TIMEOUT = "timeout"
    STATUS = "status"
    ERROR_IN_BODY = "error_in_body"
    EMPTY = "empty"
    MALFORMED = "malformed"
    STALLED = "stalled"
    CUT = "cut"
    REJECTED = "rejected"


class UpstreamFault(Exception):
    """One failed attempt. ``client_error`` is set when the client caused it: then no other host is asked."""

    def __init__(
        self,
        kind: FaultKind,
        *,
        status: int | None = None,
        detail: str = "",
        pause: float | None = None,
        client_error: GatewayzError | None = None,
    ) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
        self.status = status
        self.detail = detail
        self.pause = pause
        """Seconds after which the same host may be asked once more; None when it should not be."""
        self.client_error = client_error


@dataclass(frozen=True, slots=True)
class _Rule:
    pattern: re.Pattern[str]
    error: type[GatewayzError] | None
    """None: the provider's own trouble in a client error's clothing, so another host may do."""
    message: str = ""


_RULES = (
    _Rule(
        re.compile(r"context.?length|context window|maximum context|too many tokens|prompt is too long|input is too long", re.IGNORECASE),
        ContextTooLong,
        "The request is longer than the model's context.",
    ),
    _Rule(
        re.compile(r"content.?(policy|filter|management)|content_policy_violation|safety system|moderation", re.IGNORECASE),
        ContentRejected,
        "The provider rejected the request under its content policy.",
    ),
    # Anthropic answers 400 when the house's own account is out of credit; others when they do not serve the model.
    _Rule(re.compile(r"credit balance|insufficient.?(quota|balance|credit)|billing", re.IGNORECASE), None),
    _Rule(re.compile(r"model.{0,40}(not found|does not exist|not exist|not available|not supported)|unknown model|invalid model", re.IGNORECASE), None),
    _Rule(re.compile(r"api.?key (is |was )?(not valid|invalid)|invalid api.?key", re.IGNORECASE), None),
)  # fmt: skip

_FIELD = re.compile(r"[A-Za-z_][\w.\[\]]{0,80}")
_DOTTED_INDEX = re.compile(r"\.(?:\[(\d+)\]|(\d+)(?=\.))")
"""As in ``messages.[1].role`` and ``messages.1.role``; at the end of a path, a number is a key: ``logit_bias.123``."""


def from_status(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamFault:
    """The fault that a status other than 200 means."""
    error, param = _read_body(body)
    detail = f"{error.code} {error.message}".strip()[:300]
    if status in {400, 413, 422}:
        return _from_rejection(status, detail, param)
    return UpstreamFault(
        FaultKind.STATUS, status=status, detail=detail, pause=_pause(status, headers)
    )


def from_error(error: UpstreamError) -> UpstreamFault:
    """The fault that an error inside a 200 means. Never the client's: a host that rejects a request says so first."""
    return UpstreamFault(
        FaultKind.ERROR_IN_BODY, detail=f"{error.code} {error.message}".strip()[:300]
    )


def _from_rejection(status: int, detail: str, param: str | None) -> UpstreamFault:
    for rule in _RULES:
        if not rule.pattern.search(detail):
            continue
        if rule.error is None:
            return UpstreamFault(FaultKind.STATUS, status=status, detail=detail)
        return UpstreamFault(
            FaultKind.REJECTED, status=status, detail=detail, client_error=rule.error(rule.message)
        )
    about = f" because of '{param}'" if param else ""
    return UpstreamFault(
        FaultKind.REJECTED,
        status=status,
        detail=detail,
        client_error=InvalidRequest(f"The provider rejected the request{about}.", param=param),
    )


def _pause(status: int, headers: Mapping[str, str]) -> float | None:
    if status in {500, 502}:
        return SHORT_PAUSE_SECONDS
    if status == 429:
        wait = retry_after(headers)
        return wait if wait is not None and wait <= LONGEST_PAUSE_SECONDS else None
    return None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the provider asks us to wait; None when it does not say in a form that we read."""
    for name, scale in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers[name]) * scale)
        except (KeyError, ValueError):
            continue
    return None


def _read_body(body: bytes) -> tuple[UpstreamError, str | None]:
    """The provider's error and the field that it names, as far as the body is one of the common envelopes."""
    try:
        raw = orjson.loads(body)
    except orjson.JSONDecodeError:
        return UpstreamError(code="", message=body[:300].decode("utf-8", "replace")), None
    error = raw.get("error", raw) if isinstance(raw, dict) else raw
    if not isinstance(error, dict):
        return UpstreamError(code="", message=str(error)), None
    param = error.get("param")
    if not isinstance(param, str) or not _FIELD.fullmatch(param):
        param = None
    return (
        UpstreamError(
            code=str(error.get("code") or error.get("type") or ""),
            message=str(error.get("message") or ""),
        ),
        _DOTTED_INDEX.sub(r"[\1\2]", param) if param else None,
    )
