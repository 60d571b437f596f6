"""The sandbox's HTTP surface: which endpoint answers which path, counters, health.

=================================================  ===========================================================
``POST /v1/chat/completions``                      OpenAI's chat completions
``POST /v1/responses``                             OpenAI's Responses; ``…/input_tokens`` counts
``GET``, ``DELETE /v1/responses/{id}``             a stored response; ``GET …/input_items``
``POST /v1/completions``, ``/v1/embeddings``, ``/v1/images/generations``, ``/v1/images/edits``,
``/v1/audio/transcriptions``, ``/v1/audio/speech``, ``/v1/moderations``: OpenAI's other endpoints
``POST /v1/rerank``, ``/v2/rerank``                Cohere's and Jina's rerank
``POST /v1/messages``                              Anthropic's messages; ``…/count_tokens`` counts
``POST /v1beta/models/{model}:{method}``           Gemini by AI Studio: ``generateContent``,
                                                   ``streamGenerateContent``, ``countTokens``, ``embedContent``,
                                                   ``batchEmbedContents``
``POST /v1/projects/…/models/{model}:{method}``    the same by Vertex AI, with a Bearer token
``POST /model/{model}/converse``                   Bedrock; ``…/converse-stream`` in AWS's event stream
``GET /v1/models``, ``GET /v1beta/models``         in Anthropic's shape when ``anthropic-version`` is sent, else
                                                   in OpenAI's; in Gemini's
``GET``, ``POST /v1/credits``                      what is left in the account, as OpenRouter tells it; sets it
``GET /health``                                    ``{"status": "ok"}``
``GET /stats``                                     counters and the last request; ``?recent=N`` adds the latest N
                                                   (50 kept)
``POST /reset``                                    forgets counters, turns, cached prompts, responses
=================================================  ===========================================================

Any non-empty key is accepted where the company's API takes one, except ``sandbox-bad-key``.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson
from aiohttp import web

from apps.sandbox import (
    anthropic_dialect,
    anthropic_tasks,
    anthropic_wire,
    audio,
    bedrock_dialect,
    bedrock_wire,
    cohere_dialect,
    completions_wire,
    gemini_dialect,
    gemini_tasks,
    gemini_wire,
    images,
    listings,
    openai_dialect,
    openai_tasks,
    openai_wire,
    rerank,
)
from apps.sandbox.balance import Account
from apps.sandbox.endpoints import Conversation, Endpoint, Task
from apps.sandbox.exchange import Exchange
from apps.sandbox.replies import MODELS
from apps.sandbox.responses_api import ResponsesApi
from apps.sandbox.responses_store import ResponseStore
from apps.sandbox.responses_wire import ResponsesWire
from apps.sandbox.wire import Dialect, Job, Outgoing

BODY_LIMIT = 64 * 1024 * 1024
AI_STUDIO = "/{version:v1|v1beta|v1alpha}"
VERTEX = "/{version:v1|v1beta1}/projects/{project}/locations/{location}/publishers/google"
EMBEDDING_MODELS = (listings.EMBEDDING,)

Serve = Callable[[web.Request], Awaitable[web.StreamResponse]]

CHAT = Conversation(dialect=openai_dialect, wire=openai_wire, prefix="chatcmpl-")
MESSAGES = Conversation(dialect=anthropic_dialect, wire=anthropic_wire, prefix="msg_")
GENERATE = Conversation(dialect=gemini_dialect, wire=gemini_wire, prefix="gen_")
CONVERSE = Conversation(dialect=bedrock_dialect, wire=bedrock_wire, prefix="")
COMPLETIONS = Conversation(dialect=openai_dialect, wire=completions_wire, prefix="cmpl-")


def _task(
    perform: Callable[[Job], Outgoing],
    *models: str,
    prefix: str = "req_",
    dialect: Dialect = openai_dialect,
) -> Task:
    return Task(dialect=dialect, perform=perform, models=models, prefix=prefix)


RERANK = _task(rerank.rerank, "reranker", prefix="rerank-", dialect=cohere_dialect)
TASKS: Mapping[str, Endpoint] = {
    "/v1/audio/speech": _task(audio.speak, "speech"),
    "/v1/audio/transcriptions": _task(audio.transcribe, *audio.TRANSCRIPTIONS),
    "/v1/embeddings": _task(openai_tasks.embed_texts, *EMBEDDING_MODELS),
    "/v1/images/edits": _task(images.edit, "image"),
    "/v1/images/generations": _task(images.generate, "image"),
    "/v1/messages/count_tokens": _task(
        anthropic_tasks.count_tokens, *MODELS, dialect=anthropic_dialect
    ),
    "/v1/moderations": _task(openai_tasks.moderate, "moderation", prefix="modr-"),
    "/v1/rerank": RERANK,
    "/v2/rerank": RERANK,
}
GEMINI_METHODS: Mapping[str, Endpoint] = {
    "generateContent": GENERATE,
    "streamGenerateContent": GENERATE,
    "countTokens": Task(
        dialect=gemini_dialect,
        perform=gemini_tasks.count_tokens,
        models=(*MODELS, *EMBEDDING_MODELS),
        prefix="count_",
    ),
    "embedContent": Task(
        dialect=gemini_dialect,
        perform=gemini_tasks.embed_content,
        models=EMBEDDING_MODELS,
        prefix="embd_",
    ),
    "batchEmbedContents": Task(
        dialect=gemini_dialect,
        perform=gemini_tasks.embed_batch,
        models=EMBEDDING_MODELS,
        prefix="embd_",
    ),
}


class Sandbox:
    """The process's state, and its request handlers."""

    def __init__(self, *, any_model: bool) -> None:
        self._exchange = Exchange(any_model=any_model)
        self._responses = ResponseStore()
        self._account = Account()

    def routes(self) -> list[web.RouteDef]:
        wire = ResponsesWire(self._responses)
        responses = Conversation(dialect=openai_dialect, wire=wire, prefix="resp_")
        stored = ResponsesApi(self._responses)
        count_input = Task(
            dialect=openai_dialect, perform=stored.count_input, models=MODELS, prefix="count_"
        )
        return [
            web.post("/v1/chat/completions", self._serve(CHAT)),
            web.post("/v1/completions", self._serve(COMPLETIONS)),
            *(web.post(path, self._serve(task)) for path, task in TASKS.items()),
            web.post("/v1/responses", self._serve(responses)),
            web.post("/v1/responses/input_tokens", self._serve(count_input)),
            web.get("/v1/responses/{response_id}", stored.show),
            web.delete("/v1/responses/{response_id}", stored.delete),
            web.get("/v1/responses/{response_id}/input_items", stored.list_input),
            web.post("/v1/messages", self._serve(MESSAGES)),
            web.post(AI_STUDIO + "/models/{model}:{method}", self.serve_gemini),
            web.post(VERTEX + "/models/{model}:{method}", self.serve_gemini),
            web.post("/model/{model}/{operation:converse|converse-stream}", self._serve(CONVERSE)),
            web.get("/v1/models", listings.list_models),
            web.get("/v1beta/models", listings.list_gemini),
            web.get(AI_STUDIO + "/models/{model}", listings.show_gemini),
            web.get("/v1/credits", self._account.tell),
            web.post("/v1/credits", self._account.change),
            web.get("/health", self.report_health),
            web.get("/stats", self.report_stats),
            web.post("/reset", self.reset),
        ]

    async def serve_gemini(self, request: web.Request) -> web.StreamResponse:
        endpoint = GEMINI_METHODS.get(request.match_info["method"])
        if endpoint is None:
            raise web.HTTPNotFound
        return await self._exchange.serve(request, endpoint)

    async def report_health(self, request: web.Request) -> web.Response:
        return _json({"status": "ok"})

    async def report_stats(self, request: web.Request) -> web.Response:
        recent = request.query.get("recent", "0")
        stats = self._exchange.stats
        return _json(stats.describe(recent=int(recent) if recent.isdigit() else 0))

    async def reset(self, request: web.Request) -> web.Response:
        self._exchange.stats.reset()
        self._exchange.cache.clear()
        self._responses.clear()
        self._account.reset()
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


def _json(body: dict[str, Any]) -> web.Response:
    return web.Response(body=orjson.dumps(body), content_type="application/json")
