"""The official SDKs' own types read what we write."""

from typing import Any

import httpx2
import orjson
import pytest
from anthropic.types import Message, RawMessageStreamEvent
from botocore.loaders import Loader  # type: ignore[import-untyped]
from botocore.model import ServiceModel  # type: ignore[import-untyped]
from botocore.parsers import create_parser  # type: ignore[import-untyped]
from botocore.validate import ParamValidator  # type: ignore[import-untyped]
from google.genai import types as google
from google.genai.chats import _validate_response
from google.genai.types import GenerateContentResponse
from openai import OpenAI
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from apps.catalog.providers.spec import Wire
from apps.inference.protocols import CODECS
from tests.protocols.cases import (
    CASES,
    IDENTITY,
    USAGE,
    Case,
    encode_stream,
    events_of,
    price,
    records_of,
)

ANTHROPIC_EVENT: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
RESPONSE_EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)


def read_by_google(body: dict[str, Any]) -> GenerateContentResponse:
    """As google-genai's client reads a body; it passes over fields that it does not know."""
    read = GenerateContentResponse._from_response(response=body, kwargs={})
    assert isinstance(read, GenerateContentResponse)
    return read


CONVERSE = ServiceModel(Loader().load_service_model("bedrock-runtime", "service-2"))


def read_by_amazon(body: bytes) -> dict[str, Any]:
    """As boto3 reads a body."""
    shape = CONVERSE.operation_model("Converse").output_shape
    response = {"status_code": 200, "headers": {}, "body": body}
    read: dict[str, Any] = create_parser("rest-json").parse(response, shape)
    return read


def answer(case: Case, wire: Wire) -> dict[str, Any]:
    response = CODECS[case.wire].decode_response(case.response)
    return CODECS[wire].encode_response(response, identity=IDENTITY, usage=USAGE, price=price)


def stream(case: Case, wire: Wire) -> list[bytes]:
    encoded = encode_stream(wire, events_of(case.wire, [case.stream]))
    return [record.data for record in records_of([encoded])]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_openais_types_read_our_answers(case: Case):
    completion = ChatCompletion.model_validate(answer(case, Wire.OPENAI_CHAT), strict=True)

    assert completion.usage is not None
    assert completion.usage.total_tokens == USAGE.total


@pytest.mark.parametrize("case", CASES, ids=str)
def test_openais_types_read_our_chunks(case: Case):
    *records, done = stream(case, Wire.OPENAI_CHAT)

    chunks = [ChatCompletionChunk.model_validate(orjson.loads(record)) for record in records]

    assert done == b"[DONE]"
    assert chunks[-1].usage is not None
    assert {chunk.id for chunk in chunks} == {IDENTITY.id}


@pytest.mark.parametrize("case", CASES, ids=str)
def test_anthropics_types_read_our_answers(case: Case):
    message = Message.model_validate(answer(case, Wire.ANTHROPIC_MESSAGES))

    assert message.usage.input_tokens == USAGE.input


@pytest.mark.parametrize("case", CASES, ids=str)
def test_anthropics_types_read_our_events(case: Case):
    events = [ANTHROPIC_EVENT.validate_json(data) for data in stream(case, Wire.ANTHROPIC_MESSAGES)]

    assert events[0].type == "message_start"
    assert events[-1].type == "message_stop"


@pytest.mark.parametrize("case", CASES, ids=str)
def test_openais_types_read_our_responses(case: Case):
    response = Response.model_validate(answer(case, Wire.OPENAI_RESPONSES), strict=True)

    assert response.usage is not None
    assert response.usage.total_tokens == USAGE.total


@pytest.mark.parametrize("case", CASES, ids=str)
def test_openais_types_read_our_response_events(case: Case):
    events = [RESPONSE_EVENT.validate_json(data) for data in stream(case, Wire.OPENAI_RESPONSES)]

    assert events[0].type == "response.created"
    assert events[-1].type in ("response.completed", "response.incomplete")


@pytest.mark.parametrize("case", CASES, ids=str)
def test_openais_accumulator_rebuilds_our_response(case: Case):
    """Its snapshots are built from the deltas; the final response is our terminal record's."""
    encoded = encode_stream(Wire.OPENAI_RESPONSES, events_of(case.wire, [case.stream]))

    with openai_answering(encoded).responses.stream(model="m", input="x") as opened:
        events: list[Any] = list(opened)
        final = opened.get_final_response() if events[-1].type == "response.completed" else None

    snapshots = {
        event.output_index: event.snapshot
        for event in events
        if event.type in ("response.output_text.delta", "response.function_call_arguments.delta")
    }
    response = final or events[-1].response
    for index, said in snapshots.items():
        item = response.output[index]
        assert said == (item.arguments if item.type == "function_call" else item.content[0].text)
    assert snapshots or not response.output_text


def openai_answering(body: bytes) -> OpenAI:
    """The official client, to which every request is answered with this stream."""
    reply = httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=body)
    transport = httpx2.MockTransport(lambda _: reply)
    return OpenAI(api_key="x", base_url="http://x", http_client=httpx2.Client(transport=transport))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_googles_types_read_our_answers(case: Case):
    read = read_by_google(answer(case, Wire.GEMINI))

    assert read.usage_metadata is not None
    assert read.usage_metadata.total_token_count == USAGE.total
    assert read.response_id == IDENTITY.id


@pytest.mark.parametrize("case", CASES, ids=str)
def test_googles_types_read_our_chunks(case: Case):
    chunks = [read_by_google(orjson.loads(data)) for data in stream(case, Wire.GEMINI)]

    assert all(_validate_response(chunk) for chunk in chunks)
    assert chunks[-1].usage_metadata is not None
    assert chunks[-1].candidates is not None
    assert chunks[-1].candidates[0].finish_reason is not None


@pytest.mark.parametrize("case", CASES, ids=str)
def test_amazons_types_read_our_answers(case: Case):
    read = read_by_amazon(orjson.dumps(answer(case, Wire.BEDROCK_CONVERSE)))

    assert read["usage"]["totalTokens"] == USAGE.total
    assert all(block for block in read["output"]["message"]["content"])
    assert read["stopReason"]


def request_for(case: Case, wire: Wire) -> dict[str, Any]:
    request = CODECS[case.wire].decode_request(case.request)
    return CODECS[wire].encode_request(request, model="native").body


@pytest.mark.parametrize("case", CASES, ids=str)
def test_googles_types_know_every_field_of_our_requests(case: Case):
    """They refuse fields that they do not know, as the host itself does."""
    body = request_for(case, Wire.GEMINI)

    for content in body["contents"]:
        google.Content.model_validate(content)
    google.Content.model_validate(body.get("systemInstruction", {}))
    google.GenerationConfig.model_validate(body.get("generationConfig", {}))
    google.ToolConfig.model_validate(body.get("toolConfig", {}))
    for tool in body.get("tools", []):
        google.Tool.model_validate(tool)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_amazons_types_know_every_field_of_our_requests(case: Case):
    shape = CONVERSE.operation_model("Converse").input_shape
    body = request_for(case, Wire.BEDROCK_CONVERSE)

    report = ParamValidator().validate({"modelId": "m", **body}, shape)

    assert not report.has_errors(), report.generate_report()
