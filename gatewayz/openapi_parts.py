"""The fixed parts of the OpenAPI document: who may ask, refusals, envelopes, examples, and routes that are nobody's table."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from apps.common import errors
from apps.common.errors import GatewayzError
from apps.common.schemas import ErrorBody

Json = dict[str, Any]

SCHEMA = "#/components/schemas/"
KEY_REQUIRED: list[Json] = [{"bearer": []}, {"x-api-key": []}]
SECURITY_SCHEMES: Json = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "Authorization: Bearer <key>"},
    "x-api-key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "sessionid",
        "description": "Staff, logged in at /admin/; with the CSRF token in X-CSRFToken.",
    },
}

REFUSALS: tuple[type[GatewayzError], ...] = (
    errors.InvalidRequest,
    errors.Unauthenticated,
    errors.InsufficientCredits,
    errors.PermissionDenied,
    errors.ModelNotFound,
    errors.MethodNotAllowed,
    errors.BodyTooLarge,
    errors.EncodedBody,
    errors.RateLimited,
    errors.InternalError,
    errors.UpstreamInvalid,
    errors.AllProvidersFailed,
    errors.ServiceUnavailable,
    errors.UpstreamTimeout,
)
"""What may come instead of an answer that is paid for; further errors come inside a stream that has begun."""

ALWAYS: tuple[type[GatewayzError], ...] = (errors.InternalError, errors.ServiceUnavailable)
"""What any route may answer."""

ANTHROPIC_ERROR_BODY: Json = {
    "title": "AnthropicErrorBody",
    "description": "The Anthropic error envelope; code is from the closed list of docs/errors.md.",
    "type": "object",
    "required": ["type", "error", "request_id"],
    "properties": {
        "type": {"const": "error"},
        "error": {
            "type": "object",
            "required": ["type", "message", "code", "param"],
            "properties": {
                "type": {"type": "string"},
                "message": {"type": "string"},
                "code": {"type": "string"},
                "param": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            },
        },
        "request_id": {"type": "string"},
    },
}


GOOGLE_ERROR_BODY: Json = {
    "title": "GoogleErrorBody",
    "description": "Google's error envelope; the reason in details is from the closed list of docs/errors.md.",
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "status", "details"],
            "properties": {
                "code": {"type": "integer"},
                "message": {"type": "string"},
                "status": {"type": "string"},
                "details": {"type": "array", "items": {"type": "object"}},
            },
        }
    },
}


def refusals(found: Iterable[type[GatewayzError]], envelope: str) -> dict[int, Json]:
    """By status, with the codes that it may mean."""
    codes: dict[int, list[str]] = defaultdict(list)
    for refusal in found:
        codes[refusal.status].append(f"`{refusal.code}`")
    content = {"application/json": {"schema": {"$ref": SCHEMA + envelope}}}
    return {
        status: {"description": " or ".join(codes[status]), "content": content}
        for status in sorted(codes)
    }


def error_schemas() -> Json:
    openai = ErrorBody.model_json_schema(ref_template=SCHEMA + "{model}")
    return {
        **openai.pop("$defs"),
        "ErrorBody": openai,
        "AnthropicErrorBody": ANTHROPIC_ERROR_BODY,
        "GoogleErrorBody": GOOGLE_ERROR_BODY,
    }


EXAMPLES: Json = {
    "model": "sandbox/echo",
    "model_id": "sandbox/echo",
    "ids": "sandbox/echo,sandbox/claude",
    "slug": "sandbox",
    "category": "tools",
    "q": "echo",
    "plan": "pro",
}
"""Of parameters, by name; all are answered by a gateway that was just started."""


def _json(description: str, schema: Json | None = None) -> Json:
    content = {"application/json": {"schema": schema or {"type": "object"}}}
    return {"description": description, "content": content}


def _described(name: str, summary: str, responses: dict[int, Json]) -> Json:
    return {
        "operationId": name,
        "tags": ["Gateway"],
        "summary": summary,
        "responses": responses,
    }


NAMES: Json = {"type": "array", "items": {"type": "string"}}
STARTED: Json = {
    "type": "object",
    "required": ["started", "skipped"],
    "properties": {"started": NAMES, "skipped": NAMES},
}


OTHER_PATHS: Json = {
    "/openapi.json": {
        "get": _described("read_document", "This document", {200: _json("OpenAPI 3.1.")})
    },
    "/health": {"get": _described("read_health", "Whether it is alive", {200: _json("It is.")})},
    "/health/ready": {
        "get": _described(
            "read_readiness",
            "Whether it can serve",
            {200: _json("It can."), 503: _json("It cannot; `checks` tells what is away.")},
        )
    },
    "/metrics": {
        "get": _described(
            "read_metrics",
            "Numbers for Prometheus: from loopback, or with METRICS_TOKEN as bearer",
            {
                200: {"description": "Prometheus' text format.", "content": {"text/plain": {}}},
                403: {"description": "Neither of the two.", "content": {"text/plain": {}}},
            },
        )
    },
    "/api/stripe/webhook": {
        "post": {
            **_described(
                "stripe_webhook",
                "Stripe tells what happened; signed by it",
                {
                    200: _json("Processed, now or before, or of a kind that changes nothing."),
                    **refusals(
                        [
                            errors.InvalidRequest,
                            errors.InternalError,
                            errors.EventNotProcessed,
                            errors.PaymentsNotConfigured,
                        ],
                        "ErrorBody",
                    ),
                },
            ),
            "requestBody": {"content": {"application/json": {"schema": {"type": "object"}}}},
        }
    },
    "/admin/refresh-providers": {
        "post": {
            **_described(
                "refresh_providers",
                "Read the providers' own lists of models now",
                {
                    202: _json("What was started, and what cannot be read now.", STARTED),
                    **refusals([errors.InvalidRequest, errors.PermissionDenied], "ErrorBody"),
                },
            ),
            "security": [{"session": []}],
            "requestBody": {
                "content": {
                    media: {
                        "schema": {"type": "object", "properties": {"provider": NAMES}},
                        "example": {"provider": ["sandbox"]},
                    }
                    for media in ("application/json", "application/x-www-form-urlencoded")
                }
            },
        }
    },
}
"""What no table describes; all but the last are open to anybody who reaches it."""
