"""OpenAI Responses: what its clients rely on, beyond what holds on every wire."""

from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from msgspec.structs import replace

from apps.catalog.providers.spec import Wire
from apps.common import errors
from apps.common.errors import InvalidRequest
from apps.inference.canonical.content import (
    Document,
    Image,
    Reasoning,
    Text,
    ToolCall,
    ToolResult,
)
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
from apps.inference.canonical.request import Role
from apps.inference.protocols import CODECS
from apps.inference.protocols.openai_responses import echo
from tests.protocols.cases import (
    CASES,
    IDENTITY,
    USAGE,
    Case,
    encode_stream,
    encoder_for,
    events_of,
    price,
)
from tests.protocols.responses_stream import check_stream, events_in
from tests.protocols.test_properties import event_streams
from tests.protocols.test_streaming import INTERLEAVED

WIRE, CHAT, ANTHROPIC = Wire.OPENAI_RESPONSES, Wire.OPENAI_CHAT, Wire.ANTHROPIC_MESSAGES
CODEC = CODECS[WIRE]
PATCH = {
    "type": "custom",
    "name": "apply_patch",
    "description": "Change files.",
    "format": {"type": "grammar", "syntax": "lark", "definition": "start: x"},
}


def asking(*items: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"model": "m", "input": list(items) or "hi", **fields}


# Streams for clients.


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_stream_keeps_the_grammar(case: Case):
    final = check_stream(encode_stream(WIRE, events_of(case.wire, [case.stream])))

    assert final["usage"]["total_tokens"] == USAGE.total
    assert final["usage"]["cost"] == 0.00125


@pytest.mark.parametrize("case", [case for case in CASES if case.wire is WIRE], ids=str)
def test_fixture_streams_keep_the_grammar(case: Case):
    assert check_stream(case.stream)["id"] == case.response["id"]


@settings(max_examples=150, deadline=None)
@given(events=event_streams())
def test_any_stream_keeps_the_grammar_and_survives(events: list[Event]):
    stream = encode_stream(WIRE, events)

    check_stream(stream)
    again, expected = fold(events_of(WIRE, [stream])), fold(events)
    assert [block for block in again.blocks if block != Text("")] == list(expected.blocks)
    assert again.usage == USAGE


def test_interleaved_blocks_grow_side_by_side():
    stream = encode_stream(WIRE, INTERLEAVED)

    final = check_stream(stream)
    deltas = [event for event in events_in(stream) if event["type"].endswith(".delta")]
    assert [event["output_index"] for event in deltas] == [0, 1, 2, 0, 1]
    assert [item["type"] for item in final["output"]] == [
        "message", "function_call", "function_call",
    ]  # fmt: skip
    assert [item["id"] for item in final["output"]] == ["msg_gen-1_0", "fc_gen-1_1", "fc_gen-1_2"]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_stream_ends_with_the_whole_answer(case: Case):
    """Ids included: what a client has seen grow is what it finds in the end."""
    response = CODECS[case.wire].decode_response(case.response)
    whole = CODEC.encode_response(response, identity=IDENTITY, usage=USAGE, price=price)

    final = check_stream(encode_stream(WIRE, events_of(case.wire, [case.stream])))

    assert _without_spaces(final) == _without_spaces(whole)


def _without_spaces(response: dict[str, Any]) -> dict[str, Any]:
    items = [
        item | {"arguments": orjson.loads(item["arguments"])} if "arguments" in item else item
        for item in response["output"]
    ]
    return response | {"output": items}


def test_text_is_not_delayed():
    encoder = encoder_for(WIRE)
    encoder.feed(BlockStarted(0, BlockKind.TEXT))

    assert b"soon" in encoder.feed(BlockDelta(0, "soon"))


@pytest.mark.parametrize(
    ("reason", "status", "why"),
    [
        (FinishReason.STOP, "completed", None),
        (FinishReason.STOP_SEQUENCE, "completed", None),
        (FinishReason.TOOL_CALLS, "completed", None),
        (FinishReason.LENGTH, "incomplete", {"reason": "max_output_tokens"}),
        (FinishReason.CONTENT_FILTER, "incomplete", {"reason": "content_filter"}),
    ],
)
def test_finish_reason_becomes_a_status(reason: FinishReason, status: str, why: Any):
    events: list[Event] = [BlockStarted(0, BlockKind.TEXT), BlockFinished(0), Finished(reason)]

    final = check_stream(encode_stream(WIRE, events))

    assert (final["status"], final["incomplete_details"]) == (status, why)
    assert final["output"][-1]["status"] == status


def test_broken_answer_ends_in_a_failed_response():
    encoder = encoder_for(WIRE)
    begun = encoder.feed(Started("a", "m")) + encoder.feed(BlockStarted(0, BlockKind.TEXT))
    begun += encoder.feed(BlockDelta(0, "Hel"))

    stream = begun + encoder.fail(errors.UpstreamInvalid("The provider failed."))

    final = check_stream(stream)
    assert final["status"] == "failed"
    assert final["error"]["code"] == "server_error"
    assert final["error"]["gateway_code"] == "upstream_error"
    assert final["error"]["message"] == "The provider failed."


def test_answer_that_breaks_at_once_is_still_a_stream():
    check_stream(encoder_for(WIRE).fail(errors.RateLimited("Slower.")))


def test_error_without_an_answer_is_an_error_event():
    [event] = events_in(CODEC.encode_stream_error(errors.RateLimited("x"), request_id="r"))

    assert event["type"] == "error"
    assert event["code"] == event["error"]["code"] == "rate_limit_exceeded"


@pytest.mark.parametrize("wire", [CHAT, ANTHROPIC])
def test_other_wires_fail_as_their_codec_says(wire: Wire):
    error = errors.UpstreamInvalid("x")

    said = CODECS[wire].encode_stream_error(error, request_id=IDENTITY.id)

    assert encoder_for(wire).fail(error) == said


# What an answer repeats of its request.


def test_answer_repeats_its_request():
    body = Case(WIRE, "tools_parallel").request
    response = CODECS[CHAT].decode_response(Case(CHAT, "text").response)

    answer = CODEC.encode_response(
        response, identity=replace(IDENTITY, echo=echo(body)), usage=USAGE, price=price
    )

    assert answer["instructions"] == body["instructions"]
    assert answer["store"] is False
    assert answer["reasoning"] == {"effort": "medium", "summary": "auto"}
    assert [tool["type"] for tool in answer["tools"]] == ["function", "custom", "web_search"]
    assert answer["text"] == {"format": {"type": "text"}}
    assert "input" not in answer
    assert "stream" not in answer


# Custom tools.


def test_custom_tool_is_a_function_elsewhere():
    request = CODEC.decode_request(asking(tools=[PATCH]))

    [tool] = CODECS[CHAT].encode_request(request, model="m").body["tools"]

    assert tool["type"] == "function"
    assert tool["function"]["parameters"]["required"] == ["input"]
    assert tool["function"]["description"].startswith("Change files.")
    assert "start: x" in tool["function"]["description"]


def test_call_of_a_custom_tool_is_text_for_its_client():
    identity = replace(IDENTITY, echo=echo(asking(tools=[PATCH])))
    events: list[Event] = [
        BlockStarted(0, BlockKind.TOOL_CALL, "call_1", "apply_patch"),
        BlockDelta(0, '{"input": "*** Beg'),
        BlockDelta(0, 'in\\n"}'),
        BlockFinished(0),
        Finished(FinishReason.TOOL_CALLS),
    ]
    encoder = CODEC.stream_encoder(identity=identity, price=price, include_usage=True)

    stream = b"".join(encoder.feed(event) for event in events) + encoder.finish(USAGE)

    whole = CODEC.encode_response(fold(events), identity=identity, usage=USAGE, price=price)
    [item] = check_stream(stream)["output"]
    assert [item] == whole["output"]
    assert item["type"] == "custom_tool_call"
    assert item["id"].startswith("ctc_")
    assert item["input"] == "*** Begin\n"


def test_custom_call_and_its_result_go_on_as_a_functions():
    request = CODEC.decode_request(
        asking(
            {"type": "custom_tool_call", "call_id": "c", "name": "apply_patch", "input": "x"},
            {"type": "custom_tool_call_output", "call_id": "c", "output": "ok"},
            tools=[PATCH],
        )
    )

    messages = CODECS[CHAT].encode_request(request, model="m").body["messages"]

    assert messages[0]["tool_calls"][0]["function"]["arguments"] == '{"input":"x"}'
    assert messages[1] == {"role": "tool", "tool_call_id": "c", "content": "ok"}


# Requests.


def test_items_of_an_answer_are_one_turn_and_results_another():
    request = CODEC.decode_request(Case(WIRE, "tools_parallel").request)

    shape = [(turn.role, [type(part) for part in turn.parts]) for turn in request.messages]

    assert [text.text for text in request.system] == ["You are a coding agent.", "Use tools."]
    assert shape[:3] == [
        (Role.USER, [Text]),
        (Role.ASSISTANT, [Reasoning, Text, ToolCall, ToolCall]),
        (Role.USER, [ToolResult, ToolResult]),
    ]


def test_conversation_becomes_chat_messages():
    request = CODEC.decode_request(Case(WIRE, "tools_parallel").request)

    messages = CODECS[CHAT].encode_request(request, model="m").body["messages"]

    assert [message["role"] for message in messages] == [
        "system", "user", "assistant", "tool", "tool", "user", "assistant", "tool", "assistant", "user",
    ]  # fmt: skip
    assert messages[2]["content"] == "Looking."
    assert len(messages[2]["tool_calls"]) == 2
    assert "reasoning_content" not in messages[2]


def test_media_keep_url_or_data():
    request = CODEC.decode_request(Case(WIRE, "images").request)

    _, linked, inline, document, paper = request.messages[0].parts

    assert isinstance(linked, Image)
    assert linked.url == "https://example.com/cat.png"
    assert isinstance(inline, Image)
    assert (inline.media_type, inline.data) == ("image/png", "iVBORw0KGgo=")
    assert isinstance(document, Document)
    assert (document.title, document.media_type) == ("a.pdf", "application/pdf")
    assert isinstance(paper, Document)
    assert paper.url == "https://example.com/b.pdf"


@pytest.mark.parametrize("case", CASES, ids=str)
def test_provider_stores_nothing_and_gives_its_reasoning(case: Case):
    request = CODECS[case.wire].decode_request(case.request)

    body = CODEC.encode_request(request, model="m").body

    assert body["store"] is False
    assert body["include"][0] == "reasoning.encrypted_content"
    assert body["input"]


def test_functions_of_other_wires_are_not_strict():
    tools = [{"type": "function", "function": {"name": "get_weather"}}]
    request = CODECS[CHAT].decode_request(Case(CHAT, "text").request | {"tools": tools})

    tool = CODEC.encode_request(request, model="m").body["tools"][0]

    assert tool == {
        "type": "function",
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {}},
        "strict": False,
    }


def test_reasoning_returns_only_to_its_maker():
    thinking = CODECS[ANTHROPIC].decode_request(Case(ANTHROPIC, "thinking").request)
    encrypted = CODEC.decode_request(Case(WIRE, "reasoning").request)

    there = CODEC.encode_request(thinking, model="m").body["input"]
    back = CODEC.encode_request(encrypted, model="m").body["input"]
    elsewhere = CODECS[ANTHROPIC].encode_request(encrypted, model="m").body["messages"]

    assert "reasoning" not in [item["type"] for item in there]
    assert back[1]["encrypted_content"] == "gAAAAABo-old"
    assert [block["type"] for block in elsewhere[1]["content"]] == ["text"]


@pytest.mark.parametrize("case", [Case(ANTHROPIC, "thinking")], ids=str)
def test_others_signatures_travel_through_a_client_of_this_wire(case: Case):
    response = CODECS[case.wire].decode_response(case.response)
    [thought] = [block for block in response.blocks if isinstance(block, Reasoning)]
    answer = CODEC.encode_response(response, identity=IDENTITY, usage=USAGE, price=price)

    again = CODEC.decode_request(asking({"role": "user", "content": "a"}, *answer["output"]))

    assert again.messages[1].parts[0] == thought
    assert "reasoning" not in [
        item["type"] for item in CODEC.encode_request(again, model="m").body["input"]
    ]


def test_signature_of_a_call_travels_beside_it():
    origin = Wire.GEMINI
    events: list[Event] = [
        Started("a", "m"),
        BlockStarted(0, BlockKind.TEXT),
        BlockDelta(0, "Look", "proof of text", origin),
        BlockFinished(0),
        BlockStarted(1, BlockKind.TOOL_CALL, "c", "f", "proof of call", origin),
        BlockDelta(1, "{}"),
        BlockFinished(1),
        Finished(FinishReason.TOOL_CALLS),
    ]

    final = check_stream(encode_stream(WIRE, events))

    whole = CODEC.encode_response(fold(events), identity=IDENTITY, usage=USAGE, price=price)
    assert whole["output"] == final["output"]
    assert [item["type"] for item in final["output"]] == [
        "message", "reasoning", "reasoning", "function_call",
    ]  # fmt: skip
    request = CODEC.decode_request(asking({"role": "user", "content": "a"}, *final["output"]))
    text, call = request.messages[1].parts
    assert isinstance(text, Text)
    assert isinstance(call, ToolCall)
    assert (text.signature, text.origin) == ("proof of text", origin)
    assert (call.signature, call.origin) == ("proof of call", origin)


def test_reasoning_without_proof_returns_to_chat_hosts():
    thought = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}
    said = {"role": "assistant", "content": "ok"}
    request = CODEC.decode_request(asking({"role": "user", "content": "a"}, thought, said))

    messages = CODECS[CHAT].encode_request(request, model="m").body["messages"]

    assert messages[1] == {"role": "assistant", "content": "ok", "reasoning_content": "hm"}


def test_what_this_wire_cannot_carry_is_named_in_the_clients_words():
    body = Case(CHAT, "text").request | {
        "seed": 1, "stop": ["x"], "n": 2, "frequency_penalty": 1, "logit_bias": {"1": 1}, "store": True,
    }  # fmt: skip

    dropped = CODEC.encode_request(CODECS[CHAT].decode_request(body), model="m").dropped

    assert {"seed", "stop", "n", "frequency_penalty", "logit_bias", "store"} <= set(dropped)


def test_what_other_wires_cannot_carry_is_named_in_the_clients_words():
    request = CODEC.decode_request(Case(WIRE, "tools_parallel").request)

    dropped = CODECS[CHAT].encode_request(request, model="m").dropped

    assert set(dropped) == {
        "reasoning.summary", "message.phase", "tools.web_search",
        "web_search_call",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "param", "code"),
    [
        ({"model": None}, "model", "missing_field"),
        ({"input": None}, "input", "missing_field"),
        ({"input": []}, "input", "invalid_value"),
        ({"input": 7}, "input", "invalid_type"),
        ({"input": ["a"]}, "input[0]", "invalid_type"),
        ({"input": [{"role": "user"}]}, "input[0].content", "missing_field"),
        ({"input": [{"role": "tool", "content": "a"}]}, "input[0].role", "invalid_value"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input[0].id", "invalid_value"),
        ({"input": [{"type": "function_call", "call_id": "c", "name": "f"}]}, "input[0].arguments", "missing_field"),
        ({"input": [{"type": "function_call_output", "call_id": "c"}]}, "input[0].output", "missing_field"),
        ({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, "input[0].content[0].image_url", "missing_field"),
        ({"input": [{"role": "user", "content": [{"type": "input_file"}]}]}, "input[0].content[0].file_data", "missing_field"),
        ({"instructions": 7}, "instructions", "invalid_type"),
        ({"max_output_tokens": 0}, "max_output_tokens", "invalid_value"),
        ({"temperature": 3}, "temperature", "invalid_value"),
        ({"tools": [{"type": "function"}]}, "tools[0].name", "missing_field"),
        ({"tools": [{"type": "custom"}]}, "tools[0].name", "missing_field"),
        ({"tool_choice": "maybe"}, "tool_choice", "invalid_value"),
        ({"tool_choice": {"type": "function"}}, "tool_choice.name", "missing_field"),
        ({"text": {"format": {"type": "json_schema", "name": "x"}}}, "text.format.schema", "missing_field"),
        ({"reasoning": {"effort": 3}}, "reasoning.effort", "invalid_type"),
        ({"include": "x"}, "include", "invalid_type"),
        ({"background": True}, "background", "invalid_value"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt", "invalid_value"),
        ({"conversation": "conv_1"}, "conversation", "invalid_value"),
    ],
)  # fmt: skip
def test_request_is_refused_by_field(change: dict[str, Any], param: str, code: str):
    with pytest.raises(InvalidRequest) as caught:
        CODEC.decode_request({"model": "m", "input": "a"} | change)

    assert (caught.value.param, caught.value.code) == (param, code)
    assert param in caught.value.message


def test_messages_of_a_user_stay_apart():
    request = CODEC.decode_request(
        asking({"role": "user", "content": "a"}, {"role": "user", "content": "b"})
    )

    assert [turn.parts for turn in request.messages] == [(Text("a"),), (Text("b"),)]
