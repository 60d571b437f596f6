"""Requests of other wires in Google's words, and Google's in theirs."""

from typing import Any

import pytest

from apps.catalog.providers.spec import Wire
from apps.inference.canonical.codec import EncodedRequest
from apps.inference.protocols import CODECS
from tests.protocols.cases import Case, received

OPENAI, ANTHROPIC, GEMINI = Wire.OPENAI_CHAT, Wire.ANTHROPIC_MESSAGES, Wire.GEMINI
USER = {"role": "user", "content": "hi"}
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}


def translate(body: dict[str, Any], *, client: Wire, to: Wire) -> EncodedRequest:
    request = CODECS[client].decode_request(received(client, body))
    return CODECS[to].encode_request(request, model="native")


def from_openai(*messages: dict[str, Any], **fields: Any) -> EncodedRequest:
    body = {"model": "m", "messages": list(messages), **fields}
    return translate(body, client=OPENAI, to=GEMINI)


def from_anthropic(*messages: dict[str, Any], **fields: Any) -> EncodedRequest:
    body = {"model": "m", "max_tokens": 100, "messages": list(messages), **fields}
    return translate(body, client=ANTHROPIC, to=GEMINI)


def to_openai(**body: Any) -> EncodedRequest:
    return translate({"contents": [{"parts": [{"text": "hi"}]}], **body}, client=GEMINI, to=OPENAI)


def config_of(encoded: EncodedRequest) -> dict[str, Any]:
    found: dict[str, Any] = encoded.body["generationConfig"]
    return found


def test_model_and_stream_are_not_in_the_body():
    assert from_openai(USER, stream=True).body == {
        "contents": [{"role": "user", "parts": [{"text": "hi"}]}]
    }


def test_surface_says_model_and_stream():
    body = {"model": "m", "stream": True, "contents": [{"parts": [{"text": "hi"}]}]}

    request = CODECS[GEMINI].decode_request(body)

    assert (request.model, request.stream, request.extra) == ("m", True, {})


def test_instructions_move_to_system_instruction():
    body = from_openai(
        {"role": "developer", "content": "a"}, USER, {"role": "system", "content": "b"}
    ).body

    assert body["systemInstruction"] == {"parts": [{"text": "a"}, {"text": "b"}]}
    assert [content["role"] for content in body["contents"]] == ["user"]


def test_instructions_alone_become_the_user_turn():
    body = from_openai({"role": "system", "content": "a"}).body

    assert body == {"contents": [{"role": "user", "parts": [{"text": "a"}]}]}


def test_results_find_the_name_of_their_function_and_join_one_turn():
    other = CALL | {"id": "c2", "function": {"name": "g", "arguments": ""}}
    body = from_openai(
        USER,
        {"role": "assistant", "content": "", "tool_calls": [CALL, other]},
        {"role": "tool", "tool_call_id": "c2", "content": "two"},
        USER,
        {"role": "tool", "tool_call_id": "c1", "content": '{"one": 1}'},
    ).body

    assert [content["role"] for content in body["contents"]] == ["user", "model", "user"]
    assert body["contents"][1]["parts"] == [
        {"functionCall": {"id": "c1", "name": "f", "args": {"a": 1}}},
        {"functionCall": {"id": "c2", "name": "g", "args": {}}},
    ]
    assert body["contents"][2]["parts"] == [
        {"functionResponse": {"id": "c2", "name": "g", "response": {"output": "two"}}},
        {"functionResponse": {"id": "c1", "name": "f", "response": {"one": 1}}},
        {"text": "hi"},
    ]


@pytest.mark.parametrize(
    ("text", "is_error", "response"),
    [
        ("plain", False, {"output": "plain"}),
        ("", False, {"output": ""}),
        ("[1]", False, {"output": "[1]"}),
        ('{"a": 1}', False, {"a": 1}),
        ('{"error": 1}', False, {"output": {"error": 1}}),
        ("broken", True, {"error": "broken"}),
    ],
)
def test_results_become_objects(text: str, is_error: bool, response: dict[str, Any]):
    use = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "t", "content": text, "is_error": is_error}

    body = from_anthropic(
        {"role": "assistant", "content": [use]}, {"role": "user", "content": [result]}
    ).body

    assert body["contents"][-1]["parts"][0]["functionResponse"]["response"] == response


def test_pictures_of_a_result_follow_it():
    request = Case(ANTHROPIC, "tools_parallel").request

    parts = translate(request, client=ANTHROPIC, to=GEMINI).body["contents"][2]["parts"]

    kinds = [next(iter(part)) for part in parts]
    assert kinds == ["functionResponse", "functionResponse", "fileData", "text"]


def test_images_keep_url_or_data():
    content = translate(Case(OPENAI, "images").request, client=OPENAI, to=GEMINI).body["contents"]

    assert content[0]["parts"][1:] == [
        {"fileData": {"fileUri": "https://example.com/cat.png", "mimeType": "image/png"}},
        {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}},
        {"inlineData": {"mimeType": "application/pdf", "data": "JVBERi0xLjQ="}},
        {"inlineData": {"mimeType": "audio/wav", "data": "UklGRg=="}},
    ]


def test_a_file_whose_type_nobody_knows_has_none():
    part = {"type": "image_url", "image_url": {"url": "https://example.com/cat?size=1.5"}}

    parts = from_openai({"role": "user", "content": [part]}).body["contents"][0]["parts"]

    assert parts == [{"fileData": {"fileUri": "https://example.com/cat?size=1.5"}}]


def test_schemas_are_sent_as_they_are():
    schema = {"type": "object", "properties": {"a": {"$ref": "#/$defs/A"}}, "$defs": {"A": {}}}
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    tools = [
        {"type": "function", "function": {"name": "f", "parameters": schema}},
        {"type": "function", "function": {"name": "g", "description": "G."}},
    ]

    encoded = from_openai(USER, response_format=wanted, tools=tools)

    assert config_of(encoded) == {
        "responseMimeType": "application/json",
        "responseJsonSchema": schema,
    }
    assert encoded.body["tools"] == [
        {
            "functionDeclarations": [
                {"name": "f", "parametersJsonSchema": schema},
                {"name": "g", "description": "G."},
            ]
        }
    ]


def test_any_json_object_is_a_media_type():
    encoded = from_openai(USER, response_format={"type": "json_object"})

    assert config_of(encoded) == {"responseMimeType": "application/json"}


@pytest.mark.parametrize(
    ("choice", "config"),
    [
        ("auto", {"mode": "AUTO"}),
        ("none", {"mode": "NONE"}),
        ("required", {"mode": "ANY"}),
        (
            {"type": "function", "function": {"name": "f"}},
            {"mode": "ANY", "allowedFunctionNames": ["f"]},
        ),
    ],
)
def test_tool_choice_is_a_mode(choice: Any, config: dict[str, Any]):
    tools = [{"type": "function", "function": {"name": "f"}}]

    body = from_openai(USER, tools=tools, tool_choice=choice).body

    assert body["toolConfig"] == {"functionCallingConfig": config}
    assert "toolConfig" not in from_openai(USER, tool_choice=choice).body


@pytest.mark.parametrize(
    ("effort", "thinking"),
    [
        ("none", {"thinkingBudget": 0}),
        ("minimal", {"thinkingBudget": 1024, "includeThoughts": True}),
        ("medium", {"thinkingBudget": 8192, "includeThoughts": True}),
        ("high", {"thinkingBudget": 24576, "includeThoughts": True}),
    ],
)
def test_effort_becomes_a_budget(effort: str, thinking: dict[str, Any]):
    assert config_of(from_openai(USER, reasoning_effort=effort)) == {"thinkingConfig": thinking}


def test_unheard_effort_is_dropped():
    encoded = from_openai(USER, reasoning_effort="unheard")

    assert encoded.dropped == ("reasoning_effort",)
    assert "generationConfig" not in encoded.body


@pytest.mark.parametrize(
    ("thinking", "expected"),
    [
        ({"type": "enabled", "budget_tokens": 2000}, 2000),
        ({"type": "adaptive"}, -1),
        ({"type": "disabled"}, 0),
    ],
)
def test_budget_of_an_anthropic_client_stays(thinking: dict[str, Any], expected: int):
    config = config_of(from_anthropic(USER, thinking=thinking))

    assert config["thinkingConfig"]["thinkingBudget"] == expected


def test_what_google_cannot_carry_is_named_in_the_clients_words():
    encoded = from_openai(
        {"role": "user", "name": "ann", "content": [{"type": "input_audio", "input_audio": {}}]},
        USER,
        n=2,
        logit_bias={"1": 2},
        logprobs=True,
        top_logprobs=1,
        metadata={"a": "b"},
        service_tier="flex",
        user="u",
        store=True,
        parallel_tool_calls=False,
        tools=[
            {"type": "brand_new"},
            {"type": "function", "function": {"name": "f", "strict": True}},
        ],
    )

    assert set(encoded.dropped) == {
        "n", "logit_bias", "logprobs", "top_logprobs", "metadata", "service_tier", "user", "store",
        "parallel_tool_calls", "tools.brand_new", "strict", "input_audio", "name",
    }  # fmt: skip
    assert from_openai(USER, n=1, parallel_tool_calls=True).dropped == ()


def test_what_others_cannot_carry_is_named_in_googles_words():
    encoded = translate(Case(GEMINI, "text").request, client=GEMINI, to=ANTHROPIC)

    assert set(encoded.dropped) == {
        "safetySettings", "cachedContent", "generationConfig.mediaResolution", "seed",
        "frequencyPenalty", "presencePenalty", "responseLogprobs", "logprobs",
    }  # fmt: skip


def test_tools_that_run_at_google_are_named():
    encoded = to_openai(tools=[{"googleSearch": {}}])

    assert encoded.dropped == ("tools.googleSearch",)


def test_both_spellings_are_read():
    schema = {"type": "OBJECT", "properties": {"snake_name": {"type": "STRING"}}}
    camel = {
        "systemInstruction": {"parts": [{"text": "s"}]},
        "contents": [
            {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {"my_key": 1}}}]},
            {"parts": [{"inlineData": {"mimeType": "image/png", "data": "x"}}]},
        ],
        "tools": [{"functionDeclarations": [{"name": "f", "parameters": schema}]}],
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}},
        "generationConfig": {
            "maxOutputTokens": 5,
            "stopSequences": ["x"],
            "thinkingConfig": {"thinkingBudget": 7, "includeThoughts": True},
            "responseMimeType": "application/json",
            "responseJsonSchema": {"properties": {"other_name": {}}},
        },
    }
    snake = {
        "system_instruction": {"parts": [{"text": "s"}]},
        "contents": [
            {"role": "model", "parts": [{"function_call": {"name": "f", "args": {"my_key": 1}}}]},
            {"parts": [{"inline_data": {"mime_type": "image/png", "data": "x"}}]},
        ],
        "tools": [{"function_declarations": [{"name": "f", "parameters": schema}]}],
        "tool_config": {
            "function_calling_config": {"mode": "ANY", "allowed_function_names": ["f"]}
        },
        "generation_config": {
            "max_output_tokens": 5,
            "stop_sequences": ["x"],
            "thinking_config": {"thinking_budget": 7, "include_thoughts": True},
            "response_mime_type": "application/json",
            "response_json_schema": {"properties": {"other_name": {}}},
        },
    }
    decode = CODECS[GEMINI].decode_request

    request = decode(received(GEMINI, snake))

    assert request == decode(received(GEMINI, camel))
    [tool] = request.tools
    assert b"snake_name" in repr(tool).encode()


def test_googles_schemas_become_json_schema():
    schema = {
        "type": "OBJECT",
        "nullable": True,
        "properties": {
            "type": {"type": "STRING", "enum": ["a"], "nullable": True, "example": "a"},
            "list": {"type": "ARRAY", "items": {"type": "INTEGER"}, "minItems": "2"},
            "one": {"anyOf": [{"type": "NUMBER"}, {"ref": "#/defs/D"}]},
        },
        "defs": {"D": {"type": "BOOLEAN"}},
    }
    functions = [{"name": "f", "parameters": schema}]

    body = to_openai(tools=[{"functionDeclarations": functions}]).body

    assert body["tools"][0]["function"]["parameters"] == {
        "type": ["object", "null"],
        "properties": {
            "type": {"type": ["string", "null"], "enum": ["a", None], "examples": ["a"]},
            "list": {"type": "array", "items": {"type": "integer"}, "minItems": 2},
            "one": {"anyOf": [{"type": "number"}, {"$ref": "#/$defs/D"}]},
        },
        "$defs": {"D": {"type": "boolean"}},
    }


def test_results_without_ids_find_their_calls_in_order():
    messages = translate(Case(GEMINI, "no_ids").request, client=GEMINI, to=OPENAI).body["messages"]

    calls = [call["id"] for message in messages for call in message.get("tool_calls", ())]
    results = [message["tool_call_id"] for message in messages if message["role"] == "tool"]
    assert results == calls
    assert len(set(calls)) == 3


def test_several_allowed_functions_are_the_only_ones_elsewhere():
    choice = {"mode": "ANY", "allowedFunctionNames": ["f", "g"]}
    body = {
        "contents": [{"parts": [{"text": "a"}]}],
        "tools": [{"functionDeclarations": [{"name": name} for name in "fgh"]}],
        "toolConfig": {"functionCallingConfig": choice},
    }

    own = translate(body, client=GEMINI, to=GEMINI)
    other = translate(body, client=GEMINI, to=OPENAI)

    assert own.body["toolConfig"] == {"functionCallingConfig": choice}
    assert other.body["tool_choice"] == "required"
    assert [tool["function"]["name"] for tool in other.body["tools"]] == ["f", "g"]
    assert other.dropped == ()


@pytest.mark.parametrize(("asked", "dropped"), [(1, ()), (3, ("candidateCount",))])
def test_no_host_is_asked_for_candidates_that_cannot_come_back(
    asked: int, dropped: tuple[str, ...]
):
    encoded = to_openai(generationConfig={"candidateCount": asked})

    assert "n" not in encoded.body
    assert encoded.dropped == dropped


def test_responses_host_names_candidates_in_the_clients_words():
    body = {"contents": [{"parts": [{"text": "a"}]}], "generationConfig": {"candidateCount": 2}}

    dropped = translate(body, client=GEMINI, to=Wire.OPENAI_RESPONSES).dropped

    assert dropped == ("candidateCount",)
