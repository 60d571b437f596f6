"""A Messages stream, from Anthropic's events to ours.

https://docs.claude.com/en/docs/build-with-claude/streaming
Blocks arrive one after the other. Those that we have no word for are gathered and leave whole, as ``Opaque``.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson

from apps.catalog.providers.spec import Wire
from apps.inference.canonical.codec import Json
from apps.inference.canonical.events import (
    BlockDelta,
    BlockFinished,
    BlockKind,
    BlockStarted,
    Cited,
    Event,
    Finished,
    Started,
    UpstreamError,
    UsageReported,
)
from apps.inference.canonical.failures import MalformedUpstream
from apps.inference.canonical.sse import SseDecoder, SseRecord
from apps.inference.protocols.anthropic_messages.citations import decode_citations
from apps.inference.protocols.anthropic_messages.response import (
    decode_finish,
    opaque_block,
    reported_error,
)
from apps.inference.protocols.anthropic_messages.usage import decode_usage

_KINDS = {
    "text": BlockKind.TEXT,
    "thinking": BlockKind.REASONING,
    "tool_use": BlockKind.TOOL_CALL,
}


@dataclass(slots=True)
class _Block:
    """One block of the provider's; ``index`` is ours, None for a block that is gathered."""

    start: Json
    index: int | None
    has_input: bool = False
    gathered: list[str] = field(default_factory=list)


class AnthropicStreamDecoder:
    __slots__ = (
        "_blocks", "_calls_tools", "_count", "_stop_reason", "_stop_sequence", "_usage", "ended",
    )  # fmt: skip

    def __init__(self) -> None:
        self.ended = False
        self._blocks: dict[int, _Block] = {}
        """Open blocks by the provider's index."""
        self._count = 0
        self._calls_tools = False
        self._stop_reason: str | None = None
        self._stop_sequence: str | None = None
        self._usage: Json = {}

    def feed(self, record: SseRecord) -> Iterable[Event]:
        """Events of one record. Kinds of record that we do not know are skipped, as Anthropic asks of its clients."""
        if not record.data:
            return ()
        try:
            payload = orjson.loads(record.data)
            return self._read(payload, payload.get("type") or record.event)
        except (AttributeError, KeyError, TypeError, ValueError) as wrong:
            raise MalformedUpstream(f"not a message event: {wrong!r}") from wrong

    @property
    def has_reason(self) -> bool:
        return self._stop_reason is not None

    def flush(self) -> Iterable[Event]:
        """Closes the open blocks, then usage and the finish reason, as far as the provider sent them.

        A gathered block that was cut is left out: half of it means nothing.
        """
        events: list[Event] = [
            BlockFinished(block.index) for block in self._blocks.values() if block.index is not None
        ]
        self._blocks.clear()
        if self._usage:
            events.append(UsageReported(decode_usage(self._usage)))
        reason = decode_finish(self._stop_reason, calls_tools=self._calls_tools)
        if reason is not None:
            events.append(Finished(reason, self._stop_sequence))
        return events

    def _read(self, payload: Json, kind: str) -> Iterable[Event]:
        match kind:
            case "content_block_delta":
                return self._read_delta(self._blocks[payload["index"]], payload["delta"])
            case "content_block_start":
                return self._start_block(payload["index"], payload["content_block"])
            case "content_block_stop":
                return self._stop_block(payload["index"])
            case "message_start":
                message = payload["message"]
                self._merge_usage(message.get("usage"))
                return [Started(str(message.get("id") or ""), str(message.get("model") or ""))]
            case "message_delta":
                self._read_message_delta(payload)
                return ()
            case "message_stop":
                self.ended = True
                return ()
            case "error":
                return [reported_error(payload) or UpstreamError("", "")]
            case _:
                return ()

    def _read_message_delta(self, payload: Json) -> None:
        delta = payload.get("delta") or {}
        if reason := delta.get("stop_reason"):
            self._stop_reason = str(reason)
        if sequence := delta.get("stop_sequence"):
            self._stop_sequence = str(sequence)
        self._merge_usage(payload.get("usage"))

    def _merge_usage(self, usage: Any) -> None:
        """Counts are cumulative, and later records leave some out; a zero never takes back a count."""
        if isinstance(usage, dict):
            self._usage |= {
                name: value for name, value in usage.items() if value or name not in self._usage
            }

    def _start_block(self, provider_index: int, start: Json) -> list[Event]:
        kind = _KINDS.get(start["type"])
        if kind is None:
            self._blocks[provider_index] = _Block(start, None)
            return []
        index = self._count
        self._count += 1
        self._blocks[provider_index] = _Block(start, index)
        if kind is BlockKind.TOOL_CALL:
            self._calls_tools = True
            return [BlockStarted(index, kind, str(start["id"]), str(start["name"]))]
        events: list[Event] = [BlockStarted(index, kind)]
        text = _text(start.get("text") or start.get("thinking") or "")
        signature = _text(start.get("signature") or "")
        if text or signature:
            events.append(BlockDelta(index, text, signature, _origin_of(signature)))
        events.extend(Cited(index, one) for one in decode_citations(start.get("citations")))
        return events

    def _read_delta(self, block: _Block, delta: Json) -> Iterable[Event]:
        if block.index is None:
            block.gathered.append(delta.get("partial_json") or "")
            return ()
        match delta["type"]:
            case "text_delta":
                return (BlockDelta(block.index, _text(delta["text"])),)
            case "thinking_delta":
                return (BlockDelta(block.index, _text(delta["thinking"])),)
            case "input_json_delta":
                if not (text := _text(delta["partial_json"])):
                    return ()
                block.has_input = True
                return (BlockDelta(block.index, text),)
            case "signature_delta":
                signature = _text(delta["signature"])
                return (BlockDelta(block.index, "", signature, _origin_of(signature)),)
            case "citations_delta":
                found = decode_citations([delta["citation"]])
                return tuple(Cited(block.index, citation) for citation in found)
            case _:
                return ()

    def _stop_block(self, provider_index: int) -> list[Event]:
        block = self._blocks.pop(provider_index)
        if block.index is None:
            return [opaque_block(_gathered(block))]
        events: list[Event] = [BlockFinished(block.index)]
        if block.start["type"] == "tool_use" and not block.has_input:
            # No arguments, or a host that puts all of them into the start of the block.
            arguments = orjson.dumps(block.start.get("input") or {}).decode()
            events.insert(0, BlockDelta(block.index, arguments))
        return events


def _text(value: Any) -> str:
    if type(value) is not str:
        raise TypeError("a text is not a string")
    return value


def _origin_of(signature: str) -> Wire | None:
    return Wire.ANTHROPIC_MESSAGES if signature else None


def _gathered(block: _Block) -> Json:
    """The whole block: what it started with, and the input that followed in fragments."""
    text = "".join(block.gathered)
    return block.start | {"input": orjson.loads(text)} if text else block.start


def framing() -> SseDecoder:
    return SseDecoder()


def stream_decoder() -> AnthropicStreamDecoder:
    return AnthropicStreamDecoder()
