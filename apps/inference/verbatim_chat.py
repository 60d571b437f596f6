"""The verbatim lane's chat completion chunks: passed on as bytes, read into a few typed fields, put right where they are wrong.

What no client's SDK could read is put right: text in another place than the delta, tool calls without an index of their own.
A chunk with nothing wrong in it is never parsed twice.
"""

from typing import Any

import msgspec
import orjson

from apps.common.errors import GatewayzError
from apps.common.usage import Usage
from apps.inference.canonical.codec import Codec, MalformedUpstream
from apps.inference.canonical.failures import only_text
from apps.inference.canonical.sse import SseDecoder, SseRecord, encode_record, on_one_line
from apps.inference.protocols.openai_chat.calls import Calls
from apps.inference.protocols.openai_chat.odd_chunks import plain_chunk, regular_chunk
from apps.inference.protocols.openai_chat.reasoning import first_text
from apps.inference.protocols.openai_chat.response import made_up_call_id
from apps.inference.relay import AnswerShape, EventRelay, Json, Tally
from apps.inference.verbatim_streams import (
    count_media,
    failure_of,
    read_error,
    spellings,
    stray_error,
    with_cost,
)

# Hosts bend these types now and then (a list of parts as content, an object as arguments). What is merely passed on
# must not fail for that, so only the outer shape is typed and ``text_of`` measures the rest.


class _Function(msgspec.Struct):
    name: Any = None
    arguments: Any = None


class _Custom(msgspec.Struct):
    name: Any = None
    input: Any = None


class _ToolCall(msgspec.Struct):
    index: Any = None
    id: Any = None
    function: _Function | None = None
    custom: _Custom | None = None


class _Delta(msgspec.Struct):
    content: Any = None
    refusal: Any = None
    reasoning_content: Any = None
    reasoning: Any = None
    thinking: Any = None
    reasoning_details: Any = None
    tool_calls: list[_ToolCall] | None = None
    function_call: _Function | None = None
    """What ``tool_calls`` was before 2023."""
    images: Any = None
    audio: Any = None


class _Choice(msgspec.Struct):
    index: int | None = 0
    """None where a host with a single choice does not count it."""
    delta: _Delta | None = None
    text: Any = None
    """Of a text completion, which has no delta."""
    finish_reason: Any = None
    error: Any = None


class _Chunk(msgspec.Struct):
    id: str | None = None
    model: str | None = None
    choices: list[_Choice] | None = None
    usage: dict[str, Any] | None = None
    output: Any = None
    """Where some hosts have the text in the place of choices."""
    error: Any = None
    message: Any = None
    """Only of what is no chunk, like ``detail``."""
    detail: Any = None


_chunk = msgspec.json.Decoder(_Chunk)


CHAT_CHUNK = "chat.completion.chunk"


class ChatStream(EventRelay):
    """OpenAI chat completion chunks: https://platform.openai.com/docs/api-reference/chat/streaming.

    Text completions differ from them in ``kind`` and in where the text stands.
    """

    def __init__(self, shape: AnswerShape, codec: Codec, *, kind: str = CHAT_CHUNK) -> None:
        self.tally = Tally()
        self._shape = shape
        self._codec = codec
        self._kind = kind
        self._sse = SseDecoder()
        self._renames: tuple[tuple[bytes, bytes], ...] = ()
        self._names: tuple[str | None, str | None] = (None, None)
        self._usage_chunk: Json | None = None
        self._raw_usage: Json = {}
        self._calls: dict[int, Calls] = {}
        """The tool calls of each choice."""
        self._is_odd = False
        """The text stands in another place than the deltas."""
        self._misplaced: dict[int, list[Json]] = {}
        """What is wrong with the tool calls of the chunk that is being read, by the number of the choice."""
        self._is_output = False
        """That place is ``output``."""

    def feed(self, data: bytes) -> bytes:
        return b"".join([self._record(record) for record in self._sse.feed(data)])

    def end(self) -> bytes:
        return b"".join([self._record(record) for record in self._sse.flush()])

    def finish(self, usage: Usage) -> bytes:
        tail = b"data: [DONE]\n\n"
        if not self._shape.include_usage:
            return tail
        identity = self._shape.identity
        chunk = self._usage_chunk or {
            "object": self._kind,
            "created": identity.created,
        }
        chunk = {
            **chunk,
            "id": identity.id,
            "model": identity.model,
            "choices": [],
            "usage": with_cost(self._codec, self._raw_usage, self.tally, usage, self._shape),
        }
        return encode_record(orjson.dumps(chunk)) + tail

    def fail(self, error: GatewayzError) -> bytes:
        """The closing records of an answer that broke."""
        return self._codec.encode_stream_error(error, request_id=self._shape.identity.id)

    def _record(self, record: SseRecord) -> bytes:
        data = record.data
        if self.tally.ended or not data:  # an empty record keeps a connection alive
            return b""
        if data == b"[DONE]":
            self.tally.ended = True
            return self._missing_reasons()
        chunk = _read(data)
        if chunk.error is not None:
            self.tally.error = read_error(chunk.error)
            return b""
        if chunk.choices:
            is_odd = chunk.choices[0].delta is None and self._kind == CHAT_CHUNK
        else:
            is_odd = chunk.output is not None
        if is_odd:
            data = self._regular(data, chunk)
            chunk = _read(data)
        if chunk.choices is None and chunk.usage is None:
            self.tally.error = stray_error(record, message=chunk.message, detail=chunk.detail)
            return b""
        if _is_bent(chunk):
            data = _plain(data)
            chunk = _read(data)
        self._count(chunk)
        if self.tally.error is not None:
            return b""
        if self._misplaced:
            data = _with_calls(data, self._misplaced)
            self._misplaced = {}
        if chunk.usage is not None:
            return self._take_usage(chunk, data)
        return b"data: " + self._rename(chunk, on_one_line(data)) + b"\n\n"

    def _count(self, chunk: _Chunk) -> None:
        tally = self.tally
        position = -1
        for choice in chunk.choices or ():
            position += 1
            index = choice.index or 0
            if choice.finish_reason or choice.error:
                tally.error = failure_of(choice.finish_reason, choice.error) or tally.error
                tally.finish(choice.finish_reason)
                tally.open_choices.discard(index)
                tally.closed_choices.add(index)
            elif index not in tally.closed_choices:
                tally.open_choices.add(index)
            delta = choice.delta
            if delta is None:
                tally.add_output(only_text(choice.text))
                continue
            if delta.content is not None:
                tally.add_output(only_text(delta.content))
            if text := first_text(
                delta.reasoning_content, delta.reasoning, delta.thinking, delta.reasoning_details
            ):
                tally.add_reasoning(text)
            if delta.refusal is not None:
                tally.add_output(only_text(delta.refusal))
            if delta.images or delta.audio:
                count_media(tally, images=delta.images, audio=delta.audio)
            if delta.reasoning_details:  # encrypted, perhaps
                tally.signs += 1
            if delta.tool_calls:
                self._count_calls(delta.tool_calls)
                self._place_calls(position, index, delta.tool_calls)
            elif delta.function_call is not None:
                self._count_function(delta.function_call)

    def _count_calls(self, fragments: list[_ToolCall]) -> None:
        tally = self.tally
        tally.has_content = True
        for call in fragments:
            self._count_function(call.function)
            if call.custom is not None:
                tally.add_output(only_text(call.custom.name) + only_text(call.custom.input))

    def _place_calls(self, position: int, index: int, fragments: list[_ToolCall]) -> None:
        """Note what is wrong with the fragments of a choice, by the rules of OpenAI's SDK, which puts calls together by index."""
        calls = self._calls.get(index)
        if calls is None:
            calls = self._calls[index] = Calls()
        if len(fragments) == 1 and _goes_on(calls, fragments[0]):
            return
        changes = [self._change(calls, fragment) for fragment in fragments]
        if any(changes):
            self._misplaced[position] = changes

    def _change(self, calls: Calls, fragment: _ToolCall) -> Json:
        """What the fragment should say otherwise: its index; an id once and only once; its name once. Empty when nothing."""
        place = fragment.index if type(fragment.index) is int else None
        call_id = str(fragment.id or "")
        called = fragment.function or fragment.custom
        name = only_text(called.name) if called else ""
        begun = len(calls.in_order)
        call = calls.of(place, call_id, name)
        change: Json = {} if place == call.position else {"index": call.position}
        if len(calls.in_order) > begun:
            if not call_id:
                identity = self._shape.identity
                change["id"] = made_up_call_id(answer_id=identity.id, position=call.position)
        elif call_id:
            change["id"] = None
        if name and name == call.name:
            change["name"] = None
        call.name = call.name or name
        return change

    def _count_function(self, function: _Function | None) -> None:
        if function is not None:
            self.tally.add_output(only_text(function.name) + only_text(function.arguments))

    def _take_usage(self, chunk: _Chunk, data: bytes) -> bytes:
        """Usage is shown once, at the end, with its cost; what else the record says goes on without it."""
        if chunk.usage:  # an empty one takes nothing back
            self._raw_usage = chunk.usage
            self.tally.take_usage(self._codec.decode_usage(chunk.usage), reported=True)
        whole = orjson.loads(data)
        whole.pop("usage")
        if not chunk.choices:
            self._usage_chunk = whole
            return b""
        identity = self._shape.identity
        whole["id"], whole["model"] = identity.id, identity.model
        if self._shape.include_usage:
            whole["usage"] = None
        return encode_record(orjson.dumps(whole))

    def _regular(self, data: bytes, chunk: _Chunk) -> bytes:
        """The chunk in OpenAI's words, without which no SDK finds its text."""
        repeats = self.tally.has_content and not self._is_odd and bool(chunk.choices)
        self._is_output |= chunk.output is not None
        identity = self._shape.identity
        usual = {"object": self._kind, "created": identity.created}
        try:
            whole = {**usual, **regular_chunk(orjson.loads(data), repeats=repeats)}
            self._is_odd |= any(choice["delta"] for choice in whole["choices"])
        except (AttributeError, KeyError, TypeError) as error:
            raise MalformedUpstream(f"not a chat completion chunk: {error!r}") from error
        whole["id"], whole["model"] = identity.id, identity.model
        return orjson.dumps(whole)

    def _missing_reasons(self) -> bytes:
        """Some hosts never say why they end, and those of ``output`` may have no word for it.

        An end marker behind the meters of the whole answer is then the reason; one without them proves nothing.
        """
        tally = self.tally
        is_whole = self._is_output or (self._usage_chunk is not None and self._kind == CHAT_CHUNK)
        if not is_whole or tally.finish_reason or not tally.has_content:
            return b""
        records: list[bytes] = []
        for index in sorted(tally.open_choices) or [0]:
            reason = "tool_calls" if index in self._calls else "stop"
            tally.finish(reason)
            choice = {"index": index, "delta": {}, "finish_reason": reason}
            records.append(self._regular(orjson.dumps({"choices": [choice]}), _Chunk()))
        tally.open_choices.clear()
        return b"".join(map(encode_record, records))

    def _rename(self, chunk: _Chunk, data: bytes) -> bytes:
        if (chunk.id, chunk.model) != self._names:
            self._names = (chunk.id, chunk.model)
            identity = self._shape.identity
            self._renames = (
                *spellings(b'"id":', chunk.id, identity.id),
                *spellings(b'"model":', chunk.model, identity.model),
                *(() if self._shape.include_usage else _UNASKED_USAGE),
            )
        for old, new in self._renames:
            if old in data:
                data = data.replace(old, new, 1)
        if chunk.id is not None and self._shape.identity.id.encode() not in data:
            return self._rewrite(data)  # spelled in a way that nobody uses
        return data

    def _rewrite(self, data: bytes) -> bytes:
        whole = orjson.loads(data)
        whole["id"], whole["model"] = self._shape.identity.id, self._shape.identity.model
        return orjson.dumps(whole)


def _goes_on(calls: Calls, fragment: _ToolCall) -> bool:
    """Whether it is what nearly every fragment is: arguments of a call whose index is right."""
    called = fragment.function
    is_bare = not fragment.id and called is not None and not called.name
    return is_bare and type(fragment.index) is int and calls.is_settled(fragment.index)


def _read(data: bytes) -> _Chunk:
    try:
        return _chunk.decode(data)
    except msgspec.DecodeError as error:
        raise MalformedUpstream(f"not a chat completion chunk: {error}") from error


def _is_bent(chunk: _Chunk) -> bool:
    """Whether something is no text where clients join texts, or a choice has no number."""
    for choice in chunk.choices or ():
        if choice.index is None:
            return True
        if (delta := choice.delta) is None:
            continue
        if type(delta.content) is list or _is_object(delta.function_call):
            return True
        if delta.tool_calls and any(_is_object(call.function) for call in delta.tool_calls):
            return True
    return False


def _is_object(function: _Function | None) -> bool:
    return function is not None and type(function.arguments) in (dict, list)


def _plain(data: bytes) -> bytes:
    try:
        return orjson.dumps(plain_chunk(orjson.loads(data)))
    except (AttributeError, KeyError, TypeError) as error:
        raise MalformedUpstream(f"not a chat completion chunk: {error!r}") from error


def _with_calls(data: bytes, changes: dict[int, list[Json]]) -> bytes:
    """The chunk with its fragments of tool calls changed, by the numbers of their choices; None takes a field away."""
    whole = orjson.loads(data)
    for number, of_choice in changes.items():
        fragments = whole["choices"][number]["delta"]["tool_calls"]
        for fragment, change in zip(fragments, of_choice, strict=True):
            if "name" in change:
                called = fragment.get("function") or fragment["custom"]
                del called["name"]
            for field in ("index", "id"):
                if change.get(field) is not None:
                    fragment[field] = change[field]
                elif field in change:
                    del fragment[field]
    return orjson.dumps(whole)


_UNASKED_USAGE = ((b'"usage":null,', b""), (b'"usage": null, ', b""))
"""What providers add to every chunk because we, not the client, asked them for usage."""
