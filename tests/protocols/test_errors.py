"""Refusing a client's request by field, and telling a client of an error in its own dialect."""

from typing import Any

import orjson
import pytest

from apps.catalog.providers.spec import Wire
from apps.common import errors
from apps.common.errors import GatewayzError, InvalidRequest
from apps.inference.canonical.codec import MalformedUpstream
from apps.inference.canonical.failures import ErrorInsteadOfAnswer
from apps.inference.protocols import CODECS
from tests.protocols.cases import records_of

OPENAI, ANTHROPIC, GEMINI = Wire.OPENAI_CHAT, Wire.ANTHROPIC_MESSAGES, Wire.GEMINI
RESPONSES = Wire.OPENAI_RESPONSES
BEDROCK = Wire.BEDROCK_CONVERSE


def refusal_of(wire: Wire, body: dict[str, Any]) -> tuple[str | None, str]:
    with pytest.raises(InvalidRequest) as caught:
        CODECS[wire].decode_request(body)
    error = caught.value
    assert error.param is not None
    assert error.param in error.message
    return error.param, error.code


def part(**fields: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, fields]}]}


def says(**fields: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": "a"}, fields]}


@pytest.mark.parametrize(
    ("change", "param", "code"),
    [
        ({"model": None}, "model", "missing_field"),
        ({"model": ""}, "model", "invalid_value"),
        ({"model": 7}, "model", "invalid_type"),
        ({"messages": None}, "messages", "missing_field"),
        ({"messages": []}, "messages", "invalid_value"),
        ({"messages": "hi"}, "messages", "invalid_type"),
        ({"messages": ["hi"]}, "messages[0]", "invalid_type"),
        (says(content="a"), "messages[1].role", "missing_field"),
        (says(role="robot", content="a"), "messages[1].role", "invalid_value"),
        (says(role="user"), "messages[1].content", "missing_field"),
        (says(role="user", content=7), "messages[1].content", "invalid_type"),
        (says(role="assistant"), "messages[1].content", "missing_field"),
        (says(role="tool", content="a"), "messages[1].tool_call_id", "missing_field"),
        (says(role="assistant", tool_calls={}), "messages[1].tool_calls", "invalid_type"),
        (
            says(role="assistant", tool_calls=[{"id": "1", "type": "function"}]),
            "messages[1].tool_calls[0].function",
            "missing_field",
        ),
        (
            says(
                role="assistant",
                tool_calls=[{"id": "1", "function": {"name": "f", "arguments": {}}}],
            ),
            "messages[1].tool_calls[0].function.arguments",
            "invalid_type",
        ),
        (part(type="image_url"), "messages[0].content[1].image_url", "missing_field"),
        (part(type="image_url", image_url=7), "messages[0].content[1].image_url", "invalid_type"),
        (
            part(type="image_url", image_url={}),
            "messages[0].content[1].image_url.url",
            "missing_field",
        ),
        (
            part(type="image_url", image_url={"url": "data:image/png,abc"}),
            "messages[0].content[1].image_url.url",
            "invalid_value",
        ),
        (part(type="text"), "messages[0].content[1].text", "missing_field"),
        (part(text="a"), "messages[0].content[1].type", "missing_field"),
        (part(type="file"), "messages[0].content[1].file", "missing_field"),
        (
            part(type="text", text="a", cache_control={"type": "ephemeral", "ttl": "2h"}),
            "messages[0].content[1].cache_control.ttl",
            "invalid_value",
        ),
        ({"max_tokens": 0}, "max_tokens", "invalid_value"),
        ({"max_tokens": "9"}, "max_tokens", "invalid_type"),
        ({"max_completion_tokens": True}, "max_completion_tokens", "invalid_type"),
        ({"temperature": 2.1}, "temperature", "invalid_value"),
        ({"temperature": "hot"}, "temperature", "invalid_type"),
        ({"top_p": -0.1}, "top_p", "invalid_value"),
        ({"frequency_penalty": 3}, "frequency_penalty", "invalid_value"),
        ({"n": 0}, "n", "invalid_value"),
        ({"stop": [1]}, "stop[0]", "invalid_type"),
        ({"stop": {}}, "stop", "invalid_type"),
        ({"stream": "yes"}, "stream", "invalid_type"),
        ({"stream_options": []}, "stream_options", "invalid_type"),
        ({"tools": [{}]}, "tools[0].type", "missing_field"),
        ({"tools": [{"type": "function"}]}, "tools[0].function", "missing_field"),
        (
            {"tools": [{"type": "function", "function": {}}]},
            "tools[0].function.name",
            "missing_field",
        ),
        ({"tool_choice": "maybe"}, "tool_choice", "invalid_value"),
        ({"tool_choice": 7}, "tool_choice", "invalid_type"),
        ({"tool_choice": {"type": "function"}}, "tool_choice.function", "missing_field"),
        ({"response_format": "json"}, "response_format", "invalid_type"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}},
            "response_format.json_schema.schema",
            "missing_field",
        ),
        ({"reasoning_effort": 3}, "reasoning_effort", "invalid_type"),
        ({"user": 3}, "user", "invalid_type"),
        ({"logit_bias": []}, "logit_bias", "invalid_type"),
    ],
)
def test_openai_request_is_refused_by_field(change: dict[str, Any], param: str, code: str):
    body = {"model": "m", "messages": [{"role": "user", "content": "a"}]} | change

    assert refusal_of(OPENAI, body) == (param, code)


@pytest.mark.parametrize(
    ("change", "param", "code"),
    [
        ({"model": None}, "model", "missing_field"),
        ({"max_tokens": None}, "max_tokens", "missing_field"),
        ({"max_tokens": -1}, "max_tokens", "invalid_value"),
        ({"messages": []}, "messages", "invalid_value"),
        (says(role="tool", content="a"), "messages[1].role", "invalid_value"),
        (says(role="user"), "messages[1].content", "missing_field"),
        (part(type="image"), "messages[0].content[1].source", "missing_field"),
        (part(type="image", source={}), "messages[0].content[1].source.type", "missing_field"),
        (
            part(type="image", source={"type": "base64", "data": "x"}),
            "messages[0].content[1].source.media_type",
            "missing_field",
        ),
        (part(type="tool_use", id="a", name="f"), "messages[0].content[1].input", "missing_field"),
        (
            part(type="tool_use", id="a", name="f", input="{}"),
            "messages[0].content[1].input",
            "invalid_type",
        ),
        (part(type="tool_result"), "messages[0].content[1].tool_use_id", "missing_field"),
        (
            part(type="tool_result", tool_use_id="a", content=[{"type": "text"}]),
            "messages[0].content[1].content[0].text",
            "missing_field",
        ),
        (part(type="thinking"), "messages[0].content[1].thinking", "missing_field"),
        ({"system": 7}, "system", "invalid_type"),
        ({"system": [{"type": "image"}]}, "system[0].type", "invalid_value"),
        ({"temperature": 1.5}, "temperature", "invalid_value"),
        ({"stop_sequences": "x"}, "stop_sequences", "invalid_type"),
        ({"tools": [{"name": "f"}]}, "tools[0].input_schema", "missing_field"),
        ({"tool_choice": {"type": "tool"}}, "tool_choice.name", "missing_field"),
        ({"tool_choice": "auto"}, "tool_choice", "invalid_type"),
        ({"thinking": {"type": "enabled"}}, "thinking.budget_tokens", "missing_field"),
        ({"metadata": {"user_id": 7}}, "metadata.user_id", "invalid_type"),
        (
            {"output_config": {"format": {"type": "json_schema"}}},
            "output_config.format.schema",
            "missing_field",
        ),
    ],
)
def test_anthropic_request_is_refused_by_field(change: dict[str, Any], param: str, code: str):
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "a"}]} | change

    assert refusal_of(ANTHROPIC, body) == (param, code)


def says_parts(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"contents": [{"parts": [{"text": "a"}, *parts]}]}


def config(**fields: Any) -> dict[str, Any]:
    return {"generationConfig": fields}


@pytest.mark.parametrize(
    ("change", "param", "code"),
    [
        ({"model": None}, "model", "missing_field"),
        ({"contents": None}, "contents", "missing_field"),
        ({"contents": []}, "contents", "invalid_value"),
        ({"contents": "hi"}, "contents", "invalid_type"),
        ({"contents": [{"role": "user"}]}, "contents[0].parts", "missing_field"),
        ({"contents": [{"role": "assistant", "parts": []}]}, "contents[0].role", "invalid_value"),
        (says_parts({"text": 7}), "contents[0].parts[1].text", "invalid_type"),
        (
            says_parts({"inlineData": {"data": "x"}}),
            "contents[0].parts[1].inlineData.mimeType",
            "missing_field",
        ),
        (
            says_parts({"file_data": {"mime_type": "image/png"}}),
            "contents[0].parts[1].fileData.fileUri",
            "missing_field",
        ),
        (
            says_parts({"functionCall": {"args": {}}}),
            "contents[0].parts[1].functionCall.name",
            "missing_field",
        ),
        (
            says_parts({"functionCall": {"name": "f", "args": "{}"}}),
            "contents[0].parts[1].functionCall.args",
            "invalid_type",
        ),
        (
            says_parts({"functionResponse": {"name": "f", "response": "x"}}),
            "contents[0].parts[1].functionResponse.response",
            "invalid_type",
        ),
        ({"systemInstruction": 7}, "systemInstruction", "invalid_type"),
        (
            {"systemInstruction": {"parts": [{"inlineData": {}}]}},
            "systemInstruction.parts[0].text",
            "missing_field",
        ),
        (config(temperature=2.1), "generationConfig.temperature", "invalid_value"),
        (config(maxOutputTokens=0), "generationConfig.maxOutputTokens", "invalid_value"),
        (config(stopSequences="x"), "generationConfig.stopSequences", "invalid_type"),
        (config(responseSchema=[]), "generationConfig.responseSchema", "invalid_type"),
        (
            config(thinkingConfig={"thinkingBudget": -2}),
            "generationConfig.thinkingConfig.thinkingBudget",
            "invalid_value",
        ),
        (
            {"tools": [{"functionDeclarations": [{}]}]},
            "tools[0].functionDeclarations[0].name",
            "missing_field",
        ),
        (
            {"toolConfig": {"functionCallingConfig": {"mode": "SOMETIMES"}}},
            "toolConfig.functionCallingConfig.mode",
            "invalid_value",
        ),
    ],
)
def test_gemini_request_is_refused_by_field(change: dict[str, Any], param: str, code: str):
    body = {"model": "m", "contents": [{"parts": [{"text": "a"}]}]} | change

    assert refusal_of(GEMINI, body) == (param, code)


def says_blocks(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [{"text": "a"}, *blocks]}]}


@pytest.mark.parametrize(
    ("change", "param", "code"),
    [
        ({"model": None}, "model", "missing_field"),
        ({"messages": []}, "messages", "invalid_value"),
        ({"messages": [{"role": "user"}]}, "messages[0].content", "missing_field"),
        (
            {"messages": [{"role": "user", "content": "hi"}]},
            "messages[0].content",
            "invalid_type",
        ),
        (
            {"messages": [{"role": "tool", "content": []}]},
            "messages[0].role",
            "invalid_value",
        ),
        (says_blocks({"text": 7}), "messages[0].content[1].text", "invalid_type"),
        (
            says_blocks({"image": {"format": "bmp", "source": {}}}),
            "messages[0].content[1].image.format",
            "invalid_value",
        ),
        (
            says_blocks({"toolUse": {"toolUseId": "a", "name": "f"}}),
            "messages[0].content[1].toolUse.input",
            "missing_field",
        ),
        (
            says_blocks({"toolResult": {"content": []}}),
            "messages[0].content[1].toolResult.toolUseId",
            "missing_field",
        ),
        (
            says_blocks({"cachePoint": {"type": "default", "ttl": "2h"}}),
            "messages[0].content[1].cachePoint.ttl",
            "invalid_value",
        ),
        ({"system": [{}]}, "system[0].text", "missing_field"),
        (
            {"inferenceConfig": {"temperature": 1.5}},
            "inferenceConfig.temperature",
            "invalid_value",
        ),
        ({"toolConfig": {}}, "toolConfig.tools", "missing_field"),
        (
            {"toolConfig": {"tools": [{"toolSpec": {"name": "f"}}]}},
            "toolConfig.tools[0].toolSpec.inputSchema",
            "missing_field",
        ),
        (
            {"outputConfig": {"textFormat": {"structure": {"jsonSchema": {"schema": "{"}}}}},
            "outputConfig.textFormat.structure.jsonSchema.schema",
            "invalid_value",
        ),
    ],
)
def test_converse_request_is_refused_by_field(change: dict[str, Any], param: str, code: str):
    body = {"model": "m", "messages": [{"role": "user", "content": [{"text": "a"}]}]} | change

    assert refusal_of(BEDROCK, body) == (param, code)


ERROR = errors.InsufficientCredits(
    "Not enough credits.", details={"needed_usd": 0.2, "available_usd": 0.1, "message": "not this"}
)


@pytest.mark.parametrize("wire", [OPENAI, RESPONSES])
def test_openai_error_envelope(wire: Wire):
    assert CODECS[wire].encode_error(ERROR, request_id="req_1") == {
        "error": {
            "message": "Not enough credits.",
            "type": "billing_error",
            "param": None,
            "code": "insufficient_credits",
            "needed_usd": 0.2,
            "available_usd": 0.1,
            "request_id": "req_1",
        }
    }


def test_anthropic_error_envelope():
    assert CODECS[ANTHROPIC].encode_error(ERROR, request_id="req_1") == {
        "type": "error",
        "error": {
            "type": "billing_error",
            "message": "Not enough credits.",
            "code": "insufficient_credits",
            "param": None,
            "needed_usd": 0.2,
            "available_usd": 0.1,
        },
        "request_id": "req_1",
    }


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (errors.InvalidRequest("x"), "invalid_request_error"),
        (errors.Unauthenticated("x"), "authentication_error"),
        (errors.InsufficientCredits("x"), "billing_error"),
        (errors.PermissionDenied("x"), "permission_error"),
        (errors.ModelNotFound("x"), "not_found_error"),
        (errors.MethodNotAllowed("x"), "invalid_request_error"),
        (errors.BodyTooLarge("x"), "request_too_large"),
        (errors.RateLimited("x"), "rate_limit_error"),
        (errors.InternalError("x"), "api_error"),
        (errors.UpstreamInvalid("x"), "api_error"),
        (errors.AllProvidersFailed("x"), "overloaded_error"),
        (errors.UpstreamTimeout("x"), "timeout_error"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, GatewayzError) else value,
)
def test_anthropic_error_types_are_its_own(error: GatewayzError, kind: str):
    assert CODECS[ANTHROPIC].encode_error(error, request_id="r")["error"]["type"] == kind


def test_google_error_envelope():
    body = CODECS[GEMINI].encode_error(ERROR, request_id="req_1")

    info, request = body["error"].pop("details")
    assert body == {
        "error": {"code": 402, "message": "Not enough credits.", "status": "FAILED_PRECONDITION"}
    }
    assert info["reason"] == "insufficient_credits"
    assert info["metadata"]["needed_usd"] == "0.2"
    assert request["requestId"] == "req_1"


def test_amazons_error_body():
    assert CODECS[BEDROCK].encode_error(ERROR, request_id="req_1") == {
        "__type": "AccessDeniedException",
        "message": "Not enough credits.",
        "reason": "insufficient_credits",
        "param": None,
        "requestId": "req_1",
        "needed_usd": 0.2,
        "available_usd": 0.1,
    }


@pytest.mark.parametrize(
    ("error", "event"),
    [
        (errors.UpstreamInvalid("x"), "internalServerException"),
        (errors.RateLimited("x"), "throttlingException"),
        (errors.InvalidRequest("x"), "validationException"),
        (errors.UpstreamTimeout("x"), "modelStreamErrorException"),
    ],
)
def test_converse_stream_errors_are_those_that_a_stream_may_hold(error: GatewayzError, event: str):
    encoded = CODECS[BEDROCK].encode_stream_error(error, request_id="r")

    [record] = records_of([encoded], BEDROCK)

    assert record.event == event
    assert orjson.loads(record.data)["message"] == "x"


def test_google_error_names_the_field():
    error = errors.InvalidRequest("'contents' is required.", param="contents")

    details = CODECS[GEMINI].encode_error(error, request_id="r")["error"]["details"]

    assert details[-1]["fieldViolations"][0]["field"] == "contents"


@pytest.mark.parametrize(("wire", "event"), [(OPENAI, ""), (ANTHROPIC, "error"), (GEMINI, "")])
def test_stream_error_is_one_record_with_the_same_body(wire: Wire, event: str):
    codec = CODECS[wire]

    [record] = records_of([codec.encode_stream_error(ERROR, request_id="req_1")])

    assert record.event == event
    assert orjson.loads(record.data) == codec.encode_error(ERROR, request_id="req_1")


@pytest.mark.parametrize("wire", [OPENAI, ANTHROPIC, RESPONSES, GEMINI, BEDROCK])
@pytest.mark.parametrize(
    "body", [{}, {"choices": []}, {"choices": [{}]}, {"content": "x"}, {"content": [{}]}]
)
def test_answers_of_no_wire_are_malformed(wire: Wire, body: dict[str, Any]):
    with pytest.raises(MalformedUpstream):
        CODECS[wire].decode_response(body)


@pytest.mark.parametrize(
    ("wire", "body"),
    [
        (OPENAI, {"error": {"message": "busy", "code": "overloaded"}}),
        (ANTHROPIC, {"type": "error", "error": {"message": "busy", "type": "overloaded"}}),
        (RESPONSES, {"status": "failed", "error": {"message": "busy", "code": "overloaded"}}),
        (GEMINI, {"error": {"code": 503, "message": "busy", "status": "overloaded"}}),
        (BEDROCK, {"__type": "overloaded", "message": "busy"}),
    ],
)
def test_error_in_the_body_of_an_answer_is_told_apart(wire: Wire, body: dict[str, Any]):
    with pytest.raises(ErrorInsteadOfAnswer) as caught:
        CODECS[wire].decode_response(body)

    assert (caught.value.error.code, caught.value.error.message) == ("overloaded", "busy")
