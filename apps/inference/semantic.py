"""The semantic cache: an answer that was given to a question which means the same.

    x-gatewayz-cache: semantic          the exact answer when there is one (response_cache.py), else the nearest

Compared is what the user said last, as a vector of ``settings.SEMANTIC_CACHE_MODEL`` that comes from our own embeddings
endpoint, billed to the key that asks. Everything else of the request must be the same: model, instructions, earlier
turns, tools, parameters. Vectors are kept in the process only, since a text can be guessed from one.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import numpy
import orjson
import structlog
from django.conf import settings

from apps.catalog.providers.spec import Operation
from apps.common.errors import GatewayzError
from apps.common.ids import new_id
from apps.inference.attempts import AnswerBroken
from apps.inference.context import RequestContext
from apps.inference.delivery import Client
from apps.inference.operations import EMBEDDINGS
from apps.inference.relay import Json
from apps.inference.similar import Vector

log = structlog.get_logger(__name__)

PLAIN = ({"text"}, {"text", "type"})
"""The fields of a part of a message that is nothing but text."""

Serve = Callable[[RequestContext, Client], Awaitable[None]]


def last_words(context: RequestContext, body: Json) -> tuple[str, Json] | None:
    """What the user said last, and the request without it; None where the last turn is not a user's text alone."""
    match context.surface.operation:
        case Operation.COMPLETIONS:
            return _cut(body, "prompt")
        case Operation.CHAT:
            turns = next((name for name in ("messages", "input", "contents") if name in body), "")
        case _:
            return None
    said = body.get(turns)
    if not isinstance(said, list):
        return _cut(body, turns)
    last = said[-1] if said else None
    if not isinstance(last, dict) or last.get("role", "user") != "user":
        return None
    found = _cut(last, "parts" if "parts" in last else "content")
    return found and (found[0], {**body, turns: [*said[:-1], found[1]]})


def _cut(holder: Json, name: str) -> tuple[str, Json] | None:
    said = holder.get(name)
    if isinstance(said, list) and all(
        isinstance(part, dict) and set(part) in PLAIN and isinstance(part["text"], str)
        for part in said
    ):
        said = "\n".join([part["text"] for part in said])
    return (said, {**holder, name: ""}) if isinstance(said, str) and said.strip() else None


class _Collected:
    """A client that keeps what it gets, and leaves when it has waited for too long."""

    def __init__(self, limit: asyncio.Timeout) -> None:
        self.body = b""
        self._limit = limit

    @property
    def is_gone(self) -> bool:
        return self._limit.expired()

    async def start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        return

    async def send_body(self, body: bytes, *, more: bool) -> None:
        self.body += body


async def embed(
    context: RequestContext, text: str, serve: Serve, *, provider: Any
) -> Vector | None:
    """The text's vector, of length one; None when it cannot be had, or not soon, which the log tells.

    ``provider`` is what the request wants of its hosts: whoever may not see the text may not turn it into a vector either.
    It is a request of its own with a record of its own. The limits do not count it: they have counted the one that it is for.
    """
    body: Json = {"model": settings.SEMANTIC_CACHE_MODEL, "input": text}
    if provider is not None:
        body["provider"] = provider
    asked = RequestContext(
        id=new_id("gen"),
        surface=EMBEDDINGS,
        body=orjson.dumps(body),
        headers={},
        key=context.key,
        is_within=True,
    )
    try:
        async with asyncio.timeout(settings.SEMANTIC_CACHE_SECONDS) as limit:
            client = _Collected(limit)
            await serve(asked, client)
        numbers = orjson.loads(client.body)["data"][0]["embedding"]
        vector = numpy.asarray(numbers, dtype=numpy.float32)
        length = float(numpy.linalg.norm(vector))
        if vector.ndim != 1 or not 0 < length < float("inf"):
            raise ValueError("not a vector")
    except (GatewayzError, AnswerBroken, TimeoutError, ValueError, TypeError, LookupError) as error:
        log.warning("semantic_cache.no_vector", request_id=context.id, error=repr(error)[:200])
        return None
    return vector / numpy.float32(length)
