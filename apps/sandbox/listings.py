"""The lists of models, in each company's shape.

Formats: https://platform.openai.com/docs/api-reference/models/list, https://docs.anthropic.com/en/api/models-list,
https://ai.google.dev/api/models
"""

from collections.abc import Callable
from typing import Any

import orjson
from aiohttp import web

from apps.sandbox import anthropic_dialect, gemini_dialect, openai_dialect
from apps.sandbox.exchange import describe_request
from apps.sandbox.replies import MODELS
from apps.sandbox.wire import Dialect, Incoming, Refused

RELEASED = 1735689600
RELEASED_AT = "2025-01-01T00:00:00Z"
EMBEDDING = "embedding"
GENERATING = ["generateContent", "streamGenerateContent", "countTokens"]
EMBEDDING_METHODS = ["embedContent", "batchEmbedContents", "countTokens"]

Render = Callable[[Incoming], dict[str, Any]]


async def list_models(request: web.Request) -> web.Response:
    """In Anthropic's shape when ``anthropic-version`` is sent, in Gemini's with its key header, else in OpenAI's."""
    if "anthropic-version" in request.headers:
        return _answer(request, anthropic_dialect, _render_anthropic)
    if "x-goog-api-key" in request.headers:
        return await list_gemini(request)
    return _answer(request, openai_dialect, _render_openai)


async def list_gemini(request: web.Request) -> web.Response:
    return _answer(request, gemini_dialect, _render_gemini)


async def show_gemini(request: web.Request) -> web.Response:
    return _answer(request, gemini_dialect, _find_gemini)


def _answer(request: web.Request, dialect: Dialect, render: Render) -> web.Response:
    incoming = describe_request(request, b"")
    try:
        dialect.authenticate(incoming)
        body, status = render(incoming), 200
    except Refused as refusal:
        body = dialect.render_refusal(refusal, request_id="req_models")
        status = refusal.status
    return web.Response(status=status, body=orjson.dumps(body), content_type="application/json")


def _render_openai(incoming: Incoming) -> dict[str, Any]:
    rows = [
        {"id": name, "object": "model", "created": RELEASED, "owned_by": "sandbox"}
        for name in MODELS
    ]
    return {"object": "list", "data": rows}


def _render_anthropic(incoming: Incoming) -> dict[str, Any]:
    cards = [
        {"type": "model", "id": name, "display_name": name.title(), "created_at": RELEASED_AT}
        for name in MODELS
    ]
    return {"data": cards, "has_more": False, "first_id": MODELS[0], "last_id": MODELS[-1]}


def _gemini_cards() -> list[dict[str, Any]]:
    return [
        {
            "name": f"models/{name}",
            "version": "001",
            "displayName": name.title(),
            "description": f"The sandbox's {name}.",
            "inputTokenLimit": gemini_dialect.CONTEXT_LENGTH,
            "outputTokenLimit": 65536,
            "supportedGenerationMethods": EMBEDDING_METHODS if name == EMBEDDING else GENERATING,
            "temperature": 1,
            "topP": 0.95,
            "topK": 64,
            "maxTemperature": 2,
            "thinking": name == "reasoner",
        }
        for name in (*MODELS, EMBEDDING)
    ]


def _render_gemini(incoming: Incoming) -> dict[str, Any]:
    """In pages of ``pageSize`` (50); the token is the number of cards that came before."""
    size, start = incoming.query.get("pageSize", "50"), incoming.query.get("pageToken", "0")
    if not (size.isdigit() and start.isdigit()):
        raise Refused("Invalid page size or page token.")
    cards = _gemini_cards()
    end = int(start) + (int(size) or 50)
    body: dict[str, Any] = {"models": cards[int(start) : end]}
    if end < len(cards):
        body["nextPageToken"] = str(end)
    return body


def _find_gemini(incoming: Incoming) -> dict[str, Any]:
    wanted = incoming.variables["model"]
    for card in _gemini_cards():
        if card["name"] == f"models/{wanted}":
            return card
    raise Refused(f"Model is not found: models/{wanted} for api version v1beta", status=404)
