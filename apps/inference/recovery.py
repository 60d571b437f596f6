"""Recovery: going on with a stream whose host failed after part of it had reached the client.

``match`` asks the next host for the whole answer and shows what it says beyond the client's part, as long as it began
with exactly that. ``continue`` also gives the client's part to a host that goes on from there, and says so in the last
record. One recovery a request, by a host of the same model; the client pays for one answer, at that host's price.
"""

from collections.abc import Iterator
from contextlib import aclosing
from typing import Any

import msgspec
import orjson
from msgspec.structs import replace
from typing_extensions import override

from apps.catalog.providers.spec import Wire
from apps.common.errors import InvalidRequest
from apps.common.usage import Usage
from apps.inference import upstream
from apps.inference.cached_input import reader_of_stream
from apps.inference.canonical.codec import Codec, StreamEncoder
from apps.inference.canonical.events import Event, UsageReported
from apps.inference.context import RequestContext
from apps.inference.delivery import Client, Delivery, Lanes, shape_of
from apps.inference.limits import LIMITS, WITHIN
from apps.inference.needs import STOPS
from apps.inference.planner import Target
from apps.inference.protocols import CODECS
from apps.inference.protocols.openai_responses.stream_encoder import ResponsesStreamEncoder
from apps.inference.relay import UNREADABLE, AnswerShape, Body, Json, StreamRelay
from apps.inference.splice import Said, Splice, read_said
from apps.inference.tokens import count
from apps.inference.translated import TranslatedStream, told
from apps.inference.verbatim import VERBATIM_WIRES
from apps.keys.selectors import Recover

TRIMS = frozenset({Wire.ANTHROPIC_MESSAGES, Wire.BEDROCK_CONVERSE})
"""Wires that refuse a beginning that ends in white space."""


def is_possible(context: RequestContext, body: Body) -> bool:
    """Whether what the client gets is worth keeping: it is a stream of one answer, in words, and somebody else has the model."""
    facts, targets = context.facts, context.targets
    assert facts is not None
    return (
        context.recover is not Recover.OFF
        and facts.stream
        and facts.choices == 1
        and len(targets) > 1
        and not context.surface.is_passed_on
        and context.surface.wire in VERBATIM_WIRES
        and isinstance(body, dict)
        and not body.get("logprobs")
        and "audio_output" not in facts.needs
    )


class Begun(msgspec.Struct, frozen=True):
    """An answer that its host did not end."""

    context: RequestContext
    body: Json
    by: Target
    """Its host."""
    said: Said
    encoder: StreamEncoder

    def ways(
        self, client: Client, lanes: Lanes, target: Target, *, is_last: bool
    ) -> Iterator["RecoveredDelivery"]:
        """How this host may go on, the cheaper way first: a host may refuse the beginning that it is given."""
        text = self.said.open_text
        if target.endpoint.wire in TRIMS:
            text = text.rstrip()
        if self.context.recover is Recover.CONTINUE and target.offering.takes_prefill and text:
            body = continued(self.context.surface.wire, self.body, text)
            if body is not None:
                yield RecoveredDelivery(self, client, body, {}, target, is_last=is_last, given=text)
        yield RecoveredDelivery(self, client, self.body, lanes, target, is_last=is_last)


def begin(context: RequestContext, body: Body) -> Begun | None:
    """None when nobody can go on from what the client has."""
    sent, target = context.sent, context.progress.target
    if sent is None:
        return None
    assert isinstance(body, dict)
    assert target is not None
    wire = context.surface.wire
    try:
        said = read_said(wire, sent.pieces)
    except UNREADABLE:  # the client was passed on what only the first host understands
        return None
    if not said.is_recoverable:
        return None
    try:
        echo = CODECS[wire].decode_request(body).echo
    except InvalidRequest:  # a host of the client's wire may know what we do not
        echo = {}
    encoder = encoder_after(said, wire, told(shape_of(context, target), echo))
    return Begun(context, body, target, said, encoder)


def encoder_after(said: Said, wire: Wire, shape: AnswerShape) -> StreamEncoder:
    """One that has written what the client has, and knows of nothing else: a host may have begun what was not shown."""
    encoder = CODECS[wire].stream_encoder(
        identity=shape.identity, price=shape.price, include_usage=shape.include_usage
    )
    for event in said.events:
        encoder.feed(event)
    if isinstance(encoder, ResponsesStreamEncoder):
        encoder.resume(orjson.loads(record.data) for record in said.records)
    return encoder


class RecoveredDelivery(Delivery):
    """``run`` raises UpstreamFault; the client has seen nothing of this host as long as it has not switched."""

    has_switched = False

    def __init__(
        self,
        begun: Begun,
        client: Client,
        body: Body,
        lanes: Lanes,
        target: Target,
        *,
        is_last: bool,
        given: str = "",
    ) -> None:
        super().__init__(begun.context, client, body, lanes, target, is_last=is_last)
        self.mode = Recover.CONTINUE if given else Recover.MATCH
        self._begun = begun
        self._given = given

    @override
    async def _deliver_stream(self, call: upstream.Call) -> None:
        relay = RecoveredStream(
            Splice(self._begun.encoder, self._begun.said, given=self._given),
            upstream=CODECS[self.target.endpoint.wire],
            client_wire=self._context.surface.wire,
            given=self._given,
            note={"recovered": self.mode.value, "provider": self.target.offering.provider.slug},
        )
        cover = self._context.cover
        reader = reader_of_stream(relay, self.target)
        async with aclosing(upstream.stream(call, reader)) as pieces:
            async for piece in pieces:
                self._switch(relay)
                await self._client.send_body(piece, more=True)
                if cover and relay.tally.output_bytes + relay.tally.reasoning_bytes > cover.until:
                    await cover.grow(relay.tally, self.target)
        self._switch(relay)
        await self._finish_stream(relay)

    def _switch(self, relay: StreamRelay) -> None:
        """From here on the answer is this host's: until it has said what the client has, the first one's part is billed."""
        self.has_switched = True
        progress = self._context.progress
        progress.target, progress.relay, progress.tally = self.target, relay, relay.tally


class RecoveredStream(TranslatedStream):
    """The next host's stream, of which the client sees what it does not have yet.

    ``given`` is the text that the host was told and goes on from: output, as in one answer.
    """

    def __init__(
        self, splice: Splice, *, upstream: Codec, client_wire: Wire, given: str, note: Json
    ) -> None:
        super().__init__(upstream=upstream, encoder=splice, client_wire=client_wire)
        self._given = count(len(given.encode()))
        self._note = note
        # Counted, and yet no content: this host has said nothing so far.
        self.tally.output_bytes = len(given.encode())

    @override
    def finish(self, usage: Usage) -> bytes:
        return noted(super().finish(usage), self._note)

    @override
    def _event(self, event: Event) -> bytes:
        if isinstance(event, UsageReported) and event.usage is not None:
            event = UsageReported(as_one_answer(event.usage, self._given))
        return super()._event(event)


def as_one_answer(usage: Usage, given: int) -> Usage:
    """What the host was told of the answer is part of the answer, not of the input. Tokens."""
    return replace(usage, input=max(usage.input - given, 0), output=usage.output + given)


def noted(tail: bytes, note: Json) -> bytes:
    """The closing records with ``gatewayz`` in the last that is an object: who went on with the answer, and how."""
    start = tail.rfind(b"data: {")
    if start < 0:
        return tail
    after = start + len(b"data: {")
    return tail[:after] + b'"gatewayz":' + orjson.dumps(note) + b"," + tail[after:]


def continued(wire: Wire, body: dict[str, Any], text: str) -> dict[str, Any] | None:
    """The client's request to a host that goes on from ``text``; None when that would not end where one answer ends.

    A stop sequence may lie across the seam, and where the client's limit is used up nothing is left to ask for.
    """
    within = WITHIN.get(wire)
    limits = body.get(within) if within else body
    if not isinstance(limits, dict):
        return with_prefill(wire, body, text)
    if any(limits.get(name) for name in STOPS):
        return None
    used = count(len(text.encode()))
    left = {name: limits[name] - used for name in LIMITS[wire] if isinstance(limits.get(name), int)}
    if any(tokens <= 0 for tokens in left.values()):
        return None
    limits = {**limits, **left}
    return with_prefill(wire, {**body, within: limits} if within else limits, text)


def with_prefill(wire: Wire, body: dict[str, Any], text: str) -> dict[str, Any]:
    """The client's request with the beginning of the answer as its last message."""
    match wire:
        case Wire.GEMINI:
            said = {"role": "model", "parts": [{"text": text}]}
            return {**body, "contents": [*body["contents"], said]}
        case Wire.OPENAI_RESPONSES:
            given = body["input"]
            before = [{"role": "user", "content": given}] if isinstance(given, str) else given
            return {**body, "input": [*before, {"role": "assistant", "content": text}]}
        case _:
            return {**body, "messages": [*body["messages"], {"role": "assistant", "content": text}]}
