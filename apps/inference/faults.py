"""What went wrong at a provider, and what follows from it: ask the same host again, move on, or tell the client.

Classified by the provider's own name for the error where it has one (Google's ``status``, Amazon's type), else by the HTTP
status; what is the client's then by what the body says. All are tables. The provider's own text is for the log and for these
tables; it never reaches a client.
"""

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from typing import Any

import orjson

from apps.common.errors import ContentRejected, ContextTooLong, GatewayzError, InvalidRequest
from apps.inference.canonical.events import UpstreamError

LONGEST_PAUSE_SECONDS = 2.0
SHORT_PAUSE_SECONDS = 0.15


class FaultKind(StrEnum):
    CONNECTION = "connection"
    TIMEOUT = "timeout"
    DEADLINE = "deadline"
    """The client waits for less than the provider has, and no longer. That is no failure of the host's."""
    STATUS = "status"
    ERROR_IN_BODY = "error_in_body"
    EMPTY = "empty"
    WORDLESS = "wordless"
    """It says that it has ended as usual, and nothing else: the model's doing as likely as the host's, so no failure of it."""
    MALFORMED = "malformed"
    STALLED = "stalled"
    CUT = "cut"
    REJECTED = "rejected"
    OUTRUN = "outrun"
    """Another host, asked beside this one, began to answer first. That is no failure of its own."""
    DIVERGED = "diverged"
    """Asked to go on with another host's answer, it gives another one. That is no failure of its own."""


NO_FAILURES = frozenset(
    {FaultKind.DEADLINE, FaultKind.OUTRUN, FaultKind.DIVERGED, FaultKind.WORDLESS}
)
"""Faults that say nothing of the host."""
SILENT = frozenset({FaultKind.TIMEOUT, FaultKind.DEADLINE})
"""The host has shown nothing in its time, with whatever key it is asked."""
WITHOUT_CONTENT = frozenset({FaultKind.EMPTY, FaultKind.WORDLESS})


class UpstreamFault(Exception):
    """One failed attempt. ``client_error`` is set when the client caused it: then no other host is asked."""

    def __init__(
        self,
        kind: FaultKind,
        *,
        status: int | None = None,
        detail: str = "",
        pause: float | None = None,
        wait: float | None = None,
        client_error: GatewayzError | None = None,
    ) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
        self.status = status
        self.detail = detail
        self.pause = pause
        """Seconds after which the same host may be asked once more; None when it should not be."""
        self.wait = wait
        """Seconds for which the host says that it wants to be left alone; None when it does not say."""
        self.client_error = client_error


class _Meaning(Enum):
    REJECTED = auto()
    """The client's mistake, unless the rules below say otherwise."""
    ELSEWHERE = auto()
    """The host's own trouble: another may do."""
    AGAIN = auto()
    """It passes: the same host once more after a short pause, then another."""
    LIMITED = auto()
    """The same host once more when it says that the wait is short, then another."""


_STATUSES = {
    400: _Meaning.REJECTED,
    413: _Meaning.REJECTED,
    422: _Meaning.REJECTED,
    429: _Meaning.LIMITED,
    500: _Meaning.AGAIN,
    502: _Meaning.AGAIN,
}
"""Any other is ELSEWHERE."""

_NAMES = {
    # https://cloud.google.com/apis/design/errors#error_model and https://ai.google.dev/gemini-api/docs/troubleshooting,
    # 2026-11-21. FAILED_PRECONDITION is a 400: no free tier where the gateway stands, and no billing.
    "INVALID_ARGUMENT": _Meaning.REJECTED,
    "OUT_OF_RANGE": _Meaning.REJECTED,
    "API_KEY_INVALID": _Meaning.ELSEWHERE,
    "FAILED_PRECONDITION": _Meaning.ELSEWHERE,
    "UNAUTHENTICATED": _Meaning.ELSEWHERE,
    "PERMISSION_DENIED": _Meaning.ELSEWHERE,
    "NOT_FOUND": _Meaning.ELSEWHERE,
    "UNIMPLEMENTED": _Meaning.ELSEWHERE,
    "ABORTED": _Meaning.ELSEWHERE,
    "CANCELLED": _Meaning.ELSEWHERE,
    "UNAVAILABLE": _Meaning.ELSEWHERE,
    "DEADLINE_EXCEEDED": _Meaning.ELSEWHERE,
    "RESOURCE_EXHAUSTED": _Meaning.LIMITED,
    "INTERNAL": _Meaning.AGAIN,
    # https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html#API_runtime_Converse_Errors and
    # https://docs.aws.amazon.com/bedrock/latest/APIReference/CommonErrors.html, 2026-11-21. The common ones are 400 as well.
    "ValidationException": _Meaning.REJECTED,
    "ValidationError": _Meaning.REJECTED,
    "AccessDeniedException": _Meaning.ELSEWHERE,
    "NotAuthorized": _Meaning.ELSEWHERE,
    "OptInRequired": _Meaning.ELSEWHERE,
    "UnrecognizedClientException": _Meaning.ELSEWHERE,
    "InvalidClientTokenId": _Meaning.ELSEWHERE,
    "InvalidSignatureException": _Meaning.ELSEWHERE,
    "IncompleteSignature": _Meaning.ELSEWHERE,
    "IncompleteSignatureException": _Meaning.ELSEWHERE,
    "MissingAuthenticationTokenException": _Meaning.ELSEWHERE,
    "ExpiredTokenException": _Meaning.ELSEWHERE,
    "RequestExpired": _Meaning.ELSEWHERE,
    "InvalidAction": _Meaning.ELSEWHERE,
    "ResourceNotFoundException": _Meaning.ELSEWHERE,
    "ServiceQuotaExceededException": _Meaning.ELSEWHERE,
    "ServiceUnavailableException": _Meaning.ELSEWHERE,
    "ServiceUnavailable": _Meaning.ELSEWHERE,
    "ModelTimeoutException": _Meaning.ELSEWHERE,
    "ModelErrorException": _Meaning.ELSEWHERE,
    "ThrottlingException": _Meaning.LIMITED,
    "ModelNotReadyException": _Meaning.AGAIN,  # a 429, which Amazon's own SDKs try again at once
    "InternalServerException": _Meaning.AGAIN,
    "InternalFailure": _Meaning.AGAIN,
}


@dataclass(frozen=True, slots=True)
class _Rule:
    pattern: re.Pattern[str]
    error: type[GatewayzError] | None
    """None: the provider's own trouble in a client error's clothing, so another host may do."""
    message: str = ""


_RULES = (
    _Rule(
        re.compile(r"context.?length|context window|maximum context|too many tokens|token count.{0,40}maximum number of tokens|prompt is too long|input is too long", re.IGNORECASE),
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
    _Rule(re.compile(r"model.{0,40}(not found|does not exist|not exist|not available|not supported)|unknown model|invalid model|model identifier is invalid|on-demand throughput", re.IGNORECASE), None),
    _Rule(re.compile(r"api.?key (is |was )?(not valid|invalid)|invalid api.?key", re.IGNORECASE), None),
)  # fmt: skip

_FIELD = re.compile(r"[A-Za-z_][\w.\[\]]{0,80}")
_FIELDS_OF_MESSAGES = frozenset({
    "messages", "system", "tools", "tool_choice", "stop_sequences", "max_tokens", "temperature", "top_p", "top_k", "thinking",
    "metadata", "output_config", "output_format", "cache_control", "container", "context_management", "mcp_servers",
})  # fmt: skip
_LED_BY_A_PATH = re.compile(r"([a-z_]+)(?:\.[\w]+){0,9}(?=: )")
"""How Anthropic names a field, ``messages.0.content.1.text: …``: https://docs.claude.com/en/api/errors has no other place for it."""
_DOTTED_INDEX = re.compile(r"\.(?:\[(\d+)\]|(\d+)(?=\.))")
"""As in ``messages.[1].role`` and ``messages.1.role``; at the end of a path, a number is a key: ``logit_bias.123``."""


def from_status(status: int, headers: Mapping[str, str], body: bytes) -> UpstreamFault:
    """The fault that a status other than 200 means."""
    said = _read_body(headers, body)
    detail = f"{said.code} {said.message}".strip()[:300]
    meaning = next((_NAMES[name] for name in said.names if name in _NAMES), None)
    meaning = meaning or _STATUSES.get(status, _Meaning.ELSEWHERE)
    if meaning is _Meaning.REJECTED:
        return _from_rejection(status, detail, said.param)
    wait = retry_after(headers) if said.wait is None else said.wait
    pause = _pause(meaning, wait)
    return UpstreamFault(FaultKind.STATUS, status=status, detail=detail, pause=pause, wait=wait)


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


def short_pause() -> float:
    """Jittered, so that a crowd that was turned away together does not come back together."""
    return SHORT_PAUSE_SECONDS * (1 + secrets.randbelow(100) / 400)


def _pause(meaning: _Meaning, wait: float | None) -> float | None:
    if meaning is _Meaning.AGAIN:
        return short_pause()
    if meaning is _Meaning.LIMITED:
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


@dataclass(frozen=True, slots=True)
class _Said:
    """What a refusal says, as far as it is one of the common envelopes."""

    code: str = ""
    message: str = ""
    param: str | None = None
    """The field that it names."""
    names: tuple[str, ...] = ()
    """What the provider calls the error, the most exact first."""
    wait: float | None = None
    """Seconds that the body asks us to wait."""


def _read_body(headers: Mapping[str, str], body: bytes) -> _Said:
    amazons = _amazons_name(headers.get("x-amzn-errortype"))
    try:
        raw = orjson.loads(body)
    except orjson.JSONDecodeError:
        return _Said(amazons, body[:300].decode("utf-8", "replace"), names=(amazons,))
    if isinstance(raw, list) and len(raw) == 1:
        raw = raw[0]  # Google's, of a stream
    error = raw.get("error", raw) if isinstance(raw, dict) else raw
    if not isinstance(error, dict):
        return _Said(amazons, str(error), names=(amazons,))
    message = str(error.get("message") or error.get("Message") or "")
    param = error.get("param") or _leading_path(message) or _googles_field(error)
    if not isinstance(param, str) or not _FIELD.fullmatch(param):
        param = None
    amazons = amazons or _amazons_name(error.get("__type"))
    google = _read_google(error)
    code = google.names[-1:] or (amazons or error.get("code") or error.get("type") or "",)
    return _Said(
        code=str(code[0]),
        message=message,
        param=_DOTTED_INDEX.sub(r"[\1\2]", param) if param else None,
        names=(*google.names, amazons),
        wait=google.wait,
    )


def _leading_path(message: str) -> str:
    path = _LED_BY_A_PATH.match(message)
    if path is None or path[1] not in _FIELDS_OF_MESSAGES:
        return ""
    return re.sub(r"\.(\d+)", r"[\1]", path[0])


def _googles_field(error: Any) -> str:
    """Of ``details``: https://github.com/googleapis/googleapis/blob/master/google/rpc/error_details.proto, BadRequest."""
    details = error.get("details")
    for detail in details if isinstance(details, list) else ():
        violations = detail.get("fieldViolations") if isinstance(detail, dict) else None
        for violation in violations if isinstance(violations, list) else ():
            if isinstance(violation, dict) and isinstance(violation.get("field"), str):
                return str(violation["field"])
    return ""


def _amazons_name(told: Any) -> str:
    """Of ``ThrottlingException:http://…`` in the header, ``com.amazon.coral#ThrottlingException`` in the body.

    https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html#operation-error-serialization
    """
    return told.partition(":")[0].rpartition("#")[2] if isinstance(told, str) else ""


def _read_google(error: Any) -> _Said:
    """``status``, and of the typed ``details`` ErrorInfo's ``reason`` and RetryInfo's ``retryDelay``, as in ``"0.5s"``."""
    status = error.get("status")
    if not isinstance(status, str):
        return _Said()
    reasons: list[str] = []
    wait: float | None = None
    details = error.get("details")
    for detail in details if isinstance(details, list) else ():
        if not isinstance(detail, dict):
            continue
        if isinstance(reason := detail.get("reason"), str):
            reasons.append(reason)
        if isinstance(delay := detail.get("retryDelay"), str):
            wait = retry_after({"retry-after": delay.removesuffix("s")})
    return _Said(names=(*reasons, status), wait=wait)
