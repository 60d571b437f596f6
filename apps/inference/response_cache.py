"""The response cache: a client that asks for it gets the answer that the same request got before, free of charge.

    x-gatewayz-cache: on | off          opt in, or out where the key opts in (``ApiKey.cache_ttl``)
    x-gatewayz-cache: semantic          the same, and an answer to a question that means the same will do (semantic.py)
    x-gatewayz-cache-ttl: 1 … 86400     seconds that an answer is kept, and the oldest that is taken
    x-gatewayz-coalesce: on             wait for the same request that is under way in this process (coalescing.py)

The same request is the same organisation, surface, model and body, but for fields that only the gateway reads; of those counts what
limits who may answer, or what the answer may cost. Kept are whole
answers of the model that was asked for. A hit has an id of its own, no cost, and a record that says ``cached``; it is
counted as a request against the limits, and asks neither the ledger nor a provider.
"""

import re
from typing import Any

import msgspec
import orjson
from django.conf import settings

from apps.billing.services import rating
from apps.common import clock
from apps.common.errors import InvalidRequest
from apps.common.usage import UsageSource
from apps.inference import metrics
from apps.inference.context import Recalled, RequestContext
from apps.inference.costs import price_usage
from apps.inference.delivery import Client
from apps.inference.recording import (
    Answer,
    Answered,
    Headers,
    Recording,
    fingerprint,
    seal,
    send,
    unseal,
)
from apps.inference.relay import Body, Json
from apps.inference.runtime import Runtime
from apps.inference.semantic import Serve, embed, last_words
from apps.inference.similar import Vector
from apps.inference.verbatim import GATEWAY_FIELDS

SWITCH, TTL, COALESCE = "x-gatewayz-cache", "x-gatewayz-cache-ttl", "x-gatewayz-coalesce"
MODES = ("on", "off", "semantic")
SIMILARITY = b"x-gatewayz-cache-similarity"
LONGEST_SECONDS = 86_400
OF_ONE_REQUEST = frozenset(
    {
        b"x-request-id",
        b"request-id",
        b"x-gatewayz-provider",
        b"x-gatewayz-attempts",
        b"content-length",
    }
)
"""Headers that are not told again, or are made anew: no provider was asked."""


class Entry(msgspec.Struct, frozen=True):
    """An answer with what must be changed in it when it is given again."""

    answer: Answer
    id: str
    price: Json
    """The cost fields of its usage."""
    recalled: Recalled
    stored_at: float
    """Seconds since 1970."""

    @property
    def age(self) -> int:
        return max(0, int(clock.now().timestamp() - self.stored_at))


class Question(msgspec.Struct, frozen=True):
    """The last words of a request as a vector, and a name for all the rest."""

    scope: str
    vector: Vector


def is_asked_for(context: RequestContext) -> bool:
    """Whether the key or a header says anything of keeping answers."""
    assert context.key is not None
    return context.key.cache_ttl is not None or any(
        name in context.headers for name in (SWITCH, TTL, COALESCE)
    )


async def enter(
    context: RequestContext, body: Body, client: Client, runtime: Runtime, serve: Serve
) -> Client:
    """The client to answer, whose answer will be kept; the client itself when it did not ask for that.

    Raises Answered when it got what was kept, InvalidRequest for a header that is wrong.
    """
    if not is_asked_for(context):
        return client
    seconds = _seconds(context)
    coalesces = _value(context, COALESCE, MODES[:2]) == "on"
    if not (seconds or coalesces) or not context.surface.is_billed or context.echo.get("store"):
        return client
    name = _name(context, body)
    if seconds and (entry := await _find(name, seconds, runtime)):
        metrics.kept_answers.labels("cache", "hit").inc()
        await _recall(context, client, entry, [(SWITCH.encode(), b"hit")])
    question = await _question(context, body, serve) if seconds else None
    if question and (found := runtime.similar.nearest(question.scope, question.vector)):
        similar, cosine = found
        if entry := await _find(similar, seconds, runtime):
            metrics.kept_answers.labels("semantic", "hit").inc()
            told = [(SWITCH.encode(), b"hit"), (SIMILARITY, f"{cosine:.4f}".encode())]
            await _recall(context, client, entry, told)
    if coalesces and not runtime.flights.lead(name):
        if entry := await runtime.flights.follow(name):
            metrics.kept_answers.labels("coalescing", "followed").inc()
            await _recall(context, client, entry, [(b"x-gatewayz-coalesced", b"true")])
        coalesces = False
    if seconds:
        metrics.kept_answers.labels("semantic" if question else "cache", "miss").inc()

    async def keep(answer: Answer | None) -> None:
        entry = _entry(context, answer) if answer else None
        if entry and seconds and _is_of_the_model_asked_for(context):
            await runtime.response_cache.put(name, await seal(entry), seconds=seconds)
            if question:
                runtime.similar.add(question.scope, question.vector, name, seconds=seconds)
        if coalesces:
            runtime.flights.land(name, entry)

    async def land() -> None:
        runtime.flights.land(name, None)

    if coalesces:
        context.at_end += (land,)
    return Recording(
        client,
        keep=keep,
        most_bytes=settings.LARGEST_KEPT_ANSWER,
        headers=[(SWITCH.encode(), b"miss")] if seconds else [],
    )


def _seconds(context: RequestContext) -> int:
    """How long the answer is kept; 0 when it is not."""
    assert context.key is not None
    text = context.headers.get(TTL)
    if text is not None and not (
        re.fullmatch(r"[0-9]{1,5}", text) and 0 < int(text) <= LONGEST_SECONDS
    ):
        raise InvalidRequest(
            f"'{TTL}' must be a whole number of seconds from 1 to {LONGEST_SECONDS}.",
            param=TTL,
            code="invalid_value",
        )
    usual = context.key.cache_ttl
    if not (_value(context, SWITCH, MODES) != "off" if SWITCH in context.headers else usual):
        return 0
    return int(text) if text else usual or settings.CACHE_SECONDS


def _value(context: RequestContext, name: str, values: tuple[str, ...]) -> str:
    value = context.headers.get(name, "off").lower()
    if value not in values:
        raise InvalidRequest(
            f"'{name}' must be {', '.join(values[:-1])} or {values[-1]}.",
            param=name,
            code="invalid_value",
        )
    return value


async def _question(context: RequestContext, body: Body, serve: Serve) -> Question | None:
    """What the request asks, where it wants a similar answer and one can be looked for."""
    if context.headers.get(SWITCH, "").lower() != "semantic":
        return None
    if not settings.SEMANTIC_CACHE_MODEL:
        raise InvalidRequest(
            f"This gateway keeps no answers for similar questions; '{SWITCH}' may be on or off.",
            param=SWITCH,
            code="invalid_value",
        )
    if not isinstance(body, dict):
        return None
    cut = last_words(context, body)
    vector = await embed(context, cut[0], serve, provider=body.get("provider")) if cut else None
    if cut is None or vector is None:
        return None
    return Question(_name(context, cut[1], settings.SEMANTIC_CACHE_MODEL), vector)


def _name(context: RequestContext, body: Body, *more: str) -> str:
    assert context.key is not None
    assert context.model is not None
    said = (
        str(context.key.organization_id),
        context.surface.name,
        context.model.id,
        # What a client asks of Anthropic in headers shapes the answer too.
        context.headers.get("anthropic-version", ""),
        context.headers.get("anthropic-beta", ""),
        # An answer of a host that this request may not ask is none for it, nor one that another bound has cut short.
        context.constraints,
        "" if context.max_cost is None else str(context.max_cost),
        *more,
    )
    return f"cache:{fingerprint(body, *said, without=GATEWAY_FIELDS)}"


async def _find(name: str, seconds: int, runtime: Runtime) -> Entry | None:
    sealed = await runtime.response_cache.get(name)
    entry = await unseal(sealed, Entry) if sealed is not None else None
    return entry if entry and entry.age < seconds else None


def _is_of_the_model_asked_for(context: RequestContext) -> bool:
    assert context.model is not None
    target = context.progress.target
    return target is not None and target.offering.model_id == context.model.id


def _entry(context: RequestContext, answer: Answer) -> Entry | None:
    """None for an answer whose use is not known yet; there is none so far."""
    progress = context.progress
    if progress.target is None or progress.usage is None:
        return None
    was_reported = progress.usage is progress.tally.usage
    return Entry(
        answer=answer,
        id=context.id,
        price=price_usage(context, progress.target)(progress.usage),
        recalled=Recalled(
            model=progress.target.offering.model_id,
            finish_reason=progress.tally.finish_reason,
            usage=progress.usage,
            source=UsageSource.PROVIDER if was_reported else UsageSource.COUNTED,
            cost=rating.cost(progress.usage, progress.target.rates).total,
        ),
        stored_at=clock.now().timestamp(),
    )


async def _recall(context: RequestContext, client: Client, entry: Entry, more: Headers) -> None:
    """Give the answer again as one of this request's own. Raises Answered."""
    progress = context.progress
    context.recalled = entry.recalled
    pieces = [_made_anew(piece, context.id, entry) for piece in entry.answer.pieces]
    headers = [
        *(one for one in entry.answer.headers if one[0] not in OF_ONE_REQUEST),
        *context.id_headers(),
        *context.limit_headers,
        *more,
        (b"age", str(entry.age).encode()),
    ]
    if any(name == b"content-length" for name, _ in entry.answer.headers):
        headers.append((b"content-length", str(sum(map(len, pieces))).encode()))
    progress.first_content_at = clock.monotonic()
    progress.delivered = True
    await send(client, Answer(entry.answer.status, headers, pieces), headers)
    raise Answered


def _made_anew(piece: bytes, new_id: str, entry: Entry) -> bytes:
    """With the new id, and at no cost. The cost's fields are found by their values, side by side as the gateway wrote them:
    nothing that a model says looks like that."""
    free = {name: _free_of_charge(value) for name, value in entry.price.items()}
    return piece.replace(entry.id.encode(), new_id.encode()).replace(
        _side_by_side(entry.price), _side_by_side(free)
    )


def _side_by_side(fields: Json) -> bytes:
    return orjson.dumps(fields)[1:-1]


def _free_of_charge(value: Any) -> Any:
    if isinstance(value, dict):
        return dict.fromkeys(value, 0.0)
    return False if isinstance(value, bool) else 0.0
