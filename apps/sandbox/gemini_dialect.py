"""Google's two doors to Gemini, and their errors.

AI Studio takes a key in ``x-goog-api-key`` or ``?key=`` and answers a bad one with 400; Vertex AI takes a Bearer token and
answers 401. The model and the method stand in the path. Format: ``google.rpc.Status``,
https://cloud.google.com/apis/design/errors and https://ai.google.dev/gemini-api/docs/troubleshooting
"""

from collections.abc import Mapping
from typing import Any

from apps.sandbox import checks
from apps.sandbox.gemini_messages import InvalidPayload
from apps.sandbox.keys import BAD_KEY, find_bearer
from apps.sandbox.wire import Asked, Incoming, Refused

CONTEXT_LENGTH = 1_048_576
KEY_NOT_VALID = "API key not valid. Please pass a valid API key."
UNAUTHENTICATED = (
    "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid "
    "authentication credential."
)
STATUS_NAMES: Mapping[int, str] = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    412: "FAILED_PRECONDITION",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
    529: "UNAVAILABLE",
}


def is_vertex(incoming: Incoming) -> bool:
    return "project" in incoming.variables


def name_method(asked: Asked) -> str:
    return asked.incoming.variables.get("method", "")


def authenticate(incoming: Incoming) -> None:
    if is_vertex(incoming):
        if find_bearer(incoming) in ("", BAD_KEY):
            raise Refused(UNAUTHENTICATED, status=401, code="ACCESS_TOKEN_TYPE_UNSUPPORTED")
        return
    key = incoming.headers.get("x-goog-api-key", "").strip() or incoming.query.get("key", "")
    if not key:
        raise Refused(
            "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or "
            "other form of API consumer identity to call this API.",
            status=403,
        )
    if key == BAD_KEY:
        raise Refused(KEY_NOT_VALID, code="API_KEY_INVALID")


def open_body(incoming: Incoming) -> Asked:
    body = checks.read_json(incoming.content)
    return Asked(incoming=incoming, model=incoming.variables["model"], body=body)


def render_headers(*, request_id: str, refusal: Refused | None) -> dict[str, str]:
    return {"server-timing": "gfet4t7; dur=1", "x-sandbox-id": request_id}


def render_refusal(refusal: Refused, *, request_id: str) -> dict[str, Any]:
    error: dict[str, Any] = {
        "code": refusal.status,
        "message": refusal.message,
        "status": STATUS_NAMES.get(refusal.status, "UNKNOWN"),
    }
    if details := _render_details(refusal):
        error["details"] = details
    return {"error": error}


def _render_details(refusal: Refused) -> list[dict[str, Any]]:
    details: list[dict[str, Any]] = []
    if refusal.code:
        info = {"reason": refusal.code, "domain": "googleapis.com"}
        info["metadata"] = {"service": "generativelanguage.googleapis.com"}  # type: ignore[assignment]
        details.append({"@type": "type.googleapis.com/google.rpc.ErrorInfo", **info})
    if isinstance(refusal, InvalidPayload):
        violations = [
            {"field": path, "description": sentence} if path else {"description": sentence}
            for path, sentence in refusal.violations
        ]
        details.append(
            {
                "@type": "type.googleapis.com/google.rpc.BadRequest",
                "fieldViolations": violations,
            }
        )
    if refusal.retry_after is not None:
        retry = {"retryDelay": f"{refusal.retry_after:g}s"}
        details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo", **retry})
    return details


def explain_model(name: str, asked: Asked) -> Refused:
    return Refused(
        f"models/{name} is not found for API version v1beta, or is not supported for {name_method(asked)}. "
        "Call ListModels to see the list of available models and their supported methods.",
        status=404,
    )


def explain_context(prompt_tokens: int) -> Refused:
    tokens = max(prompt_tokens, CONTEXT_LENGTH + 1)
    return Refused(
        f"The input token count ({tokens}) exceeds the maximum number of tokens allowed ({CONTEXT_LENGTH})."
    )


def explain_filter() -> Refused | None:
    """None: Gemini answers 200 with ``promptFeedback.blockReason``."""
    return None
