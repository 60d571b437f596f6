"""The verbatim lane: client and provider speak the same wire.

The client's body travels on with its model name changed and the gateway's own fields taken out; the answer's bytes
travel back with its ``id`` and ``model`` renamed. Nothing that we do not know is lost, and nothing is re-encoded. Every
record is decoded once into a few typed fields (about a microsecond), because billing and failover must see all of it.
"""

import orjson

from apps.catalog.providers.spec import Endpoint, Quirk, Wire
from apps.common import json
from apps.common.usage import Usage
from apps.inference.canonical.codec import Codec, MalformedUpstream
from apps.inference.canonical.failures import only_text
from apps.inference.preferences import ROUTING_FIELDS
from apps.inference.protocols import CODECS
from apps.inference.protocols.openai_chat.odd_chunks import plain_message
from apps.inference.protocols.openai_chat.reasoning import reasoning_text
from apps.inference.protocols.openai_chat.response import calls_of
from apps.inference.protocols.openai_responses.response import GIVEN_UP
from apps.inference.relay import (
    JSON_TYPE,
    AnswerShape,
    Json,
    JsonRelay,
    Outgoing,
    StreamRelay,
    Tally,
    outgoing_json,
)
from apps.inference.verbatim_chat import ChatStream
from apps.inference.verbatim_gemini import GeminiStream, count_answer, gemini_body
from apps.inference.verbatim_messages import messages_body
from apps.inference.verbatim_responses import (
    ResponsesStream,
    count_item,
    finish_of,
    metered,
    rename,
    responses_body,
)
from apps.inference.verbatim_streams import (
    MessagesStream,
    count_media,
    failure_of,
    read_error,
    with_cost,
)

UNHEARD_FIELDS = frozenset({"transforms", "session_id"})
"""Named as dropped for as long as nobody here acts on them."""
GATEWAY_FIELDS = ROUTING_FIELDS | UNHEARD_FIELDS
"""Fields that speak to a gateway, not to a provider."""


VERBATIM_WIRES = frozenset(
    {Wire.OPENAI_CHAT, Wire.OPENAI_RESPONSES, Wire.ANTHROPIC_MESSAGES, Wire.GEMINI}
)
"""Those that clients speak."""
CHANGES = {
    Wire.OPENAI_RESPONSES: responses_body,
    Wire.ANTHROPIC_MESSAGES: messages_body,
    Wire.GEMINI: gemini_body,
}
"""What more is changed in a request of this wire."""
USUAL_NAMES = ("id", "model", "usage")
NAMES = {Wire.GEMINI: ("responseId", "modelVersion", "usageMetadata")}
"""What an answer calls its id, its model and its usage, where that is not the usual."""


class VerbatimLane:
    def __init__(self, wire: Wire, body: Json) -> None:
        self._wire = wire
        self._body = body
        self.dropped = tuple(sorted(UNHEARD_FIELDS & body.keys()))

    def outgoing(
        self, upstream_model: str, endpoint: Endpoint, quirks: tuple[Quirk, ...]
    ) -> Outgoing:
        return outgoing_json(self._upstream_body(upstream_model), endpoint, quirks)

    def _upstream_body(self, model: str) -> Json:
        body = {name: value for name, value in self._body.items() if name not in GATEWAY_FIELDS}
        body["model"] = model
        if self._wire is Wire.OPENAI_CHAT and body.get("stream"):
            # Streams are always metered, whether the client asked for usage or not.
            body["stream_options"] = {**(body.get("stream_options") or {}), "include_usage": True}
        change = CHANGES.get(self._wire)
        return change(body) if change else body

    def stream(self, shape: AnswerShape) -> StreamRelay:
        if self._wire is Wire.OPENAI_CHAT:
            return ChatStream(shape, CODECS[self._wire])
        if self._wire is Wire.OPENAI_RESPONSES:
            return ResponsesStream(shape, CODECS[self._wire])
        if self._wire is Wire.GEMINI:
            return GeminiStream(shape, CODECS[self._wire])
        return MessagesStream(shape, CODECS[self._wire])

    def answer(self, shape: AnswerShape) -> JsonRelay:
        return VerbatimAnswer(shape, CODECS[self._wire], self._wire)


class VerbatimAnswer:
    """A whole JSON answer of any wire."""

    def __init__(self, shape: AnswerShape, codec: Codec, wire: Wire) -> None:
        self.tally = Tally()
        self.media_type = JSON_TYPE
        self._shape = shape
        self._codec = codec
        self._wire = wire
        self._id, self._model, self._usage = NAMES.get(wire, USUAL_NAMES)
        self._body: Json = {}

    def read(self, body: bytes, media_type: str) -> None:
        try:
            answer = json.loads(body)
        except orjson.JSONDecodeError as error:
            raise MalformedUpstream("the body is not JSON") from error
        if not isinstance(answer, dict):
            raise MalformedUpstream("the body is not a JSON object")
        if answer.get("error") or answer.get("status") in GIVEN_UP:
            self.tally.error = read_error(answer.get("error"))
            return
        self._body = answer
        raw = answer.get(self._usage)
        try:
            usage = (
                metered(self._codec, answer)
                if self._wire is Wire.OPENAI_RESPONSES
                else self._codec.decode_usage(raw)
            )
            self.tally.take_usage(usage, reported=bool(raw))
            if self._wire is Wire.OPENAI_CHAT:
                self._count_choices(answer.get("choices") or [])
            elif self._wire is Wire.OPENAI_RESPONSES:
                self._count_items(answer)
            elif self._wire is Wire.GEMINI:
                count_answer(answer, self.tally)
            else:
                self._count_blocks(answer)
        except (AttributeError, TypeError, KeyError) as error:
            raise MalformedUpstream("the body is not an answer of this wire") from error
        if self.tally.has_content and not self.tally.is_finished:
            raise MalformedUpstream("the answer does not say why it ended")

    def finish(self, usage: Usage) -> bytes:
        body = self._body
        if self._wire is Wire.OPENAI_RESPONSES:
            body = rename(body, self._shape)
        body[self._id], body[self._model] = self._shape.identity.id, self._shape.identity.model
        body[self._usage] = with_cost(
            self._codec, body.get(self._usage) or {}, self.tally, usage, self._shape
        )
        return orjson.dumps(body)

    def _count_choices(self, choices: list[Json]) -> None:
        tally = self.tally
        for choice in choices:
            tally.error = failure_of(choice.get("finish_reason"), choice.get("error"))
            if tally.error is not None:
                return
            message = choice["message"] = plain_message(choice["message"])
            tally.add_output(only_text(message.get("content")))
            tally.add_output(only_text(message.get("refusal")))
            if text := reasoning_text(message):
                tally.add_reasoning(text)
            count_media(tally, images=message.get("images"), audio=message.get("audio"))
            for call in calls_of(message):
                called = call.get("function") or call.get("custom") or {}
                said = called.get("arguments") or called.get("input")
                tally.add_output(only_text(called.get("name")) + only_text(said))
            tally.finish(choice.get("finish_reason"))
            if not choice.get("finish_reason"):
                tally.open_choices.add(choice.get("index") or 0)

    def _count_items(self, answer: Json) -> None:
        for item in answer["output"]:
            count_item(item, self.tally)
        self.tally.finish(finish_of(answer))

    def _count_blocks(self, answer: Json) -> None:
        tally = self.tally
        for block in answer.get("content") or ():
            match block["type"]:
                case "text":
                    tally.add_output(only_text(block["text"]))
                case "thinking":
                    tally.add_reasoning(only_text(block["thinking"]))
                case "tool_use" | "server_tool_use":
                    tally.add_output(block["name"] + orjson.dumps(block["input"]).decode())
                case "redacted_thinking":
                    pass  # nothing to read
                case _:
                    tally.has_content = True
        tally.finish(answer.get("stop_reason"))
