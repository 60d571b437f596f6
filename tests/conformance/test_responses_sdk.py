"""The official OpenAI SDK's Responses against the gateway: a host of the same wire, and hosts of others."""

import itertools
import json
from datetime import timedelta
from typing import Any

import openai
import pytest
from openai import OpenAI

from apps.inference.models import StoredResponse
from tests.gateway import make_customer
from tests.hosting import COMPANIES, Host, seconds

SAME = "sandbox/echo"
MODELS = (
    "sandbox/echo",
    "sandbox/claude",
    "sandbox/gemini",
    "sandbox/converse",
    "sandbox/responses",
)
every_lane = pytest.mark.parametrize("model", MODELS)
TOOL: Any = {
    "type": "function",
    "name": "weather",
    "description": "Finds the weather.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
    "strict": True,
}


@every_lane
def test_answers_when_not_streamed(openai_client: OpenAI, customer, model):
    response = openai_client.responses.create(
        model=model, input="Hello there", instructions="Be kind.", metadata={"a": "b"}
    )

    assert response.output_text == "You said: Hello there"
    assert (response.status, response.model) == ("completed", model)
    assert response.metadata == {"a": "b"}
    assert response.instructions == "Be kind."
    assert response.model_dump()["store"] is True
    assert response.usage is not None
    (record,) = customer.settled(requests=1)
    assert record.surface == "openai_responses"
    assert record.input_tokens + record.cache_read_tokens == response.usage.input_tokens
    assert response.id == record.id


@every_lane
def test_streams_and_the_sdk_rebuilds_the_answer(openai_client: OpenAI, model):
    with openai_client.responses.stream(model=model, input="Hello there") as stream:
        events = list(stream)
        final = stream.get_final_response()

    numbers = [event.sequence_number for event in events if hasattr(event, "sequence_number")]
    assert numbers == sorted(set(numbers))
    assert events[0].type == "response.created"
    assert [event.type for event in events if event.type == "response.completed"]
    assert final.output_text == "You said: Hello there"


@every_lane
def test_calls_a_tool_and_reads_its_result(openai_client: OpenAI, model):
    first = openai_client.responses.create(
        model=model, input="Use weather, please.", tools=[TOOL], tool_choice="required"
    )
    call = next(item for item in first.output if item.type == "function_call")
    assert json.loads(call.arguments) == {"city": "Paris"}
    second = openai_client.responses.create(
        model=model,
        previous_response_id=first.id,
        tools=[TOOL],
        input=[{"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}],
    )

    assert "sunny" in second.output_text
    assert second.previous_response_id == first.id


@every_lane
def test_a_conversation_goes_on_by_the_id_of_its_last_response(
    openai_client: OpenAI, gateway, model
):
    first = openai_client.responses.create(model=model, input="My name is Ada")
    with openai_client.responses.stream(
        model=model, input="And again", previous_response_id=first.id
    ) as stream:
        second = stream.get_final_response()
    third = openai_client.responses.create(
        model=model, input="And once more", previous_response_id=second.id
    )

    sent = json.dumps(gateway.sandbox.stats()["last_request"]["body"])
    for said in ("My name is Ada", "You said: My name is Ada", "And again", "And once more"):
        assert said in sent
    assert third.output_text == "You said: And once more"


def test_a_stored_response_is_read_listed_and_forgotten(openai_client: OpenAI):
    made = openai_client.responses.create(model=SAME, input="Hello there")

    read = openai_client.responses.retrieve(made.id)
    assert read.output_text == made.output_text
    assert read.usage == made.usage
    items = openai_client.responses.input_items.list(made.id)
    assert [item.to_dict()["content"] for item in items.data] == [
        [{"type": "input_text", "text": "Hello there"}]
    ]
    openai_client.responses.delete(made.id)
    with pytest.raises(openai.NotFoundError):
        openai_client.responses.retrieve(made.id)
    with pytest.raises(openai.BadRequestError) as refused:
        openai_client.responses.create(model=SAME, input="x", previous_response_id=made.id)
    assert (refused.value.param, refused.value.code) == (
        "previous_response_id",
        "previous_response_not_found",
    )


def test_a_stored_response_is_streamed_again(openai_client: OpenAI):
    made = openai_client.responses.create(model=SAME, input="Hello there")

    events = list(openai_client.responses.retrieve(made.id, stream=True))
    rest = list(openai_client.responses.retrieve(made.id, stream=True, starting_after=3))

    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[0].type == "response.created"
    assert events[-1].type == "response.completed"
    assert events[-1].response == made
    assert rest == events[4:]


def test_nothing_is_stored_when_the_client_says_so(openai_client: OpenAI):
    made = openai_client.responses.create(model=SAME, input="Hello there", store=False)

    assert made.model_dump()["store"] is False
    with pytest.raises(openai.NotFoundError):
        openai_client.responses.retrieve(made.id)


def test_a_stranger_neither_reads_nor_continues(openai_client: OpenAI, gateway):
    made = openai_client.responses.create(model=SAME, input="Hello there")
    stranger = make_customer()
    with OpenAI(api_key=stranger.secret, base_url=f"{gateway.url}/v1", max_retries=0) as client:
        with pytest.raises(openai.NotFoundError):
            client.responses.retrieve(made.id)
        with pytest.raises(openai.NotFoundError):
            client.responses.delete(made.id)
        with pytest.raises(openai.NotFoundError):
            client.responses.input_items.list(made.id)
        with pytest.raises(openai.BadRequestError):
            client.responses.create(model=SAME, input="x", previous_response_id=made.id)
    assert openai_client.responses.retrieve(made.id).id == made.id
    assert stranger.balance.held == 0


def test_what_is_stored_cannot_be_read_in_the_database(openai_client: OpenAI, committed):
    made = openai_client.responses.create(model=SAME, input="A secret of mine")

    row = StoredResponse.objects.get(pk=made.id)
    assert "secret" not in row.content
    assert row.expires_at - row.created_at > timedelta(days=29)


@every_lane
def test_structured_output(openai_client: OpenAI, model):
    response = openai_client.responses.create(
        model=model,
        input="A town, please",
        text={
            "format": {
                "type": "json_schema",
                "name": "town",
                "schema": TOOL["parameters"],
                "strict": True,
            }
        },
    )

    assert set(json.loads(response.output_text)) == {"city"}


@pytest.mark.parametrize(
    ("fields", "param", "code"),
    [
        ({"input": []}, "input", "invalid_value"),
        ({"input": "x", "background": True}, "background", "invalid_value"),
        ({"input": [{"role": "user"}]}, "input[0].content", "missing_field"),
        ({"input": [{"type": "item_reference", "id": "msg_x"}]}, "input[0].id", "invalid_value"),
        ({"input": "x", "max_output_tokens": 0}, "max_output_tokens", "invalid_value"),
        ({"input": "x", "previous_response_id": "gen_x"}, "previous_response_id", "previous_response_not_found"),
        ({"input": "x", "tools": [{"type": "function"}]}, "tools[0].name", "missing_field"),
    ],
)  # fmt: skip
def test_bad_input_names_the_field(gateway, customer, fields, param, code):
    answer = gateway.client(customer).post("/v1/responses", json={"model": SAME, **fields})

    error = answer.json()["error"]
    assert (answer.status_code, error["param"], error["code"]) == (400, param, code)
    assert customer.balance.held == 0


@pytest.mark.parametrize(
    ("wire", "fault"),
    tuple(itertools.product(COMPANIES, ["cut=2", "midstream_error=2", "malformed=2", "stall=2"])),
)
def test_a_stream_that_breaks_ends_in_response_failed(gateway, customer, make_model, wire, fault):
    host = Host(f"echo+{fault}+lull=200", wire=wire, seconds=seconds(idle=1))
    body = {"model": make_model(host), "input": "Hello there, how are you today?", "stream": True}
    with gateway.client(customer, timeout=40).stream("POST", "/v1/responses", json=body) as answer:
        events = [json.loads(line[6:]) for line in answer.iter_lines() if line.startswith("data: ")]

    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert events[-1]["type"] == "response.failed"
    assert events[-1]["response"]["error"]["code"] in {"upstream_error", "server_error"}
    (record,) = customer.settled(requests=1)
    assert (record.outcome, record.charged) == ("interrupted", 0)
