"""Recovery as the official SDKs see it: text, tool calls and reasoning that begin at one host and end at another."""

import itertools
import json
from typing import Any

import pytest
from google import genai
from google.genai import types
from openai import APIError, OpenAI

from apps.catalog.providers.spec import Wire
from tests.hosting import COMPANIES, Host

TEXT = "Hello there, how are you doing on this fine day?"
WHOLE = f"You said: {TEXT}"
TOOL: Any = {
    "type": "function",
    "name": "weather",
    "description": "Finds the weather.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
        "required": ["city", "days"],
        "additionalProperties": False,
    },
}
PAIRS = tuple(itertools.product(COMPANIES, COMPANIES))
pairs = pytest.mark.parametrize(
    ("first", "second"), PAIRS, ids=lambda wire: wire.value if isinstance(wire, Wire) else None
)


def broken(model: str, wire: Wire, told: str = "cut=3+chunks=6") -> Host:
    return Host(f"{model}+{told}+lull=200", wire)


@pairs
def test_responses_stream_is_one_stream(openai_client: OpenAI, customer, make_model, first, second):
    model = make_model(broken("echo", first), Host("echo", second))

    with openai_client.responses.stream(model=model, input=TEXT) as stream:
        events: list[Any] = list(stream)
        final: Any = stream.get_final_response()

    assert final.output_text == WHOLE
    assert final.status == "completed"
    numbers = [event.sequence_number for event in events]
    assert numbers == list(range(len(numbers)))
    (item,) = final.output
    assert {event.item_id for event in events if hasattr(event, "item_id")} == {item.id}
    assert (
        "".join(event.delta for event in events if event.type == "response.output_text.delta")
        == WHOLE
    )
    (record,) = customer.settled(requests=1)
    assert [attempt["fault"] for attempt in record.attempts] == ["cut", ""]


@pairs
def test_response_is_stored_whole(openai_client: OpenAI, make_model, first, second):
    model = make_model(broken("echo", first), Host("echo", second))

    events: list[Any] = list(
        openai_client.responses.create(model=model, input=TEXT, stream=True, store=True)
    )
    stored = openai_client.responses.retrieve(events[0].response.id)

    assert stored.output_text == WHOLE


@pairs
def test_gemini_stream_is_one_stream(
    google_client: genai.Client, customer, make_model, first, second
):
    model = make_model(broken("echo", first), Host("echo", second))

    chunks: list[Any] = list(
        google_client.models.generate_content_stream(model=model, contents=TEXT)
    )

    assert "".join(chunk.text or "" for chunk in chunks) == WHOLE
    assert chunks[-1].candidates[0].finish_reason == types.FinishReason.STOP
    (record,) = customer.settled(requests=1)
    assert [attempt["fault"] for attempt in record.attempts] == ["cut", ""]


# The sandbox's Claudes say a sentence before they call, and write JSON in their own way; the others do neither.
TALKATIVE = frozenset({Wire.ANTHROPIC_MESSAGES, Wire.BEDROCK_CONVERSE})
ALIKE = [pair for pair in PAIRS if len(TALKATIVE & {*pair}) != 1 or pair[0] is pair[1]]
UNLIKE = [pair for pair in PAIRS if pair not in ALIKE]


def call_weather(client: OpenAI, model: str) -> Any:
    function = {name: value for name, value in TOOL.items() if name != "type"}
    with client.chat.completions.stream(
        model=model,
        messages=[{"role": "user", "content": "weather"}],
        tools=[{"type": "function", "function": function}],  # type: ignore[typeddict-item]
    ) as stream:
        for _ in stream:
            pass
        return stream.get_final_completion()


@pytest.mark.parametrize(("first", "second"), ALIKE)
def test_tool_call_goes_on_in_the_middle_of_its_arguments(
    openai_client: OpenAI, customer, make_model, first, second
):
    model = make_model(broken("echo", first, "cut=2+text=4"), Host("echo+text=7", second))

    final = call_weather(openai_client, model)

    (call,) = final.choices[0].message.tool_calls
    assert call.function.name == "weather"
    assert set(json.loads(call.function.arguments)) == {"city", "days"}
    assert final.choices[0].finish_reason == "tool_calls"
    (record,) = customer.settled(requests=1)
    assert [attempt["fault"] for attempt in record.attempts] == ["cut", ""]


@pytest.mark.parametrize(("first", "second"), UNLIKE)
def test_tool_call_ends_with_an_error_when_the_other_host_calls_otherwise(
    openai_client: OpenAI, customer, make_model, first, second
):
    model = make_model(broken("echo", first, "cut=2+text=4"), Host("echo+text=7", second))

    with pytest.raises(APIError, match="The provider failed"):
        call_weather(openai_client, model)

    (record,) = customer.settled(requests=1)
    assert (record.outcome, record.charged) == ("interrupted", 0)
    assert [attempt["fault"] for attempt in record.attempts] == ["cut", "diverged"]


THINKING = (Wire.OPENAI_CHAT, Wire.ANTHROPIC_MESSAGES, Wire.GEMINI)


@pytest.mark.parametrize(("first", "second"), tuple(itertools.product(THINKING, THINKING)))
def test_thoughts_are_shown_once_when_both_hosts_think(
    openai_client: OpenAI, customer, make_model, first, second
):
    model = make_model(broken("reasoner", first, "cut=8+text=5"), Host("reasoner", second))

    chunks = list(
        openai_client.chat.completions.create(
            model=model,
            messages=[{"role": "user", "content": TEXT}],
            reasoning_effort="low",
            stream=True,
        )
    )

    deltas = [chunk.choices[0].delta.model_dump() for chunk in chunks if chunk.choices]
    assert "".join(delta.get("content") or "" for delta in deltas) == WHOLE
    kinds = [
        "text" if delta.get("content") else "thought"
        for delta in deltas
        if delta.get("content") or delta.get("reasoning_content")
    ]
    assert [kind for kind, _ in itertools.groupby(kinds)] == ["thought", "text"]
    (record,) = customer.settled(requests=1)
    assert [attempt["fault"] for attempt in record.attempts] == ["cut", ""]
