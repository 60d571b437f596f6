"""The fixture tree as test cases, and the few moves that every test here makes.

``fixtures/<wire>/<case>/{request.json,response.json,stream.sse}`` are written by hand from the published formats. The
stream and the response of a case say the same, so each checks how the other is read; ``canonical.json`` is what they mean. A binary stream is written as
``stream.jsonl``, an event a line: ``{"<name>": <payload>}``.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from apps.catalog.providers.spec import Wire
from apps.common.usage import Usage
from apps.inference.canonical.codec import AnswerIdentity, StreamEncoder
from apps.inference.canonical.content import Block, Reasoning, Text, ToolCall
from apps.inference.canonical.events import (
    BlockDelta,
    BlockKind,
    BlockStarted,
    Event,
    Finished,
    FinishReason,
)
from apps.inference.canonical.eventstream import encode_message
from apps.inference.canonical.response import ChatResponse, is_half
from apps.inference.canonical.sse import SseRecord
from apps.inference.protocols import CODECS
from tests.protocols.grammars import check_own_stream

FIXTURES = Path(__file__).parent / "fixtures"
IDENTITY = AnswerIdentity(id="gen-1", model="acme/model", created=1_753_000_000)
USAGE = Usage(input=10, cache_read=5, cache_write_5m=2, output=7, reasoning=3)


@dataclass(frozen=True)
class Case:
    wire: Wire
    name: str

    def __str__(self) -> str:
        return f"{self.wire}-{self.name}"

    @property
    def request(self) -> dict[str, Any]:
        """As the surface hands it to the codec."""
        return received(self.wire, self._json("request.json"))

    @property
    def response(self) -> dict[str, Any]:
        return self._json("response.json")

    @property
    def stream(self) -> bytes:
        folder = FIXTURES / self.wire / self.name
        if self.wire is not Wire.BEDROCK_CONVERSE:
            return (folder / "stream.sse").read_bytes()
        lines = (folder / "stream.jsonl").read_bytes().splitlines()
        events = [event for line in lines for event in orjson.loads(line).items()]
        return b"".join(encode_message(orjson.dumps(data), event=name) for name, data in events)

    def _json(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = orjson.loads((FIXTURES / self.wire / self.name / name).read_bytes())
        return found


CASES = [Case(Wire(folder.parent.name), folder.name) for folder in sorted(FIXTURES.glob("*/*/"))]
SSE_CASES = [case for case in CASES if case.wire is not Wire.BEDROCK_CONVERSE]
WIRES = list(CODECS)
PAIRS = [(case, wire) for case in CASES for wire in WIRES if wire is not case.wire]
MODEL_IN_URL = frozenset({Wire.GEMINI, Wire.BEDROCK_CONVERSE})


def received(wire: Wire, body: dict[str, Any], *, model: str = "m") -> dict[str, Any]:
    """A body with what some wires have in the URL instead, as their surfaces put it in."""
    return {"model": model, **body} if wire in MODEL_IN_URL else body


def price(usage: Usage) -> dict[str, Any]:
    return {"cost": 0.00125, "cost_details": {"input": 0.001, "output": 0.00025}}


def portions(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


def records_of(chunks: Iterable[bytes], wire: Wire = Wire.OPENAI_CHAT) -> list[SseRecord]:
    framing = CODECS[wire].framing()
    records = [record for chunk in chunks for record in framing.feed(chunk)]
    return records + framing.flush()


def events_of(wire: Wire, chunks: Iterable[bytes]) -> list[Event]:
    decoder = CODECS[wire].stream_decoder()
    events = [event for record in records_of(chunks, wire) for event in decoder.feed(record)]
    return events + list(decoder.flush())


def encoder_for(wire: Wire, *, include_usage: bool = True) -> StreamEncoder:
    return CODECS[wire].stream_encoder(identity=IDENTITY, price=price, include_usage=include_usage)


def encode_stream(
    wire: Wire, events: Sequence[Event], *, usage: Usage = USAGE, include_usage: bool = True
) -> bytes:
    """Fails when the stream breaks its wire's grammar."""
    encoder = encoder_for(wire, include_usage=include_usage)
    stream = b"".join(encoder.feed(event) for event in events) + encoder.finish(usage)
    check_own_stream(wire, stream)
    return stream


def breaks_off(events: Sequence[Event]) -> bool:
    """Whether a call's arguments end in the middle and no limit has cut them: nobody knows what the model meant."""
    arguments: dict[int, str] = {}
    finish: FinishReason | None = None
    for event in events:
        match event:
            case BlockStarted(kind=BlockKind.TOOL_CALL):
                arguments[event.index] = ""
            case BlockDelta() if event.index in arguments:
                arguments[event.index] += event.text
            case Finished():
                finish = event.reason
    return finish is not FinishReason.LENGTH and any(map(is_half, arguments.values()))


def with_plain_arguments(response: ChatResponse) -> ChatResponse:
    """Arguments compared as JSON: Anthropic streams them with spaces that its whole answers do not have."""
    return replace(
        response,
        blocks=tuple(
            replace(block, arguments=orjson.dumps(orjson.loads(block.arguments)).decode())
            if isinstance(block, ToolCall)
            else block
            for block in response.blocks
        ),
    )


def joined(blocks: Sequence[Block], kind: type[Text | Reasoning]) -> str:
    return "".join(block.text for block in blocks if isinstance(block, kind))
