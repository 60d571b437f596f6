"""Namespaces of tools, as Codex sends an MCP server's: single tools on other wires, and calls that find their way back."""

from typing import Any

import orjson
import pytest
from msgspec import structs

from apps.catalog.providers.spec import Wire
from apps.inference.canonical.codec import AnswerIdentity, EncodedRequest
from apps.inference.canonical.content import ToolCall
from apps.inference.canonical.events import (
    BlockDelta,
    BlockFinished,
    BlockKind,
    BlockStarted,
    Finished,
    FinishReason,
    Started,
)
from apps.inference.canonical.response import ChatResponse
from apps.inference.protocols import CODECS
from apps.inference.protocols.openai_responses.namespaces import LONGEST_NAME, Namespaces
from tests.protocols.cases import IDENTITY, USAGE, price, received
from tests.protocols.responses_stream import check_stream, events_in

RESPONSES = Wire.OPENAI_RESPONSES
OTHERS = [wire for wire in CODECS if wire is not RESPONSES]
READ = {
    "type": "function",
    "name": "read",
    "description": "Reads.",
    "strict": False,
    "parameters": {"type": "object", "properties": {"path": {"type": "string"}}},
}
FILES = {"type": "namespace", "name": "mcp__files", "description": "Files.", "tools": [READ]}
PATCH = {"type": "custom", "name": "patch", "description": "Edits."}
MORE = {"type": "namespace", "name": "mcp__more__", "description": "", "tools": [READ, PATCH]}
TALK = [
    {"role": "user", "content": "Use read"},
    {"type": "function_call", "call_id": "c1", "namespace": "mcp__files", "name": "read", "arguments": '{"path":"a"}'},
    {"type": "function_call_output", "call_id": "c1", "output": "one"},
    {"type": "custom_tool_call", "call_id": "c2", "namespace": "mcp__more__", "name": "patch", "input": "+ a"},
    {"type": "custom_tool_call_output", "call_id": "c2", "output": "two"},
]  # fmt: skip
BODY = {"model": "m", "input": TALK, "tools": [FILES, MORE, {**READ, "name": "plain"}]}
FLAT = ["mcp__files__read", "mcp__more__read", "mcp__more__patch", "plain"]


def translate(body: dict[str, Any], *, to: Wire) -> EncodedRequest:
    return CODECS[to].encode_request(CODECS[RESPONSES].decode_request(body), model="m")


@pytest.mark.parametrize("to", OTHERS)
def test_tools_of_namespaces_are_sent_one_by_one(to: Wire):
    encoded = translate(BODY, to=to)
    again = CODECS[to].decode_request(received(to, encoded.body))

    assert [getattr(tool, "name", tool) for tool in again.tools] == FLAT
    assert "Files." in str(again.tools[0])
    assert encoded.dropped == ()


@pytest.mark.parametrize("to", OTHERS)
def test_history_calls_what_is_offered(to: Wire):
    again = CODECS[to].decode_request(received(to, translate(BODY, to=to).body))

    parts = [part for message in again.messages for part in message.parts]
    calls = [part for part in parts if isinstance(part, ToolCall)]
    assert [call.name for call in calls] == ["mcp__files__read", "mcp__more__patch"]
    assert orjson.loads(calls[1].arguments) == {"input": "+ a"}


def test_own_wire_gets_what_was_sent():
    body = translate(BODY, to=RESPONSES).body

    assert body["tools"] == BODY["tools"]
    assert [item for item in body["input"] if "call_id" in item] == TALK[1:]


@pytest.mark.parametrize("to", OTHERS)
def test_choice_names_the_tool_that_is_offered(to: Wire):
    choice = {"type": "function", "namespace": "mcp__files", "name": "read"}

    encoded = translate(BODY | {"tool_choice": choice}, to=to)
    again = CODECS[to].decode_request(received(to, encoded.body))

    assert again.tool_choice is not None
    assert "mcp__files__read" in (again.tool_choice.name, *again.tool_choice.allowed)
    assert translate(BODY | {"tool_choice": choice}, to=RESPONSES).body["tool_choice"] == choice


CALLS = (
    ToolCall(id="a", name="mcp__files__read", arguments='{"path":"b"}'),
    ToolCall(id="b", name="mcp__more__patch", arguments='{"input":"+ b"}'),
    ToolCall(id="c", name="plain", arguments="{}"),
)
WANTED = [
    ("function_call", "mcp__files", "read", '{"path":"b"}'),
    ("custom_tool_call", "mcp__more__", "patch", "+ b"),
    ("function_call", None, "plain", "{}"),
]


def told(items: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [
        (item["type"], item.get("namespace"), item["name"], item.get("arguments", item.get("input")))
        for item in items
    ]  # fmt: skip


def test_whole_answer_calls_by_namespace():
    identity = echoing()
    response = ChatResponse(id="r", model="m", blocks=CALLS, finish=FinishReason.TOOL_CALLS)

    body = CODECS[RESPONSES].encode_response(response, identity=identity, usage=USAGE, price=price)

    assert told(body["output"]) == WANTED


def test_stream_calls_by_namespace():
    encoder = CODECS[RESPONSES].stream_encoder(identity=echoing(), price=price, include_usage=True)
    stream = encoder.feed(Started("r", "m"))
    for index, call in enumerate(CALLS):
        stream += encoder.feed(BlockStarted(index, BlockKind.TOOL_CALL, call.id, call.name))
        stream += encoder.feed(BlockDelta(index, call.arguments))
        stream += encoder.feed(BlockFinished(index))
    stream += encoder.feed(Finished(FinishReason.TOOL_CALLS)) + encoder.finish(USAGE)

    check_stream(stream)
    events = events_in(stream)
    added = [event["item"] for event in events if event["type"] == "response.output_item.added"]
    done = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    named = [event["name"] for event in events if event["type"].endswith("arguments.done")]
    assert [(item.get("namespace"), item["name"]) for item in added] == [
        (namespace, name) for _, namespace, name, _ in WANTED
    ]
    assert told(done) == WANTED
    assert named == ["read", "plain"]
    assert told(events[-1]["response"]["output"]) == WANTED


def echoing() -> AnswerIdentity:
    return structs.replace(IDENTITY, echo={"tools": BODY["tools"]})


@pytest.mark.parametrize(
    ("namespace", "name"), [("mcp__x", "y"), ("mcp__x__", "y"), ("n" * 40, "t" * 60), ("n" * 40, "t" * 61)]
)  # fmt: skip
def test_names_are_no_longer_than_any_wire_takes_and_lead_back(namespace: str, name: str):
    tools = [{"type": "namespace", "name": namespace, "tools": [{**READ, "name": name}]}]

    found = Namespaces(tools)

    flat = found.flat(namespace, name)
    assert len(flat) <= LONGEST_NAME
    assert found.own(flat) == (namespace, name)


def test_names_differ_when_joining_makes_them_alike():
    tools = [
        {"type": "function", "name": "a__b"},
        {"type": "namespace", "name": "a", "tools": [{"type": "function", "name": "b"}]},
        {"type": "namespace", "name": "a__", "tools": [{"type": "function", "name": "b"}]},
    ]

    found = Namespaces(tools)

    flats = [found.flat("a", "b"), found.flat("a__", "b")]
    assert len({"a__b", *flats}) == 3
    assert [found.own(flat) for flat in flats] == [("a", "b"), ("a__", "b")]
    assert found.own("a__b") == ("", "a__b")


def test_what_a_namespace_holds_beside_tools_is_named():
    strange = {"type": "namespace", "name": "n", "tools": [{**READ, "defer_loading": True}, {"type": "new"}]}  # fmt: skip
    hosted = {"type": "namespace", "name": "h", "tools": [{"type": "new"}]}
    body = {"model": "m", "input": "hi", "tools": [strange, hosted]}

    encoded = translate(body, to=Wire.OPENAI_CHAT)

    assert set(encoded.dropped) == {"defer_loading", "tools.new", "tools.namespace"}
    assert translate(body, to=RESPONSES).body["tools"] == [strange, hosted]
