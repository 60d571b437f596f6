"""What the check of a Responses body refuses, lets through and counts."""

from typing import Any

import orjson
import pytest

from apps.common.errors import InvalidRequest
from apps.inference.requests.responses import read_responses
from tests.protocols.cases import CASES, Case

Json = dict[str, Any]
SCHEMA: Json = {"type": "object", "properties": {"city": {"type": "string", "x": "y" * 4000}}}
OWN = [case for case in CASES if case.wire == "openai_responses"]


def read(**fields: Any) -> Any:
    return read_responses(orjson.dumps({"model": "acme/x", "input": "hi", **fields}))


@pytest.mark.parametrize("case", OWN, ids=str)
def test_fixtures_pass(case: Case):
    facts = read_responses(orjson.dumps(case.request))

    assert facts.model == case.request["model"]
    assert facts.stream is bool(case.request.get("stream"))
    assert facts.include_usage
    assert facts.max_output_tokens == case.request.get("max_output_tokens")
    assert facts.text_bytes


@pytest.mark.parametrize(
    "fields",
    [
        {"input": [{"role": "user", "content": ""}]},
        {"input": [{"type": "reasoning", "id": "rs", "summary": [], "content": None}]},
        {"input": [{"type": "computer_call_output", "call_id": "c", "output": {"type": "x"}}]},
        {"input": [{"type": "tool_search_call", "arguments": {"query": "x"}}]},
        {"input": [{"type": "compaction", "encrypted_content": "x"}]},
        {"input": [{"role": "user", "content": [{"type": "input_video", "video": {}}]}]},
        {"input": [{"type": "item_reference", "id": "msg_1"}]},
        {"tools": [{"type": "namespace", "name": "x", "tools": []}]},
        {"tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": []}},
        {"text": {"format": {"type": "grammar"}}},
        {"background": False, "prompt": None, "conversation": None},
        {"previous_response_id": "resp_1", "store": True},
    ],
)
def test_body_passes_when_the_api_takes_it(fields: Json):
    assert read(**fields).model == "acme/x"


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"model": ""}, "model", "invalid_value"),
        ({"input": ""}, "input", "invalid_value"),
        ({"input": []}, "input", "invalid_value"),
        ({"input": 7}, "input", "invalid_type"),
        ({"input": [{"content": "a"}]}, "input[0].role", "missing_field"),
        ({"input": [{"role": "user"}]}, "input[0].content", "missing_field"),
        ({"input": [{"role": "user", "content": [{"type": "input_text"}]}]}, "input[0].content[0].text", "missing_field"),
        ({"input": [{"role": "user", "content": [{"type": "input_image"}]}]}, "input[0].content[0].image_url", "missing_field"),
        ({"input": [{"role": "user", "content": [{"type": "input_file"}]}]}, "input[0].content[0].file_data", "missing_field"),
        ({"input": [{"type": "function_call", "call_id": "c", "name": "f"}]}, "input[0].arguments", "missing_field"),
        ({"input": [{"type": "function_call", "call_id": "c", "name": "f", "arguments": {}}]}, "input[0].arguments", "invalid_type"),
        ({"input": [{"type": "function_call_output", "call_id": "c"}]}, "input[0].output", "missing_field"),
        ({"input": [{"type": "function_call_output", "call_id": "c", "output": 7}]}, "input[0].output", "invalid_type"),
        ({"tools": [{"type": "function"}]}, "tools[0].name", "missing_field"),
        ({"tool_choice": {"type": "function"}}, "tool_choice.name", "missing_field"),
        ({"text": {"format": {"type": "json_schema"}}}, "text.format.schema", "missing_field"),
        ({"max_output_tokens": 0}, "max_output_tokens", "invalid_value"),
        ({"temperature": "hot"}, "temperature", "invalid_type"),
        ({"stream": "yes"}, "stream", "invalid_type"),
        ({"background": True}, "background", "invalid_value"),
        ({"prompt": {"id": "p"}}, "prompt", "invalid_value"),
        ({"conversation": "c"}, "conversation", "invalid_value"),
    ],
)  # fmt: skip
def test_body_is_refused_by_field(fields: Json, param: str, code: str):
    with pytest.raises(InvalidRequest) as caught:
        read(**fields)

    assert (caught.value.param, caught.value.code) == (param, code)


def test_input_is_mandatory():
    with pytest.raises(InvalidRequest) as caught:
        read_responses(b'{"model":"m"}')

    assert caught.value.param == "input"


@pytest.mark.parametrize(
    "fields",
    [
        {"instructions": "x" * 4000},
        {"input": "x" * 4000},
        {"input": [{"role": "user", "content": "é" * 2000}]},
        {"input": [{"type": "function_call_output", "call_id": "c", "output": "x" * 4000}]},
        {"input": [{"type": "function_call", "call_id": "c", "name": "f", "arguments": "x" * 4000}]},
        {"input": [{"type": "custom_tool_call", "call_id": "c", "name": "f", "input": "x" * 4000}]},
        {"input": [{"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text", "text": "x" * 4000}]}]},
        {"input": [{"role": "user", "content": [{"type": "input_file", "file_data": "x" * 16_000}]}]},
        {"tools": [{"type": "function", "name": "f", "parameters": SCHEMA}]},
        {"text": {"format": {"type": "json_schema", "name": "f", "schema": SCHEMA}}},
    ],
)  # fmt: skip
def test_what_becomes_input_is_counted(fields: Json):
    assert 4000 <= read(**fields).text_bytes < 4200


def test_images_are_counted_wherever_they_are():
    picture = {"type": "input_image", "image_url": "https://x/y.png"}
    result = {"type": "function_call_output", "call_id": "c", "output": [picture]}

    assert read(input=[{"role": "user", "content": [picture, picture]}, result]).images == 3


@pytest.mark.parametrize(
    ("reasoning", "thinks"), [(None, False), ({"effort": "none"}, False), ({"effort": "low"}, True)]
)
def test_reasoning_is_noticed(reasoning: Json | None, thinks: bool):
    assert read(reasoning=reasoning).reasoning is thinks
