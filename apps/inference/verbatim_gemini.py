"""The verbatim lane of Gemini's generateContent: what is changed in the request, and the stream on its way back.

Model and stream flag stand in the path, so neither is in the body. Every chunk of a stream is a whole answer of its own with
the usage so far, and there is no end marker: from the first finish reason on, a chunk waits for the next one, because
the last of them is the one that gets the cost.
"""

from typing import Any

import msgspec
import orjson

from apps.catalog.providers.spec import Wire
from apps.common import json
from apps.common.errors import GatewayzError
from apps.common.usage import Usage
from apps.inference.canonical.codec import Codec, MalformedUpstream
from apps.inference.canonical.events import UpstreamError
from apps.inference.canonical.failures import only_text
from apps.inference.canonical.signatures import own_signature
from apps.inference.canonical.sse import SseDecoder, SseRecord, encode_record
from apps.inference.protocols.gemini.finish import decode_finish
from apps.inference.relay import AnswerShape, EventRelay, Json, Tally
from apps.inference.verbatim_streams import (
    read_error,
    spellings,
    stray_error,
    text_of,
    with_cost,
)

_SIGNATURES = ("thoughtSignature", "thought_signature")
"""Google takes both spellings of a name: https://protobuf.dev/programming-guides/json/#field-names."""
_NO_CONTENT = frozenset({"text", "thought", *_SIGNATURES})


def gemini_body(body: Json) -> Json:
    """The body as a host gets it, without what the path says and without what other wires have signed."""
    kept = {name: value for name, value in body.items() if name != "stream"}
    if isinstance(kept.get("contents"), list):
        kept["contents"] = [own for content in kept["contents"] if (own := _own_content(content))]
    return kept


def _own_content(content: Json) -> Json:
    """Empty when all of it was another wire's: Google refuses a content without parts."""
    parts = content.get("parts")
    if not isinstance(parts, list) or not parts:
        return content
    own = [found for part in parts if (found := _own_part(part))]
    return {**content, "parts": own} if own else {}


def _own_part(part: Json) -> Json:
    """A thought of another wire's goes; of a text or a call only the signature that Google did not make."""
    for name in _SIGNATURES:
        if not isinstance(part.get(name), str):
            continue
        own = own_signature(part[name], Wire.GEMINI)
        if own is None and part.get("thought"):
            return {}
        part = {key: value for key, value in part.items() if key != name}
        part |= {name: own} if own is not None else {}
    return part


class _Content(msgspec.Struct):
    parts: list[dict[str, Any]] | None = None


class _Candidate(msgspec.Struct, rename="camel"):
    index: int = 0
    content: _Content | None = None
    finish_reason: str | None = None
    finish_message: Any = None


class _Feedback(msgspec.Struct, rename="camel"):
    block_reason: str | None = None


class _Chunk(msgspec.Struct, rename="camel"):
    candidates: list[_Candidate] | None = None
    prompt_feedback: _Feedback | None = None
    usage_metadata: Any = None
    model_version: str | None = None
    response_id: str | None = None
    error: Any = None
    message: Any = None
    """Only of what is no chunk, like ``detail``."""
    detail: Any = None


_chunk = msgspec.json.Decoder(_Chunk)


def count_answer(answer: Json, tally: Tally) -> None:
    """What a whole answer says. Raises msgspec's ValidationError when it is not of this wire."""
    _count(msgspec.convert(answer, _Chunk), tally)


def _count(chunk: _Chunk, tally: Tally) -> None:
    for candidate in chunk.candidates or ():
        for part in (candidate.content.parts if candidate.content else None) or ():
            _count_part(part, tally)
        finish = decode_finish(
            candidate.finish_reason or "", text_of(candidate.finish_message), calls_tools=False
        )
        if finish is None:
            tally.open_choices.add(candidate.index)
            continue
        tally.open_choices.discard(candidate.index)
        if isinstance(finish, UpstreamError) and not tally.has_content:
            tally.error = (
                finish  # another host may do better; after content, Google's word for it goes on
            )
        else:
            tally.finish(candidate.finish_reason)
    if chunk.prompt_feedback is not None:  # a blocked prompt has no candidate that could say why
        tally.finish(chunk.prompt_feedback.block_reason)
        tally.is_explained |= bool(chunk.prompt_feedback.block_reason)


def _count_part(part: Json, tally: Tally) -> None:
    if text := only_text(part.get("text")):
        add = tally.add_reasoning if part.get("thought") else tally.add_output
        add(text)
    elif isinstance(call := part.get("functionCall"), dict):
        tally.add_output(text_of(call.get("name")) + text_of(call.get("args")))
    elif part.keys() - _NO_CONTENT:
        tally.signs += 1
        tally.has_content = True
    elif any(map(part.get, _SIGNATURES)):
        tally.signs += 1


class GeminiStream(EventRelay):
    """generateContent chunks: https://ai.google.dev/api/generate-content#method:-models.streamgeneratecontent."""

    def __init__(self, shape: AnswerShape, codec: Codec) -> None:
        self.tally = Tally()
        self._shape = shape
        self._codec = codec
        self._sse = SseDecoder()
        self._raw_usage: Json = {}
        """The last count of each meter."""
        self._held = b""
        """The chunk that may be the last, under its new name."""
        self._names: tuple[str | None, str | None] = (None, None)
        self._renames: tuple[tuple[bytes, bytes], ...] = ()

    def feed(self, data: bytes) -> bytes:
        return b"".join([self._record(record) for record in self._sse.feed(data)])

    def end(self) -> bytes:
        return b"".join([self._record(record) for record in self._sse.flush()])

    def finish(self, usage: Usage) -> bytes:
        last = json.loads(self._held)
        last["usageMetadata"] = with_cost(
            self._codec, self._raw_usage, self.tally, usage, self._shape
        )
        return encode_record(orjson.dumps(last))

    def fail(self, error: GatewayzError) -> bytes:
        """The closing record of an answer that broke."""
        return self._codec.encode_stream_error(error, request_id=self._shape.identity.id)

    def _record(self, record: SseRecord) -> bytes:
        if record.data in (b"", b"[DONE]"):
            return b""  # no part of this wire, but some hosts end every stream with the second
        try:
            chunk = _chunk.decode(record.data)
        except msgspec.DecodeError as error:
            raise MalformedUpstream(f"not a generateContent chunk: {error}") from error
        if chunk.error is not None:
            self.tally.error = read_error(chunk.error)
            return b""
        parts = (chunk.candidates, chunk.prompt_feedback, chunk.response_id, chunk.model_version)
        if not chunk.usage_metadata and parts == (None, None, None, None):
            self.tally.error = stray_error(record, message=chunk.message, detail=chunk.detail)
            return b""
        _count(chunk, self.tally)
        self._take_usage(chunk.usage_metadata)
        ready = encode_record(self._held) if self._held else b""
        data = self._rename(chunk, record.data)
        if self.tally.finish_reason:
            self._held = data
            return ready
        return ready + encode_record(data)

    def _take_usage(self, usage: Any) -> None:
        """Of a stream under way only counts that hold what has been said: some hosts tell the prompt's alone, or none at all.

        They are the bill when the client leaves, because only they know of thoughts that are not shown.
        """
        if isinstance(usage, dict):
            self._raw_usage |= usage
        elif usage:
            self._raw_usage = {"promptTokenCount": -1}
        tally, found = self.tally, self._codec.decode_usage(self._raw_usage)
        if tally.finish_reason:
            tally.take_usage(found, reported=bool(self._raw_usage))
        elif found is not None and (found.output or not tally.output_bytes):
            tally.take_usage(found, reported=True)

    def _rename(self, chunk: _Chunk, data: bytes) -> bytes:
        identity = self._shape.identity
        names = chunk.response_id, chunk.model_version
        if names != self._names:
            self._names = names
            self._renames = (
                *spellings(b'"responseId":', chunk.response_id, identity.id),
                *spellings(b'"modelVersion":', chunk.model_version, identity.model),
            )
        renamed, found = data, 0
        for old, new in self._renames:
            if number := renamed.count(old):
                found += number
                renamed = renamed.replace(old, new)
        is_plain = found == len(self._renames) // 2 and b"\n" not in data
        # Fewer: spelled in a way that nobody uses. More: the arguments of a call are objects, which may hold the same.
        return renamed if is_plain else self._rewrite(data)

    def _rewrite(self, data: bytes) -> bytes:
        whole = json.loads(data)
        identity = self._shape.identity
        for name, value in (("responseId", identity.id), ("modelVersion", identity.model)):
            if name in whole:
                whole[name] = value
        return orjson.dumps(whole)
