"""Cohere's API as it is entered, and its errors: ``{"id", "message"}``.

Format: https://docs.cohere.com/reference/errors
"""

from typing import Any

from apps.sandbox import checks
from apps.sandbox.keys import BAD_KEY, find_bearer
from apps.sandbox.wire import Asked, Incoming, Refused


def authenticate(incoming: Incoming) -> None:
    key = find_bearer(incoming)
    if not key:
        raise Refused("no api key supplied", status=401)
    if key == BAD_KEY:
        raise Refused("invalid api token", status=401)


def open_body(incoming: Incoming) -> Asked:
    body = checks.read_json(incoming.content)
    if not isinstance(body.get("model"), str) or not body["model"]:
        raise Refused("invalid request: model is required")
    return Asked(incoming=incoming, model=body["model"], body=body)


def render_headers(*, request_id: str, refusal: Refused | None) -> dict[str, str]:
    return {"x-request-id": request_id}


def render_refusal(refusal: Refused, *, request_id: str) -> dict[str, Any]:
    return {"id": request_id, "message": refusal.message}


def explain_model(name: str, asked: Asked) -> Refused:
    return Refused(
        f"model '{name}' not found, make sure the correct model ID was used and that you have access to the model.",
        status=404,
    )


def explain_context(prompt_tokens: int) -> Refused:
    return Refused("invalid request: too many tokens in the documents")


def explain_filter() -> Refused | None:
    return Refused("invalid request: the content was blocked")
