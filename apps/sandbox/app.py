"""The sandbox's HTTP surface: routes, authentication, counters, and the order of an exchange.

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

import asyncio
import itertools
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import orjson
from aiohttp import web

from apps.sandbox import anthropic_wire, delivery, openai_wire, options
from apps.sandbox.delivery import Outcome
from apps.sandbox.replies import MODELS, compose
from apps.sandbox.samples import UnusableSchema
from apps.sandbox.stats import Seen, Stats
from apps.sandbox.tokens import PromptCache
from apps.sandbox.wire import Answer, Refused, Wire

BAD_KEY = "sandbox-bad-key"
BODY_LIMIT = 64 * 1024 * 1024
RELEASED = 1735689600
RELEASED_AT = "2025-01-01T00:00:00Z"

Delivered = tuple[web.StreamResponse, Outcome]


class Sandbox:
    """The process's state, and its request handlers."""

    def __init__(self, *, any_model: bool) -> None:
        self._any_model = any_model
        self._stats = Stats()
        self._cache = PromptCache()
        self._numbers = itertools.count(1)
        # Answer ids stay unique over restarts and over several sandboxes.
        self._run = secrets.token_hex(4)

    def routes(self) -> list[web.RouteDef]:
        return [
            web.post("/v1/chat/completions", self._serve(openai_wire, prefix="chatcmpl-")),
            web.post("/v1/messages", self._serve(anthropic_wire, prefix="msg_")),
            web.get("/v1/models", self.list_models),
            web.get("/health", self.report_health),
            web.get("/stats", self.report_stats),
            web.post("/reset", self.reset),
        ]

    async def list_models(self, request: web.Request) -> web.Response:
        speaks_anthropic = "anthropic-version" in request.headers
        wire: Wire = anthropic_wire if speaks_anthropic else openai_wire
        try:
            _authenticate(request)
        except Refused as refusal:
            body = wire.render_refusal(refusal, request_id="req_models")
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
        return _json(self._stats.describe(recent=int(recent) if recent.isdigit() else 0))

    async def reset(self, request: web.Request) -> web.Response:
        self._stats.reset()
        self._cache.clear()
        return _json({"status": "ok"})

    def _serve(
        self, wire: Wire, *, prefix: str
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def serve(request: web.Request) -> web.StreamResponse:
            seen = Seen(
                request.path, {name.lower(): value for name, value in request.headers.items()}
            )
            answer_id = f"{prefix}{self._run}{next(self._numbers):08d}"
            with self._stats.track(seen):
                try:
                    response, seen.outcome = await self._exchange(request, wire, seen, answer_id)
                except ConnectionError:
                    # The client closed its socket while we wrote; there is nobody to answer any more.
                    seen.outcome = Outcome.ABORTED
                    return web.Response()
            return response

        return serve

    async def _exchange(
        self, request: web.Request, wire: Wire, seen: Seen, answer_id: str
    ) -> Delivered:
        seen.body = await request.read()
        retry_after = None
        try:
            _authenticate(request)
            body, name, wanted = self._open(request, seen)
            if wanted.reset:
                delivery.reset_socket(request)
                return web.Response(), Outcome.BROKEN
            if wanted.hang:
                await asyncio.sleep(delivery.FOREVER)
            await asyncio.sleep(wanted.delay / 1000)
            retry_after = wanted.retry_after
            answer = self._answer(wire, body, name, wanted, answer_id)
        except Refused as refusal:
            return await delivery.deliver_refusal(
                request, wire, refusal, request_id=answer_id, retry_after=retry_after
            )
        if answer.prompt.stream:
            self._stats.streams += 1
            return await delivery.deliver_stream(request, wire, answer)
        return await delivery.deliver_json(request, wire, answer)

    def _open(
        self, request: web.Request, seen: Seen
    ) -> tuple[dict[str, Any], str, options.Options]:
        """The body, the bare model name, and the options that are in force on this turn."""
        if request.path == "/v1/messages" and not request.headers.get("anthropic-version"):
            raise Refused("anthropic-version: header is required")
        try:
            body = orjson.loads(seen.body)
        except orjson.JSONDecodeError as error:
            raise Refused(f"We could not parse the JSON body of your request: {error}") from error
        if (
            not isinstance(body, dict)
            or not isinstance(body.get("model"), str)
            or not body["model"]
        ):
            raise Refused("model: Field required", param="model")
        seen.model = body["model"]
        self._stats.by_model[seen.model] += 1
        header = request.headers.get("x-sandbox", "")
        try:
            name, found = options.parse(seen.model, header=header)
        except options.UnknownOption as error:
            raise Refused(str(error), param="model", code="unknown_sandbox_option") from error
        return body, name, options.for_turn(found, self._stats.take_turn(seen.model, header))

    def _answer(
        self, wire: Wire, body: dict[str, Any], name: str, wanted: options.Options, answer_id: str
    ) -> Answer:
        if name not in MODELS and not self._any_model:
            raise Refused(
                f"The model `{name}` does not exist or you do not have access to it.",
                status=404,
                param="model",
                code="model_not_found",
            )
        if wanted.status is not None:
            raise Refused(f"The sandbox was told to answer {wanted.status}.", status=wanted.status)
        prompt = wire.read_prompt(body)
        if wanted.filter:
            raise wire.explain_filter()
        if wanted.context:
            raise wire.explain_context(wire.meter(PromptCache(), name, prompt).total_input)
        if wanted.noprefill and prompt.prefill:
            raise Refused(
                "This model does not support assistant message prefill. "
                "The conversation must end with a user message."
            )
        try:
            replies = tuple(
                compose(prompt, model=name, options=wanted, choice=choice)
                for choice in range(prompt.choices)
            )
        except UnusableSchema as error:
            raise Refused(str(error), code="invalid_json_schema") from error
        usage = replace(
            wire.meter(self._cache, name, prompt),
            output=sum(reply.tokens for reply in replies),
            reasoning=sum(reply.reasoning_tokens for reply in replies),
        )
        return Answer(
            id=answer_id,
            created=int(time.time()),
            model=body["model"],
            prompt=prompt,
            replies=replies,
            usage=usage,
            options=wanted,
        )


def build_app(*, any_model: bool = False) -> web.Application:
    """With ``any_model`` names outside the table answer as ``echo`` does, instead of 404."""
    app = web.Application(client_max_size=BODY_LIMIT)
    app.add_routes(Sandbox(any_model=any_model).routes())
    return app


def _authenticate(request: web.Request) -> None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    key = request.headers.get("x-api-key", "").strip()
    if scheme.lower() == "bearer" and not key:
        key = token.strip()
    if not key:
        raise Refused("You didn't provide an API key.", status=401)
    if key == BAD_KEY:
        raise Refused("Incorrect API key provided.", status=401)


def _json(body: dict[str, Any], *, status: int = 200) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(body), content_type="application/json")
