"""OpenAI's API as it is entered, and its errors: the shell of every endpoint that OpenAI publishes.

Format: https://platform.openai.com/docs/guides/error-codes and the types of openai 3.54.0 (``ErrorObject``)
"""

from collections.abc import Mapping
from typing import Any

from apps.sandbox import checks
from apps.sandbox.forms import read_form
from apps.sandbox.keys import BAD_KEY, find_key
from apps.sandbox.wire import Asked, Incoming, Refused

CONTEXT_LENGTH = 8192
ERROR_TYPES: Mapping[int, tuple[str, str | None]] = {
    400: ("invalid_request_error", None),
    401: ("invalid_request_error", "invalid_api_key"),
    402: ("insufficient_quota", "insufficient_quota"),
    403: ("invalid_request_error", "unsupported_country_region_territory"),
    404: ("invalid_request_error", "model_not_found"),
    429: ("requests", "rate_limit_exceeded"),
    503: ("service_unavailable_error", None),
}


def authenticate(incoming: Incoming) -> None:
    key = find_key(incoming, "x-api-key")
    if not key:
        raise Refused("You didn't provide an API key.", status=401)
    if key == BAD_KEY:
        raise Refused("Incorrect API key provided.", status=401)


def open_body(incoming: Incoming) -> Asked:
    content_type = incoming.headers.get("content-type", "")
    if content_type.startswith("multipart/form-data"):
        body = read_form(incoming.content, content_type)
    else:
        body = checks.read_json(incoming.content)
    if not isinstance(body.get("model"), str) or not body["model"]:
        raise Refused("model: Field required", param="model")
    return Asked(incoming=incoming, model=body["model"], body=body)


def render_headers(*, request_id: str, refusal: Refused | None) -> dict[str, str]:
    return {"x-request-id": request_id}


def explain_model(name: str, asked: Asked) -> Refused:
    return Refused(
        f"The model `{name}` does not exist or you do not have access to it.",
        status=404,
        param="model",
        code="model_not_found",
    )


def explain_context(prompt_tokens: int) -> Refused:
    tokens = max(prompt_tokens, CONTEXT_LENGTH + 1)
    return Refused(
        f"This model's maximum context length is {CONTEXT_LENGTH} tokens. However, your messages resulted in "
        f"{tokens} tokens. Please reduce the length of the messages.",
        code="context_length_exceeded",
        param="messages",
    )


def explain_filter() -> Refused:
    return Refused(
        "The response was filtered due to the prompt triggering the content management policy. "
        "Please modify your prompt and retry.",
        code="content_filter",
        param="prompt",
    )


def render_refusal(refusal: Refused, *, request_id: str) -> dict[str, Any]:
    fallback = ("server_error" if refusal.status >= 500 else "invalid_request_error", None)
    kind, code = ERROR_TYPES.get(refusal.status, fallback)
    error = {
        "message": refusal.message,
        "type": kind,
        "param": refusal.param,
        "code": refusal.code or code,
    }
    return {"error": error}
