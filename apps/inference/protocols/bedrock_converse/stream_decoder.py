"""A Converse stream, from Amazon's events to ours.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStreamOutput.html
Only tool calls announce their block; text and reasoning begin with their first delta. Usage comes in ``metadata``, after the
stop reason, and is the last event. Blocks of tools that run at Amazon are passed over.
"""

from collections.abc import Iterable
from typing import Any

import orjson

from apps.catalog.providers.spec import Wire
from apps.inference.canonical.codec import Json
from apps.inference.canonical.events import (
    BlockDelta,
    BlockFinished,
    BlockKind,
    BlockStarted,
    Event,
    Finished,
    Opaque,
    Started,
    UpstreamError,
    UsageReported,
)
from apps.inference.canonical.eventstream import EventStreamDecoder
from apps.inference.canonical.failures import MalformedUpstream
from apps.inference.canonical.sse import SseRecord
from apps.inference.protocols.bedrock_converse.finish import decode_finish
from apps.inference.protocols.bedrock_converse.usage import decode_usage

_WIRE = Wire.BEDROCK_CONVERSE


class ConverseStreamDecoder:
    __slots__ = (
        "_blocks", "_calls_tools", "_count", "_empty_calls", "_redacted", "_stop_reason", "_usage",
        "ended",
    )  # fmt: skip

    def __init__(self) -> None:
        self.ended = False
        self._blocks: dict[int, int] = {}
        """Amazon's index of each open block to ours."""
        self._empty_calls: set[int] = set()
        """Open calls of which no argument has come yet."""
        self._redacted: dict[int, list[str]] = {}
        self._count = 0
        self._calls_tools = False
        self._stop_reason: Any = None
        self._usage: object = None

    def feed(self, record: SseRecord) -> Iterable[Event]:
        """Events of one message. Kinds that we do not know are skipped."""
        if not record.data:
            return ()
        try:
            payload = orjson.loads(record.data)
            return self._read(record.event, payload)
        except (AttributeError, KeyError, TypeError, ValueError) as wrong:
            raise MalformedUpstream(f"not a Converse event: {wrong!r}") from wrong

    @property
    def has_reason(self) -> bool:
        return bool(self._stop_reason)

    def flush(self) -> Iterable[Event]:
        """Closes the open blocks, then usage and the finish reason, as far as the provider sent them."""
        events: list[Event] = []
        for index in list(self._blocks):
            events += self._stop(index)
        if self._usage:
            events.append(UsageReported(decode_usage(self._usage)))
        finish = decode_finish(self._stop_reason, calls_tools=self._calls_tools)
        if isinstance(finish, UpstreamError):
            events.append(finish)
        elif finish is not None:
            events.append(Finished(finish))
        return events

    def _read(self, kind: str, payload: Json) -> list[Event]:
        match kind:
            case "contentBlockDelta":
                return self._delta(payload["contentBlockIndex"], payload["delta"])
            case "contentBlockStart":
                return self._start(payload["contentBlockIndex"], payload["start"])
            case "contentBlockStop":
                return self._stop(payload["contentBlockIndex"])
            case "messageStart":
                return [Started("", "")]
            case "messageStop":
                self._stop_reason = payload["stopReason"]
                return []
            case "metadata":
                self._usage = payload.get("usage")
                self.ended = True
                return []
            case _:
                return _failure(kind, payload)

    def _start(self, place: int, start: Json) -> list[Event]:
        use = start.get("toolUse")
        if use is None or use.get("type"):
            return []
        self._calls_tools = True
        index = self._open(place)
        self._empty_calls.add(index)
        name, call_id = _text(use["name"]), _text(use["toolUseId"])
        return [BlockStarted(index, BlockKind.TOOL_CALL, call_id, name)]

    def _delta(self, place: int, delta: Json) -> list[Event]:
        if (text := delta.get("text")) is not None:
            return self._prose(place, BlockKind.TEXT, _text(text))
        if (use := delta.get("toolUse")) is not None:
            return self._arguments(place, _text(use["input"]))
        if (thought := delta.get("reasoningContent")) is None:
            return []
        if (data := thought.get("redactedContent")) is not None:
            self._redacted.setdefault(place, []).append(_text(data))
            return []
        text, signature = _text(thought.get("text") or ""), _text(thought.get("signature") or "")
        return self._prose(place, BlockKind.REASONING, text, signature)

    def _prose(self, place: int, kind: BlockKind, text: str, signature: str = "") -> list[Event]:
        if not text and not signature:
            return []
        events: list[Event] = []
        if place not in self._blocks:
            events.append(BlockStarted(self._open(place), kind))
        origin = _WIRE if signature else None
        return [*events, BlockDelta(self._blocks[place], text, signature, origin)]

    def _arguments(self, place: int, text: str) -> list[Event]:
        index = self._blocks.get(place)
        if index is None or not text:
            return []
        self._empty_calls.discard(index)
        return [BlockDelta(index, text)]

    def _stop(self, place: int) -> list[Event]:
        if redacted := self._redacted.pop(place, None):
            data = "".join(redacted)
            thought = {"reasoningContent": {"redactedContent": data}}
            return [Opaque(_WIRE, thought, redacted=data)]
        index = self._blocks.pop(place, None)
        if index is None:
            return []
        whole = [BlockDelta(index, "{}")] if index in self._empty_calls else []
        return [*whole, BlockFinished(index)]

    def _open(self, place: int) -> int:
        index = self._blocks[place] = self._count
        self._count += 1
        return index


def _failure(kind: str, payload: Json) -> list[Event]:
    """Exceptions of the stream have names of that kind; errors of the connection, codes such as ``InternalFailure``."""
    if kind.endswith(("Exception", "Error", "Failure")):
        return [UpstreamError(kind, str(payload.get("message") or ""))]
    return []


def _text(value: Any) -> str:
    if type(value) is not str:
        raise TypeError("a text is not a string")
    return value


def framing() -> EventStreamDecoder:
    return EventStreamDecoder()


def stream_decoder() -> ConverseStreamDecoder:
    return ConverseStreamDecoder()
