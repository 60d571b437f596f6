"""What one wire says, said on the other."""

import re
from collections.abc import Collection
from typing import Any

import orjson
import pytest

from apps.catalog.providers.spec import Wire
from apps.inference.canonical.codec import EncodedRequest
from apps.inference.canonical.content import (
    Document,
    Image,
    Part,
    Refusal,
    Text,
    ToolCall,
    ToolResult,
)
from apps.inference.canonical.events import Opaque
from apps.inference.canonical.fold import fold
from apps.inference.canonical.request import (
    LEAST_OUTPUT,
    ChatRequest,
    Message,
    Role,
    Tool,
    ToolMode,
)
from apps.inference.protocols import CODECS
from tests.protocols.cases import (
    IDENTITY,
    PAIRS,
    USAGE,
    Case,
    encode_stream,
    events_of,
    price,
    received,
    with_plain_arguments,
)
from tests.protocols.responses_stream import check_order

OPENAI, ANTHROPIC = Wire.OPENAI_CHAT, Wire.ANTHROPIC_MESSAGES
OTHER = {OPENAI: ANTHROPIC, ANTHROPIC: OPENAI}


def translate(body: dict[str, Any], *, to: Wire) -> EncodedRequest:
    request = CODECS[OTHER[to]].decode_request(body)
    return CODECS[to].encode_request(request, model="native")


def to_anthropic(*messages: dict[str, Any], **fields: Any) -> EncodedRequest:
    return translate({"model": "m", "messages": list(messages), **fields}, to=ANTHROPIC)


def to_openai(*messages: dict[str, Any], **fields: Any) -> EncodedRequest:
    body = {"model": "m", "max_tokens": 100, "messages": list(messages), **fields}
    return translate(body, to=OPENAI)


USER = {"role": "user", "content": "hi"}
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]


def said_in(request: ChatRequest) -> dict[str, Any]:
    """What a request says on every wire: texts by who says them, pictures, calls, results, tools, limits."""
    turns = [Message(Role.SYSTEM, request.system), *request.messages]
    parts = [(turn.role, part) for turn in turns for part in turn.parts]
    results = [part for _, part in parts if isinstance(part, ToolResult)]
    beside = [(Role.USER, inner) for result in results for inner in result.content]
    calls = [part for _, part in parts if isinstance(part, ToolCall)]
    return {
        "texts": {
            role: sorted(
                re.findall(r"\S+", " ".join(_text(part) for by, part in parts if by is role))
            )
            for role in Role
        },
        "pictures": sorted(
            part.url or part.data for _, part in parts + beside if isinstance(part, Image)
        ),
        "calls": [(call.name, orjson.loads(call.arguments or "{}")) for call in calls],
        "results": ["\n\n".join(filter(None, map(_text, result.content))) for result in results],
        "tools": [
            (tool.name, (tool.schema or {}).get("properties", {}))
            for tool in request.tools
            if isinstance(tool, Tool)
        ],
        "limit": request.max_tokens,
    }


def _text(part: Part) -> str:
    return part.text if isinstance(part, Text | Refusal | Document | Opaque) else ""


def expected_of(request: ChatRequest, other: Wire, dropped: Collection[str]) -> dict[str, Any]:
    """The same, but for what the other wire cannot say and is documented to say otherwise."""
    said = said_in(request)
    if other is ANTHROPIC:
        said["limit"] = said["limit"] or 4096
    if other is Wire.OPENAI_RESPONSES and said["limit"]:
        said["limit"] = max(said["limit"], LEAST_OUTPUT[other])
    if other is Wire.BEDROCK_CONVERSE:
        by_address = [picture for picture in said["pictures"] if picture.startswith("http")]
        said["pictures"] = [picture for picture in said["pictures"] if picture not in by_address]
        assert not by_address or dropped
        if request.tool_choice is not None and request.tool_choice.mode is ToolMode.NONE:
            said["tools"] = []  # the wire has no word for tools that may not be called
    return said


@pytest.mark.parametrize(("case", "other"), PAIRS, ids=str)
def test_every_request_translates_to_a_valid_one(case: Case, other: Wire):
    request = CODECS[case.wire].decode_request(case.request)

    encoded = CODECS[other].encode_request(request, model="native")

    again = CODECS[other].decode_request(received(other, encoded.body, model="native"))
    assert again.model == "native"
    assert "" not in encoded.dropped
    assert said_in(again) == expected_of(request, other, encoded.dropped)


@pytest.mark.parametrize(("case", "other"), PAIRS, ids=str)
def test_every_answer_means_the_same_whole_and_streamed(case: Case, other: Wire):
    response = CODECS[case.wire].decode_response(case.response)
    codec = CODECS[other]

    whole = codec.encode_response(response, identity=IDENTITY, usage=USAGE, price=price)
    stream = encode_stream(other, events_of(case.wire, [case.stream]))
    streamed = fold(events_of(other, [stream]))

    if other is Wire.OPENAI_RESPONSES:
        check_order(stream)
    assert with_plain_arguments(streamed) == with_plain_arguments(codec.decode_response(whole))


def test_instructions_move_to_system():
    encoded = to_anthropic(
        {"role": "developer", "content": "a"},
        USER,
        {"role": "system", "content": [{"type": "text", "text": "b"}]},
    )

    assert encoded.body["system"] == [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert [message["role"] for message in encoded.body["messages"]] == ["user"]


def test_instructions_alone_become_the_user_turn():
    body = to_anthropic({"role": "system", "content": "a"}).body

    assert "system" not in body
    assert body["messages"] == [{"role": "user", "content": [{"type": "text", "text": "a"}]}]


def test_max_tokens_has_a_default():
    assert to_anthropic(USER).body["max_tokens"] == 4096
    assert to_anthropic(USER, max_tokens=7).body["max_tokens"] == 7
    assert to_anthropic(USER, max_completion_tokens=8, max_tokens=7).body["max_tokens"] == 8


def test_tool_results_join_one_user_turn_and_come_first():
    call = {"type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    encoded = to_anthropic(
        USER,
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"id": "1", **call}, {"id": "2", **call}],
        },
        {"role": "tool", "tool_call_id": "1", "content": "one"},
        {"role": "user", "content": "and?"},
        {"role": "tool", "tool_call_id": "2", "content": "two"},
    )

    assert [message["role"] for message in encoded.body["messages"]] == [
        "user",
        "assistant",
        "user",
    ]
    assistant, results = encoded.body["messages"][1:]
    assert [block["input"] for block in assistant["content"]] == [{"a": 1}, {"a": 1}]
    assert [block["type"] for block in results["content"]] == ["tool_result", "tool_result", "text"]
    assert results["content"][1] == {
        "type": "tool_result",
        "tool_use_id": "2",
        "content": [{"type": "text", "text": "two"}],
    }


@pytest.mark.parametrize("arguments", ["", "{", "[1]", "null", '"x"'])
def test_malformed_arguments_become_an_empty_object(arguments: str):
    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": arguments}}

    encoded = to_anthropic(USER, {"role": "assistant", "tool_calls": [call]})

    assert encoded.body["messages"][1]["content"][0]["input"] == {}


def test_tool_call_ids_stay_paired_when_anthropic_would_refuse_them():
    call = {"id": "functions.f:0", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    encoded = to_anthropic(
        USER,
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "functions.f:0", "content": "x"},
    )

    assert encoded.body["messages"][1]["content"][0]["id"] == "functions_f_0"
    assert encoded.body["messages"][2]["content"][0]["tool_use_id"] == "functions_f_0"


@pytest.mark.parametrize(
    ("choice", "parallel", "expected"),
    [
        ("auto", None, {"type": "auto"}),
        ("required", None, {"type": "any"}),
        ("none", False, {"type": "none"}),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
        ("required", False, {"type": "any", "disable_parallel_tool_use": True}),
        ({"type": "function", "function": {"name": "f"}}, None, {"type": "tool", "name": "f"}),
        (None, None, None),
    ],
)
def test_tool_choice_maps_to_anthropic(choice: Any, parallel: bool | None, expected: Any):
    body = to_anthropic(USER, tools=TOOLS, tool_choice=choice, parallel_tool_calls=parallel).body

    assert body.get("tool_choice") == expected


def test_tool_choice_without_tools_is_left_out():
    assert "tool_choice" not in to_anthropic(USER, parallel_tool_calls=False).body


def test_tool_schema_gets_a_type():
    tools = [
        {"type": "function", "function": {"name": "a"}},
        {"type": "function", "function": {"name": "b", "parameters": {"properties": {}}}},
    ]

    encoded = to_anthropic(USER, tools=tools).body["tools"]

    assert encoded[0] == {"name": "a", "input_schema": {"type": "object"}}
    assert encoded[1]["input_schema"] == {"type": "object", "properties": {}}


def test_account_and_stop_words_change_their_names():
    body = to_anthropic(USER, user="u", stop="x").body

    assert body["metadata"] == {"user_id": "u"}
    assert body["stop_sequences"] == ["x"]


@pytest.mark.parametrize(("asked", "sent"), [(0, 0), (0.3, 0.3), (1, 1), (1.7, 1)])
def test_temperature_is_clamped(asked: float, sent: float):
    assert to_anthropic(USER, temperature=asked).body["temperature"] == sent


@pytest.mark.parametrize(
    ("effort", "sent"),
    [("minimal", "low"), ("low", "low"), ("high", "high"), ("max", "max"), ("unheard", None)],
)
def test_effort_is_adaptive_thinking_with_an_effort(effort: str, sent: str | None):
    """What older Claude takes instead is for its hosts' quirks."""
    encoded = to_anthropic(USER, reasoning_effort=effort)

    if sent is None:
        assert encoded.body.keys().isdisjoint({"thinking", "output_config"})
        assert encoded.dropped == ("reasoning_effort",)
        return
    assert encoded.body["thinking"] == {"type": "adaptive"}
    assert encoded.body["output_config"] == {"effort": sent}
    assert encoded.dropped == ()


def test_effort_none_turns_thinking_off():
    assert to_anthropic(USER, reasoning_effort="none").body["thinking"] == {"type": "disabled"}


def test_thinking_yields_to_a_forced_tool():
    encoded = to_anthropic(
        USER, reasoning_effort="low", max_tokens=9000, tools=TOOLS, tool_choice="required"
    )

    assert "thinking" not in encoded.body
    assert encoded.body["output_config"] == {"effort": "low"}
    assert encoded.dropped == ()


def test_sampling_yields_to_thinking():
    encoded = to_anthropic(
        USER, reasoning_effort="low", max_tokens=9000, temperature=0.2, top_p=0.5, stop=["x"]
    )

    assert encoded.dropped == ("temperature", "top_p")
    assert encoded.body["stop_sequences"] == ["x"]


def test_what_anthropic_cannot_carry_is_named_in_the_clients_words():
    encoded = to_anthropic(
        {"role": "user", "name": "ann", "content": [{"type": "input_audio", "input_audio": {}}]},
        USER,
        seed=1,
        n=2,
        logit_bias={"1": 2},
        logprobs=True,
        top_logprobs=1,
        frequency_penalty=1,
        presence_penalty=1,
        response_format={"type": "json_object"},
        metadata={"a": "b"},
        service_tier="flex",
        store=True,
        stop=[" "],
        tools=[{"type": "brand_new"}],
    )

    assert set(encoded.dropped) == {
        "seed", "n", "logit_bias", "logprobs", "top_logprobs", "frequency_penalty",
        "presence_penalty", "response_format", "metadata", "service_tier", "store", "stop",
        "tools.brand_new", "input_audio", "name",
    }  # fmt: skip
    assert encoded.body == {
        "model": "native",
        "max_tokens": 4096,
        "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}],
    }


def test_one_answer_is_no_loss():
    assert to_anthropic(USER, n=1).dropped == ()


def test_json_schema_becomes_an_output_format():
    schema = {"type": "object"}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema, "strict": True}}

    encoded = to_anthropic(USER, response_format=wanted)

    assert encoded.body["output_config"] == {"format": {"type": "json_schema", "schema": schema}}
    assert encoded.dropped == ()


def test_images_keep_url_or_data():
    case = Case(OPENAI, "images")

    content = translate(case.request, to=ANTHROPIC).body["messages"][0]["content"]

    assert [block.get("source") for block in content] == [
        None,
        {"type": "url", "url": "https://example.com/cat.png"},
        {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="},
        {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjQ="},
    ]


def test_cache_breakpoints_reach_anthropic():
    case = Case(OPENAI, "reasoning")

    last = translate(case.request, to=ANTHROPIC).body["messages"][-1]["content"][-1]

    assert last["cache_control"] == {"type": "ephemeral", "ttl": "1h"}


def test_anthropic_turn_becomes_tool_messages_then_a_user_message():
    encoded = translate(Case(ANTHROPIC, "tools_parallel").request, to=OPENAI)

    assert [message["role"] for message in encoded.body["messages"]] == [
        "user", "assistant", "tool", "tool", "user",
    ]  # fmt: skip
    _, assistant, first, second, user = encoded.body["messages"]
    assert assistant["content"] == "Looking."
    assert assistant["tool_calls"][0] == {
        "id": "toolu_0",
        "type": "function",
        "function": {"name": "get_weather", "arguments": '{"city":"Oslo"}'},
    }
    assert first == {"role": "tool", "tool_call_id": "toolu_0", "content": "4 degrees"}
    assert second["content"] == "clock broken"
    assert [part["type"] for part in user["content"]] == ["image_url", "text"]
    assert encoded.body["tool_choice"] == "required"
    assert encoded.body["parallel_tool_calls"] is True
    assert encoded.body["stream_options"] == {"include_usage": True}
    assert set(encoded.dropped) == {
        "cache_control", "defer_loading", "tools.web_search_20250305", "is_error",
    }  # fmt: skip


def test_anthropic_fields_become_openais():
    encoded = translate(Case(ANTHROPIC, "stop_sequence").request, to=OPENAI)

    assert encoded.body["stop"] == ["4"]
    assert encoded.body["tool_choice"] == "auto"
    assert encoded.body["parallel_tool_calls"] is False
    assert encoded.body["max_completion_tokens"] == 300
    assert set(encoded.dropped) == {"top_k", "service_tier", "thinking", "cache_control"}


def test_text_of_another_wire_is_one_string():
    blocks = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]

    body = to_openai({"role": "user", "content": blocks}, system=blocks).body

    assert body["messages"] == [
        {"role": "system", "content": "a\n\nb"},
        {"role": "user", "content": "a\n\nb"},
    ]


@pytest.mark.parametrize(
    ("budget", "effort"), [(1024, "low"), (4096, "medium"), (16384, "high"), (64000, "high")]
)
def test_budget_becomes_an_effort(budget: int, effort: str):
    thinking = {"type": "enabled", "budget_tokens": budget}

    assert to_openai(USER, thinking=thinking).body["reasoning_effort"] == effort


def test_effort_passes_as_it_is():
    assert to_openai(USER, output_config={"effort": "max"}).body["reasoning_effort"] == "max"


def test_long_user_ids_are_cut_for_openai():
    assert to_openai(USER, metadata={"user_id": "x" * 140}).body["user"] == "x" * 64


def test_signed_reasoning_stays_on_its_wire():
    encoded = translate(Case(ANTHROPIC, "thinking").request, to=OPENAI)

    assert encoded.body["messages"][1] == {"role": "assistant", "content": "12231"}


def test_unsigned_reasoning_returns_to_the_host_it_came_from():
    thought = {"type": "thinking", "thinking": "hm", "signature": ""}

    encoded = to_openai(USER, {"role": "assistant", "content": [thought]})

    assert encoded.body["messages"][1]["reasoning_content"] == "hm"


def test_unsigned_reasoning_is_not_sent_to_anthropic():
    encoded = translate(Case(OPENAI, "reasoning").request, to=ANTHROPIC)

    assert encoded.body["messages"][1]["content"] == [{"type": "text", "text": "9.8"}]
    assert "reasoning_content" in encoded.dropped


def test_anthropics_signature_survives_a_client_of_the_other_wire():
    detail = {
        "type": "reasoning.text",
        "text": "hm",
        "signature": "sig",
        "format": "anthropic-claude-v1",
    }
    turn = {"role": "assistant", "content": "ok", "reasoning_details": [detail]}

    encoded = to_anthropic(USER, turn)

    assert encoded.body["messages"][1]["content"][0] == {
        "type": "thinking",
        "thinking": "hm",
        "signature": "sig",
    }
    assert encoded.dropped == ()


def test_request_survives_the_way_there_and_back():
    body = Case(OPENAI, "tools_parallel").request
    there = translate(body, to=ANTHROPIC).body

    back = translate(there, to=OPENAI).body

    assert back["messages"][-1] == {"role": "user", "content": "And Paris, Rome?"}
    assert back["messages"][2]["tool_calls"][1]["id"] == "call_2"
    assert back["messages"][3] == {"role": "tool", "tool_call_id": "call_1", "content": "4 degrees"}
    assert back["tools"][0] == body["tools"][0]
    assert back["tool_choice"] == body["tool_choice"]
