"""Chat Completions' custom tools: custom at Responses, functions of one text elsewhere, and custom again in the answer."""

from typing import Any

import orjson
import pytest
from msgspec import structs

from apps.catalog.providers.spec import Wire
from apps.inference.canonical.codec import EncodedRequest
from apps.inference.canonical.content import ToolCall, ToolResult
from apps.inference.canonical.events import (
    BlockDelta,
    BlockFinished,
    BlockKind,
    BlockStarted,
    Event,
    Finished,
    FinishReason,
    Started,
)
from apps.inference.canonical.fold import fold
from apps.inference.canonical.response import ChatResponse
from apps.inference.canonical.text_tools import to_arguments
from apps.inference.protocols import CODECS
from tests.protocols.cases import IDENTITY, USAGE, events_of, price, received, records_of

CHAT, RESPONSES = Wire.OPENAI_CHAT, Wire.OPENAI_RESPONSES
OTHERS = [wire for wire in CODECS if wire is not CHAT]
FUNCTIONS_ONLY = [wire for wire in OTHERS if wire is not RESPONSES]
GRAMMAR = {"syntax": "lark", "definition": 'start: "+"'}
PATCH = {
    "type": "custom",
    "custom": {
        "name": "patch",
        "description": "Edits.",
        "format": {"type": "grammar", "grammar": GRAMMAR},
    },
}
CALL = {"id": "c1", "type": "custom", "custom": {"name": "patch", "input": '+ "a"\n'}}
TALK = [
    {"role": "user", "content": "Use patch"},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c1", "content": "done"},
]
CHOICE = {"type": "custom", "custom": {"name": "patch"}}
BODY = {"model": "m", "messages": TALK, "tools": [PATCH], "tool_choice": CHOICE}


def translate(to: Wire, **changes: Any) -> EncodedRequest:
    return CODECS[to].encode_request(CODECS[CHAT].decode_request(BODY | changes), model="m")


@pytest.mark.parametrize("to", FUNCTIONS_ONLY)
def test_they_are_functions_of_one_text(to: Wire):
    encoded = translate(to)
    again = CODECS[to].decode_request(received(to, encoded.body))

    (tool,) = again.tools
    assert (getattr(tool, "name", ""), again.tool_choice and "patch" in str(again.tool_choice)) == (
        "patch",
        True,
    )
    assert GRAMMAR["definition"] in str(tool)
    parts = [part for message in again.messages for part in message.parts]
    (call,) = [part for part in parts if isinstance(part, ToolCall)]
    assert orjson.loads(call.arguments) == {"input": '+ "a"\n'}
    (result,) = [part for part in parts if isinstance(part, ToolResult)]
    assert result.tool_call_id == call.id
    assert encoded.dropped == ()


def test_they_are_custom_at_responses():
    encoded = translate(RESPONSES)

    assert encoded.body["tools"] == [
        {
            "type": "custom",
            "name": "patch",
            "description": "Edits.",
            "format": {"type": "grammar", **GRAMMAR},
        }
    ]
    assert encoded.body["tool_choice"] == {"type": "custom", "name": "patch"}
    assert encoded.body["input"][1:] == [
        {"type": "custom_tool_call", "call_id": "c1", "name": "patch", "input": '+ "a"\n'},
        {"type": "custom_tool_call_output", "call_id": "c1", "output": "done"},
    ]
    assert encoded.dropped == ()


def test_own_wire_gets_what_was_sent():
    assert {name: translate(CHAT).body[name] for name in BODY} == BODY


@pytest.mark.parametrize("to", OTHERS)
def test_call_reaches_its_host_when_the_tool_is_no_longer_offered(to: Wire):
    encoded = CODECS[to].encode_request(
        CODECS[CHAT].decode_request({"model": "m", "messages": TALK}), model="m"
    )

    assert "patch" in str(encoded.body)
    assert encoded.dropped == ()


def test_allowed_ones_are_the_only_ones_elsewhere():
    other = {"type": "custom", "custom": {"name": "other"}}
    choice = {
        "type": "allowed_tools",
        "allowed_tools": {"mode": "auto", "tools": [CHOICE]},
    }

    encoded = translate(RESPONSES, tools=[PATCH, other], tool_choice=choice)

    assert [tool["name"] for tool in encoded.body["tools"]] == ["patch"]
    assert translate(CHAT, tools=[PATCH, other], tool_choice=choice).body["tool_choice"] == choice


FUNCTION = {"id": "c2", "type": "function", "function": {"name": "f", "arguments": "{}"}}
SAID = (
    ToolCall(id="c1", name="patch", arguments=to_arguments('+ "a"\n')),
    ToolCall(id="c2", name="f", arguments="{}"),
)
ECHOING = structs.replace(IDENTITY, echo=CODECS[CHAT].decode_request(BODY).echo)


def test_whole_answer_calls_them_as_they_were_offered():
    response = ChatResponse(id="r", model="m", blocks=SAID, finish=FinishReason.TOOL_CALLS)

    body = CODECS[CHAT].encode_response(response, identity=ECHOING, usage=USAGE, price=price)

    assert body["choices"][0]["message"]["tool_calls"] == [CALL, FUNCTION]


def test_stream_calls_them_as_they_were_offered():
    encoder = CODECS[CHAT].stream_encoder(identity=ECHOING, price=price, include_usage=False)
    events: list[Event] = [Started("r", "m")]
    for index, call in enumerate(SAID):
        events += [
            BlockStarted(index, BlockKind.TOOL_CALL, call.id, call.name),
            BlockDelta(index, call.arguments[:5]),
            BlockDelta(index, call.arguments[5:]),
            BlockFinished(index),
        ]
    events.append(Finished(FinishReason.TOOL_CALLS))
    stream = b"".join(encoder.feed(event) for event in events) + encoder.finish(USAGE)

    chunks = [orjson.loads(record.data) for record in records_of([stream])[:-1]]
    fragments = [
        fragment
        for chunk in chunks
        for fragment in chunk["choices"][0]["delta"].get("tool_calls", ())
    ]
    begun, said, function, *_ = fragments
    assert begun == {
        "index": 0,
        "id": "c1",
        "type": "custom",
        "custom": {"name": "patch", "input": ""},
    }
    assert said == {"index": 0, "custom": {"input": '+ "a"\n'}}
    assert (function["index"], function["type"]) == (1, "function")


ITEM = {
    "type": "custom_tool_call",
    "id": "ctc",
    "call_id": "c1",
    "name": "patch",
    "input": '+ "a"\n',
}
RESPONSE = {"id": "r", "model": "m", "status": "completed", "output": [ITEM]}


def events_with(*deltas: str) -> bytes:
    told: list[dict[str, Any]] = [
        {"type": "response.created", "response": {"id": "r", "model": "m"}},
        {"type": "response.output_item.added", "output_index": 0, "item": {**ITEM, "input": ""}},
        *(
            {"type": "response.custom_tool_call_input.delta", "output_index": 0, "delta": delta}
            for delta in deltas
        ),
        {"type": "response.output_item.done", "output_index": 0, "item": ITEM},
        {"type": "response.completed", "response": RESPONSE},
    ]
    return b"".join(b"data: " + orjson.dumps(event) + b"\n\n" for event in told)


@pytest.mark.parametrize("deltas", [(), ('+ "a"\n',), ("+ ", '"', 'a"', "\n"), ("+ ",)])
def test_call_of_a_responses_host_is_read_alike_whole_and_streamed(deltas: tuple[str, ...]):
    streamed = fold(events_of(RESPONSES, [events_with(*deltas)]))

    assert streamed == CODECS[RESPONSES].decode_response(RESPONSE)
    assert streamed.blocks == SAID[:1]
    assert streamed.finish is FinishReason.TOOL_CALLS
