"""The verbatim lane of OpenAI Responses: what is changed in the request, and the stream on its way back.

The gateway keeps the conversation, so the provider is told to store nothing and to give reasoning back encrypted. Items of
reasoning that the provider cannot read go from the input: a bare id names what nobody has stored.
"""

from typing import Any

import msgspec
import orjson
from msgspec.structs import replace

from apps.common.errors import GatewayzError
from apps.common.usage import Usage
from apps.inference.canonical.codec import Codec, MalformedUpstream
from apps.inference.canonical.failures import only_text
from apps.inference.canonical.signatures import uncover
from apps.inference.canonical.sse import SseDecoder, SseRecord, encode_record
from apps.inference.protocols.openai_responses.decode import ENCRYPTED_REASONING
from apps.inference.protocols.openai_responses.errors import failure
from apps.inference.protocols.openai_responses.response import GIVEN_UP
from apps.inference.relay import AnswerShape, EventRelay, Json, Tally
from apps.inference.verbatim_streams import read_error, text_of, with_cost

_OURS = ("store", "previous_response_id")
"""What the client asked of us and the provider was asked otherwise; the answer repeats the client's."""
_REASONING_DELTAS = frozenset(
    {"response.reasoning_summary_text.delta", "response.reasoning_text.delta"}
)
_OUTPUT_DELTAS = frozenset(
    {
        "response.output_text.delta",
        "response.refusal.delta",
        "response.function_call_arguments.delta",
        "response.custom_tool_call_input.delta",
        "response.mcp_call_arguments.delta",
        "response.code_interpreter_call_code.delta",
    }
)
_QUIET = frozenset({*_REASONING_DELTAS, *_OUTPUT_DELTAS, "keepalive"})
"""Events that are nothing new by themselves."""
_TERMINAL = frozenset({"response.completed", "response.incomplete", "response.failed"})


def responses_body(body: Json) -> Json:
    """The body as a host gets it, without what is between the client and us."""
    kept = {name: value for name, value in body.items() if name not in _OURS}
    kept["store"] = False
    wanted = kept.get("include") or []
    kept["include"] = [*wanted, *([] if ENCRYPTED_REASONING in wanted else [ENCRYPTED_REASONING])]
    if isinstance(kept.get("input"), list):
        kept["input"] = [item for item in kept["input"] if _is_readable(item)]
    return kept


def _is_readable(item: Json) -> bool:
    """Whether the host can use this item without a memory of its own.

    https://github.com/vercel/ai/issues/7543 (2025-07): reasoning by id alone is refused as not found when ``store`` is false.
    """
    if item.get("type") != "reasoning":
        return True
    proof = item.get("encrypted_content")
    if isinstance(proof, str) and proof:
        return uncover(proof) is None  # another wire's, from an answer that was translated
    return bool(item.get("content"))


def metered(codec: Codec, response: Json) -> Usage | None:
    """Tokens from its usage; searches are told by its items alone. Looking at a page that was found costs nothing:
    https://platform.openai.com/docs/guides/tools-web-search#output-and-citations."""
    usage = codec.decode_usage(response.get("usage"))
    if usage is None:
        return None
    calls = [item for item in response.get("output") or () if item.get("type") == "web_search_call"]
    searches = [c for c in calls if (c.get("action") or {}).get("type", "search") == "search"]
    return replace(usage, searches=len(searches)) if searches else usage


def count_item(item: Json, tally: Tally) -> None:
    """What an item of a whole answer says."""
    match item["type"]:
        case "message":
            for part in item.get("content") or ():
                tally.add_output(only_text(part.get("text")) + only_text(part.get("refusal")))
        case "reasoning":
            parts = [*(item.get("summary") or ()), *(item.get("content") or ())]
            for part in parts:
                tally.add_reasoning(only_text(part.get("text")))
        case "function_call" | "custom_tool_call":
            said = item.get("arguments") or item.get("input")
            tally.add_output(text_of(item.get("name")) + text_of(said))
        case _:
            tally.has_content = True


def finish_of(response: Json) -> str:
    """Why it ended, in the provider's words; empty when it did not."""
    if response.get("status") not in ("completed", "incomplete"):
        return ""
    details = response.get("incomplete_details") or {}
    return str(details.get("reason") or response["status"])


def rename(response: Json, shape: AnswerShape) -> Json:
    """The response under the name that its client knows."""
    identity = shape.identity
    ours = {name: identity.echo[name] for name in _OURS if name in identity.echo}
    return {**response, **ours, "id": identity.id, "model": identity.model}


class _Item(msgspec.Struct):
    type: str = ""
    name: Any = None


class _Event(msgspec.Struct):
    type: str = ""
    sequence_number: int | None = None
    delta: Any = None
    item: _Item | None = None
    error: Any = None
    code: Any = None
    message: Any = None


_event = msgspec.json.Decoder(_Event)


class ResponsesStream(EventRelay):
    """OpenAI response events: https://platform.openai.com/docs/api-reference/responses-streaming."""

    def __init__(self, shape: AnswerShape, codec: Codec) -> None:
        self.tally = Tally()
        self._shape = shape
        self._codec = codec
        self._sse = SseDecoder()
        self._sequence = -1
        """Of the last event that went to the client."""
        self._has_deltas = False
        self._response: Json = {}
        """As the last event that carried it told it."""
        self._terminal: Json | None = None
        """The last event, which waits for the cost."""

    def feed(self, data: bytes) -> bytes:
        return b"".join([self._record(record) for record in self._sse.feed(data)])

    def end(self) -> bytes:
        return b"".join([self._record(record) for record in self._sse.flush()])

    def finish(self, usage: Usage) -> bytes:
        event = self._terminal or self._next("response.completed", {"status": "completed"})
        event["sequence_number"] = self._number(event.get("sequence_number"))
        response: Json = event["response"]
        response["usage"] = with_cost(
            self._codec, response.get("usage") or {}, self.tally, usage, self._shape
        )
        return encode_record(orjson.dumps(event), event["type"])

    def fail(self, error: GatewayzError) -> bytes:
        """The terminal record of an answer that broke, in the place of the provider's own."""
        identity = self._shape.identity
        broken = {"status": "failed", "error": failure(error, request_id=identity.id)}
        event = self._next("response.failed", broken | {"usage": None})
        return encode_record(orjson.dumps(event), event["type"])

    def _next(self, kind: str, changes: Json) -> Json:
        begun = {
            "object": "response",
            "created_at": self._shape.identity.created,
            "output": [],
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [],
            **self._response,
        }
        response = rename({**begun, **changes}, self._shape)
        return {"type": kind, "sequence_number": self._sequence + 1, "response": response}

    def _record(self, record: SseRecord) -> bytes:
        # [DONE] is no part of this wire, but some hosts end every stream with it.
        if record.data in (b"", b"[DONE]") or self.tally.ended:
            return b""
        try:
            event = _event.decode(record.data)
        except msgspec.DecodeError as error:
            raise MalformedUpstream(f"not an event of a response: {error}") from error
        kind = event.type or record.event
        if kind == "error" or (not kind and event.error is not None):
            named = {"code": event.code, "message": event.message}
            self.tally.error = read_error(event.error or named)
            return b""
        if not kind:
            raise MalformedUpstream("an event of a response without a type")
        if kind in _TERMINAL:
            self._take_terminal(record.data, kind)
            return b""
        number = self._number(event.sequence_number)
        data = record.data if number == event.sequence_number else _numbered(record.data, number)
        if kind in {"response.created", "response.in_progress", "response.queued"}:
            return self._announce(data, kind)
        self._count(event, kind)
        return encode_record(data, kind)

    def _number(self, told: Any) -> int:
        """Of the next event: the provider's own while it rises."""
        rises = type(told) is int and told > self._sequence
        self._sequence = told if rises else self._sequence + 1
        return self._sequence

    def _announce(self, data: bytes, kind: str) -> bytes:
        event, response = _with_response(data)
        self._response = event["response"] = rename(response, self._shape)
        return encode_record(orjson.dumps(event), kind)

    def _take_terminal(self, data: bytes, kind: str) -> None:
        event, response = _with_response(data)
        tally = self.tally
        tally.ended = True
        status = "failed" if kind == "response.failed" else response.get("status")
        if status in GIVEN_UP or response.get("error"):
            tally.error = read_error(response.get("error") or {"code": status})
            return
        tally.take_usage(metered(self._codec, response), reported=bool(response.get("usage")))
        tally.finish(finish_of({**response, "status": kind.removeprefix("response.")}))
        if not self._has_deltas:
            _count_items(response, tally)
        event["response"] = rename(response, self._shape)
        self._terminal = event

    def _count(self, event: _Event, kind: str) -> None:
        tally = self.tally
        tally.signs += kind not in _QUIET
        if kind in _OUTPUT_DELTAS:
            self._has_deltas = True
            tally.add_output(only_text(event.delta))
        elif kind in _REASONING_DELTAS:
            self._has_deltas = True
            tally.add_reasoning(only_text(event.delta))
        elif kind == "response.output_item.added" and event.item is not None and event.item.name:
            tally.add_output(text_of(event.item.name))
        elif kind == "response.output_item.done" and event.item is not None:
            # Of a kind that has no deltas, or from a host that sends none. Hidden reasoning shows nothing yet.
            tally.has_content |= event.item.type != "reasoning"


def _numbered(data: bytes, number: int) -> bytes:
    return orjson.dumps({**orjson.loads(data), "sequence_number": number})


def _with_response(data: bytes) -> tuple[Json, Json]:
    event = orjson.loads(data)
    response = event.get("response")
    if not isinstance(response, dict):
        raise MalformedUpstream(f"{event.get('type')} without a response")
    return event, response


def _count_items(response: Json, tally: Tally) -> None:
    """For hosts that send no deltas."""
    try:
        for item in response.get("output") or ():
            count_item(item, tally)
    except (AttributeError, TypeError, KeyError) as error:
        raise MalformedUpstream("the output is not of this wire") from error
