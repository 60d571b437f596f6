"""The sandbox's HTTP surface: routes, lists of models, counters.

=====================================  =======================================================================
``POST /v1/chat/completions``          OpenAI's wire
``POST /v1/messages``                  Anthropic's wire
``GET /v1/models``                     in Anthropic's shape when ``anthropic-version`` is sent, else in OpenAI's
``GET /health``                        ``{"status": "ok"}``
``GET /stats``                         counters and the last request; ``?recent=N`` adds the latest N (50 kept)
``POST /reset``                        forgets counters, turns and cached prompts
=====================================  =======================================================================

Under ``/v1`` any non-empty Bearer or ``x-api-key`` is accepted, except ``sandbox-bad-key``.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from aiohttp import web

from apps.sandbox import anthropic_dialect, anthropic_wire, openai_dialect, openai_wire
from apps.sandbox.endpoints import Conversation, Endpoint
from apps.sandbox.exchange import Exchange, describe_request
from apps.sandbox.replies import MODELS
from apps.sandbox.wire import Dialect, Refused

BODY_LIMIT = 64 * 1024 * 1024
RELEASED = 1735689600
RELEASED_AT = "2025-01-01T00:00:00Z"

Serve = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Sandbox:
    """The process's state, and its request handlers."""

    def __init__(self, *, any_model: bool) -> None:
        self._exchange = Exchange(any_model=any_model)

    def routes(self) -> list[web.RouteDef]:
        chat = Conversation(dialect=openai_dialect, wire=openai_wire, prefix="chatcmpl-")
        messages = Conversation(dialect=anthropic_dialect, wire=anthropic_wire, prefix="msg_")
        return [
            web.post("/v1/chat/completions", self._serve(chat)),
            web.post("/v1/messages", self._serve(messages)),
            web.get("/v1/models", self.list_models),
            web.get("/health", self.report_health),
            web.get("/stats", self.report_stats),
            web.post("/reset", self.reset),
        ]

    async def list_models(self, request: web.Request) -> web.Response:
        speaks_anthropic = "anthropic-version" in request.headers
        dialect: Dialect = anthropic_dialect if speaks_anthropic else openai_dialect
        try:
            dialect.authenticate(describe_request(request, b""))
        except Refused as refusal:
            body = dialect.render_refusal(refusal, request_id="req_models")
            return _json(body, status=refusal.status)
        if not speaks_anthropic:
            rows = [
                {"id": name, "object": "model", "created": RELEASED, "owned_by": "sandbox"}
                for name in MODELS
            ]
            return _json({"object": "list", "data": rows})
        cards = [
            {"type": "model", "id": name, "display_name": name.title(), "created_at": RELEASED_AT}
            for name in MODELS
        ]
        return _json(
            {"data": cards, "has_more": False, "first_id": MODELS[0], "last_id": MODELS[-1]}
        )

    async def report_health(self, request: web.Request) -> web.Response:
        return _json({"status": "ok"})

    async def report_stats(self, request: web.Request) -> web.Response:
        recent = request.query.get("recent", "0")
        return _json(self._exchange.stats.describe(recent=int(recent) if recent.isdigit() else 0))

    async def reset(self, request: web.Request) -> web.Response:
        self._exchange.stats.reset()
        self._exchange.cache.clear()
        return _json({"status": "ok"})

    def _serve(self, endpoint: Endpoint) -> Serve:
        async def serve(request: web.Request) -> web.StreamResponse:
            return await self._exchange.serve(request, endpoint)

        return serve


def build_app(*, any_model: bool = False) -> web.Application:
    """With ``any_model`` names outside the table answer as ``echo`` does, instead of 404."""
    app = web.Application(client_max_size=BODY_LIMIT)
    app.add_routes(Sandbox(any_model=any_model).routes())
    return app


def _json(body: dict[str, Any], *, status: int = 200) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(body), content_type="application/json")
