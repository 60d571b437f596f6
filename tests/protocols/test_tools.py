"""Tools in the forms that one wire alone has: lists of allowed ones, custom tools, and functions from before tools."""

from typing import Any

import orjson
import pytest
from msgspec.structs import replace

from apps.catalog.providers.spec import Wire
from apps.inference.canonical.content import Text, ToolCall, ToolResult
from apps.inference.canonical.events import FinishReason
from apps.inference.canonical.response import ChatResponse
from apps.inference.protocols import CODECS
from tests.protocols.cases import (
    IDENTITY,
    USAGE,
    Case,
    events_of,
    price,
    received,
    records_of,
)
from tests.protocols.test_dropped import USER, translate

CHAT, RESPONSES, GEMINI = Wire.OPENAI_CHAT, Wire.OPENAI_RESPONSES, Wire.GEMINI
ANTHROPIC, CONVERSE = Wire.ANTHROPIC_MESSAGES, Wire.BEDROCK_CONVERSE
NAMES = ("f", "g", "h")
CHAT_TOOLS = [{"type": "function", "function": {"name": name}} for name in NAMES]


def tool_names(wire: Wire, body: dict[str, Any]) -> list[str]:
    match wire:
        case Wire.OPENAI_CHAT:
            return [tool["function"]["name"] for tool in body["tools"]]
        case Wire.GEMINI:
            return [tool["name"] for tool in body["tools"][0]["functionDeclarations"]]
        case Wire.BEDROCK_CONVERSE:
            return [tool["toolSpec"]["name"] for tool in body["toolConfig"]["tools"]]
        case _:
            return [tool["name"] for tool in body["tools"]]


def chat_asking(mode: str) -> dict[str, Any]:
    allowed = {"mode": mode, "tools": CHAT_TOOLS[:2]}
    choice = {"type": "allowed_tools", "allowed_tools": allowed}
    return {"model": "m", "messages": [USER], "tools": CHAT_TOOLS, "tool_choice": choice}


def responses_asking(mode: str) -> dict[str, Any]:
    tools = [{"type": "function", "name": name} for name in NAMES]
    choice = {"type": "allowed_tools", "mode": mode, "tools": tools[:2]}
    return {"model": "m", "input": "hi", "tools": tools, "tool_choice": choice}


@pytest.mark.parametrize("to", [CHAT, RESPONSES, ANTHROPIC, GEMINI, CONVERSE])
@pytest.mark.parametrize("mode", ["auto", "required"])
@pytest.mark.parametrize(("client", "asking"), [(CHAT, chat_asking), (RESPONSES, responses_asking)])
def test_no_other_tools_than_the_allowed_are_called(client: Wire, asking: Any, mode: str, to: Wire):
    body = asking(mode)

    encoded = translate(body, client=client, to=to)

    assert encoded.dropped == ()
    if client is to:
        assert encoded.body["tool_choice"] == body["tool_choice"]
        assert len(encoded.body["tools"]) == 3
    elif to is GEMINI and mode == "required":
        config = encoded.body["toolConfig"]["functionCallingConfig"]
        assert config == {"mode": "ANY", "allowedFunctionNames": ["f", "g"]}
    else:
        assert tool_names(to, encoded.body) == ["f", "g"]


def test_list_with_hosted_tools_is_named():
    choice = {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "web_search"}]}

    encoded = translate(
        responses_asking("auto") | {"tool_choice": choice}, client=RESPONSES, to=CHAT
    )

    assert encoded.dropped == ("tool_choice",)


@pytest.mark.parametrize("to", [CHAT, ANTHROPIC, GEMINI, CONVERSE])
def test_custom_tools_are_sent_and_not_named(to: Wire):
    tool = {"type": "custom", "name": "patch", "description": "Edits.", "format": {"type": "text"}}
    body = {"model": "m", "input": "hi", "tools": [tool]}

    elsewhere = translate(body, client=RESPONSES, to=to)

    assert tool_names(to, elsewhere.body) == ["patch"]
    assert elsewhere.dropped == ()
    assert translate(body, client=RESPONSES, to=RESPONSES).body["tools"] == [tool]


def test_sound_goes_both_ways_between_chat_and_google():
    audio = {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "mp3"}}
    turn = {"role": "user", "content": [audio]}

    there = translate({"model": "m", "messages": [turn]}, client=CHAT, to=GEMINI)
    back = translate(there.body, client=GEMINI, to=CHAT)

    blob = {"mimeType": "audio/mp3", "data": "UklGRg=="}
    assert there.body["contents"][0]["parts"] == [{"inlineData": blob}]
    assert back.body["messages"] == [turn]
    assert there.dropped == back.dropped == ()


@pytest.mark.parametrize(
    ("client", "to", "part", "dropped"),
    [
        (GEMINI, CHAT, {"inlineData": {"mimeType": "audio/ogg", "data": "T2dn"}}, "inlineData"),
        (GEMINI, ANTHROPIC, {"inlineData": {"mimeType": "audio/wav", "data": "UklG"}}, "inlineData"),
        (GEMINI, CHAT, {"inlineData": {"mimeType": "video/mp4", "data": "AAAA"}}, "inlineData"),
        (CHAT, RESPONSES, {"type": "input_audio", "input_audio": {"data": "UklG", "format": "wav"}}, "input_audio"),
        (CHAT, GEMINI, {"type": "input_audio", "input_audio": {"data": "UklG", "format": "odd"}}, "input_audio"),
    ],
)  # fmt: skip
def test_sound_that_is_not_taken_is_named(client: Wire, to: Wire, part: Any, dropped: str):
    body: dict[str, Any] = (
        {"contents": [{"parts": [{"text": "a"}, part]}]}
        if client is GEMINI
        else {"model": "m", "messages": [{"role": "user", "content": [part]}]}
    )

    assert translate(body, client=client, to=to).dropped == (dropped,)


FUNCTION = {"name": "f", "description": "Finds.", "parameters": {"type": "object"}}
TALK = [
    USER,
    {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": '{"a": 1}'}},
    {"role": "function", "name": "f", "content": "found"},
]
LEGACY = {"model": "m", "messages": TALK, "functions": [FUNCTION], "function_call": {"name": "f"}}


@pytest.mark.parametrize("to", [RESPONSES, ANTHROPIC, GEMINI, CONVERSE])
def test_functions_are_tools_elsewhere(to: Wire):
    encoded = translate(LEGACY, client=CHAT, to=to)
    again = CODECS[to].decode_request(received(to, encoded.body))

    [tool] = again.tools
    assert (tool.name, again.tool_choice and again.tool_choice.name) == ("f", "f")
    said = [part for message in again.messages for part in message.parts]
    [call] = [part for part in said if isinstance(part, ToolCall)]
    assert orjson.loads(call.arguments) == {"a": 1}
    [result] = [part for part in said if isinstance(part, ToolResult)]
    assert result.tool_call_id == call.id
    assert "found" in str(result)
    assert encoded.dropped == ()


@pytest.mark.parametrize(("asked", "mode"), [("none", "none"), ("auto", "auto")])
def test_choice_of_functions_is_that_of_tools(asked: str, mode: str):
    encoded = translate(LEGACY | {"function_call": asked}, client=CHAT, to=ANTHROPIC)

    assert encoded.body["tool_choice"]["type"] == mode


def test_results_of_functions_find_their_calls_in_order():
    talk = [USER, TALK[1], TALK[2], TALK[1], TALK[2], TALK[2]]

    messages = translate(LEGACY | {"messages": talk}, client=CHAT, to=ANTHROPIC).body["messages"]

    blocks = [block for message in messages for block in message["content"]]
    calls = [block["id"] for block in blocks if block["type"] == "tool_use"]
    results = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
    assert results[:2] == calls
    assert len(set(results)) == 3


def test_call_that_is_said_in_both_forms_is_one():
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    turn = {"role": "assistant", "tool_calls": [call], "function_call": call["function"]}

    messages = translate(LEGACY | {"messages": [USER, turn]}, client=CHAT, to=ANTHROPIC).body[
        "messages"
    ]

    assert len(messages[1]["content"]) == 1


def answer_to(body: dict[str, Any], wire: Wire) -> tuple[dict[str, Any], list[Any]]:
    """The whole answer of a host that calls two tools, and the deltas of the streamed one."""
    case = Case(wire, "tools_parallel")
    request, codec = CODECS[CHAT].decode_request(body), CODECS[CHAT]
    identity = replace(IDENTITY, echo=request.echo)
    response = CODECS[wire].decode_response(case.response)
    whole = codec.encode_response(response, identity=identity, usage=USAGE, price=price)
    encoder = codec.stream_encoder(identity=identity, price=price, include_usage=False)
    events = events_of(wire, [case.stream])
    stream = b"".join(encoder.feed(event) for event in events) + encoder.finish(USAGE)
    chunks = [orjson.loads(record.data) for record in records_of([stream])[:-1]]
    return whole["choices"][0], [chunk["choices"][0] for chunk in chunks]


@pytest.mark.parametrize("wire", [RESPONSES, ANTHROPIC, GEMINI])
def test_client_of_functions_gets_its_call_as_one(wire: Wire):
    whole, streamed = answer_to(LEGACY, wire)

    assert "tool_calls" not in str(whole) + str(streamed)
    assert whole["finish_reason"] == streamed[-1]["finish_reason"] == "function_call"
    first, *more = [
        choice["delta"]["function_call"]
        for choice in streamed
        if "function_call" in choice["delta"]
    ]
    called = whole["message"]["function_call"]
    assert first["name"] == called["name"]
    arguments = "".join(fragment["arguments"] for fragment in (first, *more))
    assert orjson.loads(arguments) == orjson.loads(called["arguments"])


def test_client_of_tools_never_gets_a_function_call():
    whole, streamed = answer_to(LEGACY | {"tools": CHAT_TOOLS}, ANTHROPIC)

    assert "function_call" not in str(whole) + str(streamed)
    assert whole["finish_reason"] == "tool_calls"


def test_answer_without_a_call_ends_as_ever():
    identity = replace(IDENTITY, echo=CODECS[CHAT].decode_request(LEGACY).echo)
    response = ChatResponse(id="c", model="m", blocks=(Text("hi"),), finish=FinishReason.STOP)

    body = CODECS[CHAT].encode_response(response, identity=identity, usage=USAGE, price=price)

    assert body["choices"][0]["finish_reason"] == "stop"
