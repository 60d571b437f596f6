"""The passing lane: OpenAI's other endpoints and rerank. One dialect, so nothing is translated; the answer is only metered.

Streams are in ``passing_streams``, what an answer costs in ``meters``.
"""

import orjson

from apps.catalog.providers.spec import Endpoint, Operation, Quirk, Wire
from apps.common.usage import Usage
from apps.inference.canonical.codec import MalformedUpstream
from apps.inference.canonical.failures import only_text
from apps.inference.meters import take_usage, with_cost
from apps.inference.passing_streams import EVENTS, EventsStream, SoundStream
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
from apps.inference.verbatim import GATEWAY_FIELDS, UNHEARD_FIELDS
from apps.inference.verbatim_chat import ChatStream
from apps.inference.verbatim_messages import messages_body
from apps.inference.verbatim_streams import read_error

RESULTS = {
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
        self.dropped = tuple(sorted(UNHEARD_FIELDS & names.keys()))

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
        if self._operation is Operation.COUNT_TOKENS:
            body = messages_body(body)
        if self._operation is Operation.COMPLETIONS and body.get("stream"):
            # Streams are always metered, whether the client asked for usage or not.
            body["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}
        return outgoing_json(body, endpoint, quirks)

    def stream(self, shape: AnswerShape) -> StreamRelay:
        if self._operation is Operation.SPEECH and not self._speaks_in_events():
            return SoundStream()
        if self._operation in EVENTS:
            return EventsStream(shape, self._operation)
        return ChatStream(shape, CODECS[Wire.OPENAI_CHAT], kind="text_completion")

    def answer(self, shape: AnswerShape) -> JsonRelay:
        return PassedAnswer(shape, self._operation)

    def _speaks_in_events(self) -> bool:
        return isinstance(self._body, dict) and self._body.get("stream_format") == "sse"


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
        body["usage"] = with_cost(body.get("usage"), self.tally, usage, self._shape)
        return orjson.dumps(body)

    def _read_choices(self, choices: object) -> None:
        for choice in choices if isinstance(choices, list) else ():
            if isinstance(choice, dict):
                self.tally.has_content |= bool(only_text(choice.get("text")))
                self.tally.finish(choice.get("finish_reason"))

    def _read_media(self, body: bytes, media_type: str) -> None:
        """A transcription as text or subtitles. Anything else in its place is a page of a proxy's."""
        kind = media_type.partition("/")[0].strip().lower()
        if self._operation is not Operation.TRANSCRIPTION or kind != "text" or "html" in media_type:
            raise MalformedUpstream(f"an answer of type {media_type[:60]}")
        self._body, self.media_type = body, media_type
        self.tally.has_content = bool(body)

    def _meter(self, answer: Json) -> None:
        if self._operation is Operation.TRANSCRIPTION:
            self.tally.has_content = isinstance(answer.get("text"), str)
        elif self._operation is Operation.COMPLETIONS:
            self._read_choices(answer.get("choices"))
        else:
            found = answer.get(RESULTS[self._operation])
            self.tally.has_content = bool(found) or found == 0  # no tokens at all are a count too
        take_usage(self.tally, self._operation, answer, self._shape.expected)
