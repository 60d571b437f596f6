"""Requests of other wires in Amazon's words, and Amazon's in theirs."""

from typing import Any

import orjson
import pytest

from apps.catalog.providers.spec import Wire
from apps.inference.canonical.codec import EncodedRequest
from apps.inference.protocols import CODECS
from tests.protocols.cases import Case, received

OPENAI, ANTHROPIC, BEDROCK = Wire.OPENAI_CHAT, Wire.ANTHROPIC_MESSAGES, Wire.BEDROCK_CONVERSE
USER = {"role": "user", "content": "hi"}
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]


def translate(body: dict[str, Any], *, client: Wire, to: Wire) -> EncodedRequest:
    request = CODECS[client].decode_request(received(client, body))
    return CODECS[to].encode_request(request, model="native")


def from_openai(*messages: dict[str, Any], **fields: Any) -> EncodedRequest:
    body = {"model": "m", "messages": list(messages), **fields}
    return translate(body, client=OPENAI, to=BEDROCK)


def from_anthropic(*messages: dict[str, Any], **fields: Any) -> EncodedRequest:
    body = {"model": "m", "max_tokens": 9000, "messages": list(messages), **fields}
    return translate(body, client=ANTHROPIC, to=BEDROCK)


def test_model_and_stream_are_not_in_the_body():
    assert from_openai(USER, stream=True).body == {
        "messages": [{"role": "user", "content": [{"text": "hi"}]}]
    }


def test_instructions_move_to_system_and_blank_text_goes():
    body = from_openai(
        {"role": "developer", "content": "a"},
        USER,
        {"role": "system", "content": "b"},
        {"role": "user", "content": " "},
    ).body

    assert body["system"] == [{"text": "a"}, {"text": "b"}]
    assert body["messages"] == [{"role": "user", "content": [{"text": "hi"}]}]


def test_tool_results_join_one_user_turn_and_come_first():
    long = "call_" + "x" * 80
    other = CALL | {"id": long}
    body = from_openai(
        USER,
        {"role": "assistant", "content": "", "tool_calls": [CALL, other]},
        {"role": "tool", "tool_call_id": "c1", "content": "one"},
        USER,
        {"role": "tool", "tool_call_id": long, "content": "two"},
        tools=TOOLS,
    ).body

    assistant, results = body["messages"][1:]
    assert [block["toolUse"]["input"] for block in assistant["content"]] == [{"a": 1}, {"a": 1}]
    assert [next(iter(block)) for block in results["content"]] == [
        "toolResult",
        "toolResult",
        "text",
    ]
    uses = [block["toolUse"]["toolUseId"] for block in assistant["content"]]
    assert [block["toolResult"]["toolUseId"] for block in results["content"][:2]] == uses
    assert len(uses[1]) == 64


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("auto", {"auto": {}}),
        ("required", {"any": {}}),
        ({"type": "function", "function": {"name": "f"}}, {"tool": {"name": "f"}}),
        (None, None),
    ],
)
def test_tool_choice_maps(choice: Any, expected: Any):
    body = from_openai(USER, tools=TOOLS, tool_choice=choice).body

    assert body["toolConfig"].get("toolChoice") == expected


def test_no_tools_may_be_called_when_none_are_sent():
    encoded = from_openai(USER, tools=TOOLS, tool_choice="none")

    assert "toolConfig" not in encoded.body
    assert encoded.dropped == ()


def test_choice_of_none_is_lost_where_calls_need_their_tools():
    encoded = from_openai(
        {"role": "assistant", "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "c1", "content": "one"},
        tools=TOOLS,
        tool_choice="none",
    )

    assert encoded.body["toolConfig"]["tools"]
    assert encoded.dropped == ("tool_choice",)


def test_cache_breakpoints_become_blocks():
    cached = {"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    tool = {"name": "f", "input_schema": {}, "cache_control": {"type": "ephemeral"}}

    body = from_anthropic({"role": "user", "content": [cached]}, system=[cached], tools=[tool]).body

    point = {"cachePoint": {"type": "default", "ttl": "1h"}}
    assert body["system"] == [{"text": "a"}, point]
    assert body["messages"][0]["content"] == [{"text": "a"}, point]
    assert body["toolConfig"]["tools"][1] == {"cachePoint": {"type": "default"}}


def test_media_are_sent_as_bytes_and_addresses_are_named():
    encoded = translate(Case(OPENAI, "images").request, client=OPENAI, to=BEDROCK)

    kinds = [next(iter(block)) for block in encoded.body["messages"][0]["content"]]
    assert kinds == ["text", "image", "document"]
    assert "image" in encoded.dropped


def test_document_names_are_acceptable_and_different():
    def document(title: str) -> dict[str, Any]:
        source = {"type": "text", "media_type": "text/plain", "data": "x"}
        return {"type": "document", "source": source, "title": title}

    titles = ["a_b.txt", "a_b.txt", "", ""]
    body = from_anthropic({"role": "user", "content": [document(title) for title in titles]}).body

    names = [block["document"]["name"] for block in body["messages"][0]["content"]]
    assert names == ["a-b-txt", "a-b-txt 2", "document", "document 2"]


@pytest.mark.parametrize(
    ("thinking", "more", "expected"),
    [
        (
            {"type": "enabled", "budget_tokens": 2000},
            {},
            {"type": "enabled", "budget_tokens": 2000},
        ),
        ({"type": "adaptive"}, {}, {"type": "adaptive"}),
        ({"type": "disabled"}, {}, None),
        ({"type": "enabled", "budget_tokens": 9000}, {}, None),  # no room in max_tokens
        (
            {"type": "enabled", "budget_tokens": 2000},
            {"tools": [{"name": "f", "input_schema": {}}], "tool_choice": {"type": "any"}},
            None,
        ),
    ],
)
def test_thinking_is_asked_for_in_claudes_words(thinking: Any, more: Any, expected: Any):
    encoded = from_anthropic(USER, thinking=thinking, **more)

    assert encoded.body.get("additionalModelRequestFields", {}).get("thinking") == expected
    assert encoded.dropped == (() if expected else ("thinking",))


def test_sampling_yields_to_a_thinking_budget():
    thinking = {"type": "enabled", "budget_tokens": 2000}

    encoded = from_anthropic(USER, thinking=thinking, temperature=0.5, top_k=5)

    assert encoded.body["inferenceConfig"] == {"maxTokens": 9000}
    assert encoded.dropped == ("temperature", "top_k")


@pytest.mark.parametrize(("effort", "sent"), [("minimal", "low"), ("high", "high")])
def test_effort_is_a_field_of_its_own(effort: str, sent: str):
    assert from_openai(USER, reasoning_effort=effort).body["outputConfig"] == {"effort": sent}


def test_json_schema_becomes_text():
    schema = {"type": "object"}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}

    output = from_openai(USER, response_format=wanted).body["outputConfig"]["textFormat"]

    described = output["structure"]["jsonSchema"]
    assert orjson.loads(described["schema"]) == schema
    assert described["name"] == "x"


def test_what_amazon_cannot_carry_is_named_in_the_clients_words():
    encoded = from_openai(
        {"role": "user", "name": "ann", "content": [{"type": "input_audio", "input_audio": {}}]},
        USER,
        seed=1,
        n=2,
        frequency_penalty=1,
        presence_penalty=1,
        logit_bias={"1": 2},
        logprobs=True,
        top_logprobs=1,
        metadata={"a": "b"},
        service_tier="flex",
        user="u",
        store=True,
        parallel_tool_calls=False,
        reasoning_effort="unheard",
        response_format={"type": "json_object"},
        tools=[{"type": "brand_new"}],
    )

    assert set(encoded.dropped) == {
        "seed", "n", "frequency_penalty", "presence_penalty", "logit_bias", "logprobs",
        "top_logprobs", "metadata", "service_tier", "user", "store", "parallel_tool_calls",
        "reasoning_effort", "response_format", "tools.brand_new", "input_audio", "name",
    }  # fmt: skip


def test_amazons_fields_become_openais():
    encoded = translate(Case(BEDROCK, "tools_parallel").request, client=BEDROCK, to=OPENAI)

    assert [message["role"] for message in encoded.body["messages"]] == [
        "user", "assistant", "tool", "tool", "user",
    ]  # fmt: skip
    assert encoded.body["tool_choice"] == "required"
    assert set(encoded.dropped) == {"cache_control", "is_error", "tools.systemTool"}
