"""The passing lane: OpenAI's other endpoints and rerank. One dialect, so nothing is translated; the answer is only metered.

completions, embeddings, moderation     tokens, as reported
images                                  images made, and tokens when reported
speech                                  characters asked for
transcription                           seconds or tokens when reported, else the recording's length
rerank                                  searches when reported, else one for a hundred documents; tokens when reported
"""

import math
from dataclasses import replace
from typing import Any

import orjson

from apps.catalog.providers.spec import Endpoint, Operation, Quirk, Wire
from apps.common.usage import Usage
from apps.inference.canonical.codec import MalformedUpstream
from apps.inference.protocols import CODECS
from apps.inference.relay import (
    JSON_TYPE,
    AnswerShape,
    Body,
    Json,
    JsonRelay,
    Outgoing,
    StreamRelay,
    Tally,
    outgoing_json,
)
from apps.inference.requests.forms import Form
from apps.inference.verbatim import GATEWAY_FIELDS
from apps.inference.verbatim_streams import ChatStream, read_error

RESULTS = {
    Operation.COMPLETIONS: "choices",
    Operation.EMBEDDINGS: "data",
    Operation.IMAGES: "data",
    Operation.IMAGE_EDITS: "data",
    Operation.RERANK: "results",
    Operation.MODERATION: "results",
    Operation.COUNT_TOKENS: "input_tokens",
}
"""Where an answer's content stands; without it the answer is empty."""


class PassingLane:
    def __init__(self, operation: Operation, body: Body) -> None:
        self._operation = operation
        self._body = body
        names = dict(body.fields) if isinstance(body, Form) else body
        self.dropped = tuple(sorted(GATEWAY_FIELDS & names.keys()))

    def outgoing(
        self, upstream_model: str, endpoint: Endpoint, quirks: tuple[Quirk, ...]
    ) -> Outgoing:
        if isinstance(self._body, Form):
            data, content_type = self._body.encode(
                {"model": upstream_model}, without=GATEWAY_FIELDS
            )
            return Outgoing(data, content_type, ())
        body = {name: value for name, value in self._body.items() if name not in GATEWAY_FIELDS}
        body["model"] = upstream_model
        if self._operation is Operation.COMPLETIONS and body.get("stream"):
            # Streams are always metered, whether the client asked for usage or not.
            body["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}
        return outgoing_json(body, endpoint, quirks)

    def stream(self, shape: AnswerShape) -> StreamRelay:
        return ChatStream(shape, CODECS[Wire.OPENAI_CHAT], kind="text_completion")

    def answer(self, shape: AnswerShape) -> JsonRelay:
        return PassedAnswer(shape, self._operation)


class PassedAnswer:
    def __init__(self, shape: AnswerShape, operation: Operation) -> None:
        self.tally = Tally()
        self.media_type = JSON_TYPE
        self._shape = shape
        self._operation = operation
        self._body: Json | bytes = b""

    def read(self, body: bytes, media_type: str) -> None:
        if not media_type.partition(";")[0].strip().lower().endswith("json"):
            self._read_media(body, media_type)
            return
        try:
            answer = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise MalformedUpstream("the body is not JSON") from error
        if not isinstance(answer, dict):
            raise MalformedUpstream("the body is not a JSON object")
        if answer.get("error"):
            self.tally.error = read_error(answer["error"])
            return
        self._body = answer
        self._meter(answer)

    def finish(self, usage: Usage) -> bytes:
        body = self._body
        if isinstance(body, bytes):
            return body
        if self._operation is Operation.COUNT_TOKENS:
            return orjson.dumps(body)
        if "id" in body:
            body["id"] = self._shape.identity.id
        if "model" in body:
            body["model"] = self._shape.identity.model
        own = body.get("usage")
        body["usage"] = {**(own if isinstance(own, dict) else {}), **self._shape.price(usage)}
        return orjson.dumps(body)

    def _read_media(self, body: bytes, media_type: str) -> None:
        """Speech, or a transcription as text or subtitles. Anything else in their place is a page of a proxy's."""
        kind = media_type.partition("/")[0].strip().lower()
        wanted = {Operation.SPEECH: ("audio", "application"), Operation.TRANSCRIPTION: ("text",)}
        if kind not in wanted.get(self._operation, ()) or "html" in media_type:
            raise MalformedUpstream(f"an answer of type {media_type[:60]}")
        self._body, self.media_type = body, media_type
        self.tally.has_content = bool(body)

    def _meter(self, answer: Json) -> None:
        if self._operation is Operation.TRANSCRIPTION:
            self.tally.has_content = isinstance(answer.get("text"), str)
        elif self._operation is Operation.SPEECH:
            raise MalformedUpstream("JSON in place of sound")
        else:
            found = answer.get(RESULTS[self._operation])
            self.tally.has_content = bool(found) or found == 0  # no tokens at all are a count too
        try:
            reported = read_usage(self._operation, answer, self._shape.expected)
        except (TypeError, ValueError, AttributeError):
            reported, self.tally.usage_rejected = None, True
        if reported is not None:
            self.tally.take_usage(reported, reported=True)


def read_usage(operation: Operation, answer: Json, expected: Usage) -> Usage | None:
    """What the provider reports, with what only the request knows; None when it reports nothing.

    Raises ValueError, TypeError or AttributeError for a report that cannot be true.
    """
    raw = answer.get("usage")
    match operation:
        case Operation.COUNT_TOKENS:
            return Usage()
        case Operation.COMPLETIONS:
            return CODECS[Wire.OPENAI_CHAT].decode_usage(raw)
        case Operation.IMAGES | Operation.IMAGE_EDITS:
            made = replace(expected, images=len(answer.get("data") or ()))
            return replace(made, **_tokens(raw)) if raw else made
        case Operation.RERANK:
            billed = (answer.get("meta") or {}).get("billed_units") or {}
            searches = billed.get("search_units")
            if searches is None and not raw:
                return None
            tokens = _tokens(raw) if raw else {}
            return replace(expected, searches=_whole(searches or expected.searches), **tokens)
        case Operation.TRANSCRIPTION:
            return _sound(raw, answer, expected)
        case _:
            return replace(expected, **_tokens(raw)) if raw else None


def _sound(raw: Any, answer: Json, expected: Usage) -> Usage | None:
    """``usage`` is of type "duration" or "tokens"; Whisper's verbose answer has its ``duration`` beside the text."""
    if raw and raw.get("type") != "duration":
        return replace(expected, **_tokens(raw))
    seconds = raw.get("seconds") if raw else answer.get("duration")
    if seconds is None:
        return None
    return replace(expected, seconds=_whole(math.ceil(float(seconds))))


def _tokens(raw: Json) -> dict[str, int]:
    """Token buckets of the usage objects of these endpoints, old names and new."""
    total_input = _whole(_first(raw, "input_tokens", "prompt_tokens", "total_tokens"))
    details = _first(raw, "input_tokens_details", "input_token_details", "prompt_tokens_details")
    heard = _whole((details or {}).get("audio_tokens") or 0)
    if heard > total_input:
        raise ValueError("a part above its whole")
    output = _whole(_first(raw, "output_tokens", "completion_tokens"))
    return {"input": total_input - heard, "audio_input": heard, "output": output}


def _first(raw: Json, *names: str) -> Any:
    return next((raw[name] for name in names if raw.get(name) is not None), 0)


def _whole(value: Any) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError("not a whole number")
    return value
