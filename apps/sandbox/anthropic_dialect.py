"""Anthropic's API as it is entered, and its errors.

Format: https://docs.anthropic.com/en/api/errors and /en/api/versioning
"""

from collections.abc import Mapping
from typing import Any

from apps.sandbox import checks
from apps.sandbox.keys import BAD_KEY, find_key
from apps.sandbox.wire import Asked, Incoming, Refused

CONTEXT_LENGTH = 200_000
VERSIONS = frozenset({"2023-01-01", "2023-06-01", "2026-10-21"})
ERROR_TYPES: Mapping[int, str] = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def authenticate(incoming: Incoming) -> None:
    key = find_key(incoming, "x-api-key")
    if not key:
        raise Refused("x-api-key header is required", status=401)
    if key == BAD_KEY:
        raise Refused("invalid x-api-key", status=401)


def open_body(incoming: Incoming) -> Asked:
    version = incoming.headers.get("anthropic-version")
    if not version:
        raise Refused("anthropic-version: header is required")
    if version not in VERSIONS:
        raise Refused(f"anthropic-version: {version!r} is not a valid version")
    body = checks.read_json(incoming.content)
    if not isinstance(body.get("model"), str) or not body["model"]:
        raise Refused("model: Field required")
    return Asked(incoming=incoming, model=body["model"], body=body)


def render_headers(*, request_id: str, refusal: Refused | None) -> dict[str, str]:
    return {"request-id": request_id}


def explain_model(name: str, asked: Asked) -> Refused:
    return Refused(f"model: {name}", status=404)


def explain_context(prompt_tokens: int) -> Refused:
    tokens = max(prompt_tokens, CONTEXT_LENGTH + 1)
    return Refused(f"prompt is too long: {tokens} tokens > {CONTEXT_LENGTH} maximum")


def explain_filter() -> Refused:
    return Refused("Output blocked by content filtering policy")


def render_refusal(refusal: Refused, *, request_id: str) -> dict[str, Any]:
    fallback = "api_error" if refusal.status >= 500 else "invalid_request_error"
    kind = ERROR_TYPES.get(refusal.status, fallback)
    return {
        "type": "error",
        "error": {"type": kind, "message": refusal.message},
        "request_id": request_id,
    }
