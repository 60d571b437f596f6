"""A Chat Completions stream for a client, from events to chunks.

https://platform.openai.com/docs/api-reference/chat/streaming
Grammar: role chunk, delta chunks, one finish chunk, the usage chunk if asked for, ``[DONE]``.
Everything but the delta is the same in every chunk of an answer, so it is written once.
"""

from typing import assert_never

import orjson

from apps.catalog.providers.spec import Wire
from apps.common.errors import GatewayzError
from apps.common.usage import Usage
from apps.inference.canonical.codec import AnswerIdentity, Json, PriceUsage
from apps.inference.canonical.events import (
    BlockDelta,
    BlockFinished,
    BlockKind,
    BlockStarted,
    Citation,
    Cited,
    Event,
    Finished,
    FinishReason,
    Opaque,
    Started,
    UpstreamError,
    UsageReported,
)
from apps.inference.canonical.sse import encode_record
from apps.inference.canonical.text_tools import to_input
from apps.inference.protocols.openai_chat.custom_tools import custom_call, echoed_custom_names
from apps.inference.protocols.openai_chat.errors import encode_stream_error
from apps.inference.protocols.openai_chat.functions import wants_functions
from apps.inference.protocols.openai_chat.google_keys import encode_signature
from apps.inference.protocols.openai_chat.media import encode_pictures, encode_sound
from apps.inference.protocols.openai_chat.response import (
    encode_annotation,
    encode_finish,
    made_up_call_id,
)
from apps.inference.protocols.openai_chat.usage import encode_usage

_DELTA_KEYS = {
    BlockKind.TEXT: "content",
    BlockKind.REASONING: "reasoning_content",
    BlockKind.REFUSAL: "refusal",
}


class OpenAIStreamEncoder:
    __slots__ = (
        "_calls", "_citations", "_custom", "_finish", "_has_functions", "_head", "_identity", "_keys", "_length", "_pictures",
        "_price",        "_started", "_starts", "_tail", "_text_calls", "_wants_usage",
    )  # fmt: skip

    def __init__(self, *, identity: AnswerIdentity, price: PriceUsage, include_usage: bool) -> None:
        self._identity = identity
        self._price = price
        self._wants_usage = include_usage
        self._has_functions = wants_functions(identity.echo)
        """The client knows one call, in the form that tools had before they were tools."""
        self._started = False
        self._finish: FinishReason | None = None
        self._keys: dict[int, str] = {}
        """Delta key of each block of prose."""
        self._calls: dict[int, int] = {}
        """Our block index to OpenAI's index of the tool call."""
        self._custom = echoed_custom_names(identity.echo)
        self._text_calls: dict[int, list[str]] = {}
        """Arguments so far of the calls that take text, by our block index: it is taken out when they are whole."""
        self._pictures = 0
        """How many have been told."""
        self._length = 0
        """Characters of the answer's text so far."""
        self._starts: dict[int, int] = {}
        """Where in the answer's text each block of text begins."""
        self._citations: dict[int, list[Citation]] = {}
        """Of the blocks of text that are open: a span may end where the block does."""
        self._head, self._tail = self._frame()

    def feed(self, event: Event) -> bytes:
        """Chunks for the client, possibly none. Errors are the caller's to encode."""
        match event:
            case BlockDelta():
                return self._delta(event)
            case BlockStarted():
                return self._role() + self._open(event)
            case Started():
                return self._role()
            case Finished():
                self._finish = event.reason
                return b""
            case Opaque():
                return self._beside(event)
            case Cited():
                self._citations.setdefault(event.index, []).append(event.citation)
                return b""
            case BlockFinished():
                return self._annotations(event.index) + self._text_call(event.index)
            case UsageReported() | UpstreamError():
                return b""
            case _ as never:
                assert_never(never)

    def finish(self, usage: Usage) -> bytes:
        """Call it for an answer that ended well; without a Finished event the reason given is ``stop``."""
        records = [self._role(), self._finish_chunk()]
        if self._wants_usage:
            records.append(self._usage_chunk(usage))
        records.append(encode_record(b"[DONE]"))
        return b"".join(records)

    def fail(self, error: GatewayzError) -> bytes:
        return encode_stream_error(error, request_id=self._identity.id)

    def _role(self) -> bytes:
        if self._started:
            return b""
        self._started = True
        return self._chunk({"role": "assistant", "content": "", "refusal": None})

    def _open(self, block: BlockStarted) -> bytes:
        if block.kind is not BlockKind.TOOL_CALL:
            self._keys[block.index] = _DELTA_KEYS[block.kind]
            self._starts[block.index] = self._length
            return b""
        position = self._calls[block.index] = len(self._calls)
        if self._has_functions:
            function = {"name": block.tool_name, "arguments": ""}
            return self._chunk({"function_call": function}) if position == 0 else b""
        made_up = made_up_call_id(answer_id=self._identity.id, position=position)
        call = {
            "index": position,
            "id": block.tool_call_id or made_up,
            "type": "function",
            "function": {"name": block.tool_name, "arguments": ""},
            **encode_signature(block.signature, block.origin),
        }
        if block.tool_name in self._custom:
            self._text_calls[block.index] = []
            del call["function"]
            call |= custom_call(block.tool_name, "")
        return self._chunk({"tool_calls": [call]})

    def _delta(self, event: BlockDelta) -> bytes:
        key = self._keys.get(event.index)
        if key == "content":
            self._length += len(event.text)
        proof = encode_signature(event.signature, event.origin) if key == "content" else {}
        if proof:
            return self._chunk({"content": event.text, **proof})
        if not event.text:
            return b""  # a signature of reasoning: OpenAI has no place for it
        if key is not None:
            return self._chunk({key: event.text})
        if event.index in self._text_calls:
            self._text_calls[event.index].append(event.text)
            return b""
        function, position = {"arguments": event.text}, self._calls[event.index]
        if self._has_functions:
            return self._chunk({"function_call": function}) if position == 0 else b""
        return self._chunk({"tool_calls": [{"index": position, "function": function}]})

    def _beside(self, part: Opaque) -> bytes:
        delta: Json = {}
        if part.wire == Wire.OPENAI_CHAT:
            delta = part.payload
        elif images := encode_pictures(part, position=self._pictures):
            self._pictures += len(images)
            delta = {"images": images}
        elif part.sound:
            identity = self._identity
            said = encode_sound(part.sound, answer_id=identity.id, created=identity.created)
            delta = {"audio": said}
        return self._role() + self._chunk(delta) if delta else b""

    def _text_call(self, index: int) -> bytes:
        arguments = self._text_calls.pop(index, None)
        if arguments is None:
            return b""
        custom = {"input": to_input("".join(arguments))}
        return self._chunk({"tool_calls": [{"index": self._calls[index], "custom": custom}]})

    def _annotations(self, index: int) -> bytes:
        citations = self._citations.pop(index, None)
        if not citations:
            return b""
        offset = self._starts[index]
        length = self._length - offset
        found = [encode_annotation(one, length=length, offset=offset) for one in citations]
        return self._chunk({"annotations": found})

    def _chunk(self, delta: Json) -> bytes:
        return self._head + orjson.dumps(delta) + self._tail

    def _finish_chunk(self) -> bytes:
        choice = {
            "index": 0,
            "delta": {},
            "logprobs": None,
            "finish_reason": encode_finish(self._finish, identity=self._identity),
        }
        chunk = self._envelope() | {"choices": [choice]}
        if self._wants_usage:
            chunk["usage"] = None
        return encode_record(orjson.dumps(chunk))

    def _usage_chunk(self, usage: Usage) -> bytes:
        chunk = self._envelope() | {"choices": [], "usage": encode_usage(usage, price=self._price)}
        return encode_record(orjson.dumps(chunk))

    def _envelope(self) -> Json:
        return {
            "id": self._identity.id,
            "object": "chat.completion.chunk",
            "created": self._identity.created,
            "model": self._identity.model,
            "system_fingerprint": None,
        }

    def _frame(self) -> tuple[bytes, bytes]:
        """What stands before and after the delta of a chunk."""
        envelope = orjson.dumps(self._envelope())
        head = b"data: " + envelope[:-1] + b',"choices":[{"index":0,"delta":'
        usage = b',"usage":null' if self._wants_usage else b""
        return head, b',"logprobs":null,"finish_reason":null}]' + usage + b"}\n\n"


def stream_encoder(
    *, identity: AnswerIdentity, price: PriceUsage, include_usage: bool
) -> OpenAIStreamEncoder:
    return OpenAIStreamEncoder(identity=identity, price=price, include_usage=include_usage)
