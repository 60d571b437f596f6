"""OpenAI's Responses wire, read by the official SDK."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.sandbox.process import SandboxProcess
from tests.sandbox.raw import post

WEATHER: Any = {
    "type": "function",
    "name": "get_weather",
    "strict": False,
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}
CLOCK: Any = {"type": "function", "name": "get_time", "strict": False, "parameters": None}
PATCH: Any = {"type": "custom", "name": "patch"}


@pytest.fixture
def client(sandbox: SandboxProcess) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(
        base_url=f"{sandbox.base_url}/v1", api_key="sk-test", max_retries=0
    ) as client:
        yield client


def ask(client: openai.OpenAI, content: Any, *, model: str = "echo", **options: Any) -> Any:
    return client.responses.create(model=model, input=content, **options)


def names_of(events: list[Any]) -> list[str]:
    return [event.type.removeprefix("response.") for event in events]


def test_echoes_the_last_user_text_and_counts_tokens(client: openai.OpenAI) -> None:
    answer = ask(client, "hello", instructions="Be brief.")

    assert answer.output_text == "You said: hello"
    assert (answer.object, answer.status, answer.model) == ("response", "completed", "echo")
    assert answer.output[0].status == "completed"
    usage = answer.usage
    assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (4, 4, 8)
    assert usage.output_tokens_details.reasoning_tokens == 0
    assert answer.instructions == "Be brief."
    assert answer.store is True


def test_streams_the_exact_event_grammar(client: openai.OpenAI) -> None:
    events = list(ask(client, "hi", stream=True))

    assert names_of(events) == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert events[-1].response.output_text == "You said: hi"
    assert events[-1].response.usage.output_tokens == 3
    assert events[0].response.status == "in_progress"
    assert (events[4].content_index, events[4].output_index) == (0, 0)
    assert events[4].item_id == events[2].item.id == events[-1].response.output[0].id


def test_the_streams_records_carry_their_names_and_no_end_mark(sandbox: SandboxProcess) -> None:
    body = {"model": "echo", "input": "hi", "stream": True}

    answer = post(sandbox.base_url, "/v1/responses", body)

    lines = answer.body.decode().split("\n")
    names = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]
    assert names == [event["type"] for event in answer.events]
    assert "[DONE]" not in answer.records


def test_reasons_with_a_summary_and_encrypted_content(client: openai.OpenAI) -> None:
    options: Any = {
        "reasoning": {"effort": "low", "summary": "auto"},
        "include": ["reasoning.encrypted_content"],
    }
    events = list(ask(client, "hi", stream=True, **options))
    whole = ask(client, "hi", **options)

    deltas = [e.delta for e in events if e.type == "response.reasoning_summary_text.delta"]
    thought = "".join(deltas)
    names = names_of(events)
    assert thought.startswith("Step 1 of 2")
    assert names[2:4] == ["output_item.added", "reasoning_summary_part.added"]
    at = names.index("reasoning_summary_text.done")
    assert names[at : at + 3] == [
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
    ]
    assert whole.output[0].type == "reasoning"
    assert whole.output[0].summary[0].text == thought
    assert whole.output[0].encrypted_content
    assert whole.usage.output_tokens_details.reasoning_tokens == -(-len(thought) // 4)
    assert [item.type for item in events[-1].response.output] == ["reasoning", "message"]


def test_hides_reasoning_without_a_summary(client: openai.OpenAI) -> None:
    answer = ask(client, "hi", model="reasoner")

    assert answer.output[0].summary == []
    assert answer.output[0].encrypted_content is None
    assert answer.usage.output_tokens_details.reasoning_tokens > 0


@pytest.mark.parametrize("stream", [False, True])
def test_calls_functions_and_custom_tools_in_parallel(client: openai.OpenAI, stream: bool) -> None:
    tools = [WEATHER, CLOCK, PATCH]
    if stream:
        events = list(ask(client, "get_weather, get_time, patch", tools=tools, stream=True))
        answer = events[-1].response
        done = [e for e in events if e.type == "response.function_call_arguments.done"]
        deltas = [e for e in events if e.type == "response.function_call_arguments.delta"]
        assert [json.loads(e.arguments) for e in done] == [{"city": "Paris"}, {}]
        assert "".join(e.delta for e in deltas if e.item_id == done[0].item_id) == done[0].arguments
        assert sum(e.type == "response.custom_tool_call_input.done" for e in events) == 1
    else:
        answer = ask(client, "get_weather, get_time, patch", tools=tools)

    kinds = [item.type for item in answer.output]
    assert kinds == ["function_call", "function_call", "custom_tool_call"]
    assert [item.name for item in answer.output] == ["get_weather", "get_time", "patch"]
    assert len({item.call_id for item in answer.output}) == 3
    assert answer.status == "completed"


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("auto", []),
        ("none", []),
        ("required", ["get_weather"]),
        ({"type": "function", "name": "get_time"}, ["get_time"]),
    ],
)
def test_obeys_tool_choice(client: openai.OpenAI, choice: Any, expected: list[str]) -> None:
    answer = ask(client, "hello", tools=[WEATHER, CLOCK], tool_choice=choice)

    assert [item.name for item in answer.output if item.type == "function_call"] == expected


def test_cites_tool_outputs_given_inline_and_by_previous_response(client: openai.OpenAI) -> None:
    first = ask(client, "get_weather", tools=[WEATHER], model="reasoner")
    call = first.output[-1]
    output = {"type": "function_call_output", "call_id": call.call_id, "output": "sunny, 21"}
    inline = [
        {"role": "user", "content": "get_weather"},
        *[item.model_dump(exclude_none=True) for item in first.output],
        output,
    ]

    by_id = ask(client, [output], tools=[WEATHER], previous_response_id=first.id)
    whole = ask(client, inline, tools=[WEATHER])
    by_reference = ask(
        client,
        [inline[0], *[{"type": "item_reference", "id": item.id} for item in first.output], output],
    )

    for answer in (by_id, whole, by_reference):
        assert "sunny, 21" in answer.output_text
    assert by_id.previous_response_id == first.id


def test_refuses_calls_and_reasoning_out_of_order(client: openai.OpenAI) -> None:
    first = ask(
        client, "hi", model="reasoner", store=False, include=["reasoning.encrypted_content"]
    )
    thought = first.output[0].model_dump(exclude_none=True)
    message = first.output[1].model_dump(exclude_none=True)
    call = {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"}
    output = {"type": "function_call_output", "call_id": "call_1", "output": "x"}

    turns = [thought, message, {"role": "user", "content": "more"}]
    assert ask(client, turns, store=False).output_text == "You said: more"
    with pytest.raises(openai.BadRequestError, match="required following item"):
        ask(client, [thought, {"role": "user", "content": "more"}])
    with pytest.raises(openai.BadRequestError, match="No tool call found"):
        ask(client, [output])
    with pytest.raises(openai.BadRequestError, match="No tool output found"):
        ask(client, [call, {"role": "user", "content": "more"}])
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, [{**thought, "encrypted_content": "AAAA"}, message])
    assert caught.value.code == "invalid_encrypted_content"
    del thought["encrypted_content"]
    with pytest.raises(openai.NotFoundError, match="not persisted when `store`"):
        ask(client, [thought, message])


def test_keeps_shows_and_deletes_responses(client: openai.OpenAI) -> None:
    first = ask(client, "one")
    second = ask(client, "two", previous_response_id=first.id, stream=True)
    last = list(second)[-1].response

    assert client.responses.retrieve(first.id).output_text == "You said: one"
    items: Any = list(client.responses.input_items.list(last.id, order="asc"))
    texts = [item.content[0].text for item in items]
    assert texts == ["one", "You said: one", "two"]
    page = client.responses.input_items.list(last.id, limit=1)
    assert (page.data[0].content[0].text, page.has_more) == ("two", True)  # type: ignore[union-attr,index]
    client.responses.delete(first.id)
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(first.id)
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, "x", previous_response_id=first.id)
    assert caught.value.code == "previous_response_not_found"


def test_does_not_keep_what_store_forbids(client: openai.OpenAI) -> None:
    answer = ask(client, "one", store=False)

    assert answer.store is False
    with pytest.raises(openai.NotFoundError):
        client.responses.retrieve(answer.id)


def test_counts_input_tokens(client: openai.OpenAI) -> None:
    assert client.responses.input_tokens.count(model="echo", input="hello").input_tokens == 2


def test_sees_images_and_files(client: openai.OpenAI) -> None:
    data = base64.b64encode(b"x" * 70).decode()
    content = [
        {"type": "input_text", "text": "look"},
        {"type": "input_image", "image_url": "https://example.com/cat.png"},
        {"type": "input_image", "image_url": f"data:image/png;base64,{data}", "detail": "low"},
        {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AA"},
    ]

    answer = ask(client, [{"role": "user", "content": content}])

    assert answer.output_text.startswith("You said: look")
    for shown in ("image https://example.com/cat.png", "image image/png of 70 bytes", "file a.pdf"):
        assert shown in answer.output_text
    assert answer.usage.input_tokens == 1 + 3 * 85


def test_answers_json_for_a_schema(client: openai.OpenAI) -> None:
    schema = {"type": "object", "properties": {"name": {"type": "string"}}}
    bound = {"type": "json_schema", "name": "s", "schema": schema}

    answer = ask(client, "x", text={"format": bound})
    free = ask(client, "some JSON", text={"format": {"type": "json_object"}})

    assert json.loads(answer.output_text) == {"name": "Ada Lovelace"}
    assert json.loads(free.output_text) == {"answer": "You said: some JSON"}
    with pytest.raises(openai.BadRequestError, match="must contain the word 'json'"):
        ask(client, "x", text={"format": {"type": "json_object"}})


@pytest.mark.parametrize("stream", [False, True])
def test_is_incomplete_at_the_limit(client: openai.OpenAI, stream: bool) -> None:
    answer = ask(client, "word " * 40, max_output_tokens=16, stream=stream)
    if stream:
        events = list(answer)
        assert events[-1].type == "response.incomplete"
        answer = events[-1].response

    assert answer.status == "incomplete"
    assert answer.incomplete_details.reason == "max_output_tokens"
    assert answer.output[0].status == "incomplete"
    assert answer.usage.output_tokens == 16


def test_searches_when_named_and_cites(client: openai.OpenAI) -> None:
    events = list(ask(client, "web search please", tools=[{"type": "web_search"}], stream=True))

    search, message = events[-1].response.output
    assert search.action.query == "web search please"
    assert message.content[0].annotations[0].url == "https://example.com/"
    names = names_of(events)
    assert "web_search_call.searching" in names
    assert "output_text.annotation.added" in names


def test_refuses_in_refusal_parts(client: openai.OpenAI) -> None:
    events = list(ask(client, "hi", model="echo+refusal", stream=True))

    part = events[-1].response.output[0].content[0]
    assert (part.type, part.refusal) == ("refusal", "I can not help with that.")
    names = names_of(events)
    assert "refusal.delta" in names
    assert "refusal.done" in names
    assert "output_text.delta" not in names


def test_fails_by_event_and_by_status(client: openai.OpenAI, sandbox: SandboxProcess) -> None:
    events = list(ask(client, "hi", model="echo+failed=1", stream=True))
    whole = ask(client, "hi", model="echo+failed=0")

    assert names_of(events)[-2:] == ["output_text.delta", "failed"]
    for response in (events[-1].response, whole):
        assert response.status == "failed"
        assert response.error.code == "server_error"
        assert response.output == []
    assert sandbox.stats()["failed"] == 1


def test_an_error_in_the_stream_goes_on_numbering(client: openai.OpenAI) -> None:
    events = list(ask(client, "hi", model="echo+midstream_error=1", stream=True))

    assert events[-1].type == "error"
    assert events[-1].sequence_number == events[-2].sequence_number + 1


def test_gives_logprobs_when_included(client: openai.OpenAI) -> None:
    answer = ask(client, "hi", include=["message.output_text.logprobs"], top_logprobs=2)

    logprobs = answer.output[0].content[0].logprobs
    assert "".join(one.token for one in logprobs) == "You said: hi"
    assert len(logprobs[0].top_logprobs) == 2


def test_reports_a_repeated_long_beginning_as_cached(client: openai.OpenAI) -> None:
    first = ask(client, "x" * 1600 + "a").usage.input_tokens_details.cached_tokens
    second = ask(client, "x" * 1600 + "b").usage.input_tokens_details.cached_tokens

    assert (first, second) == (0, 1536 // 4)


@pytest.mark.parametrize(
    ("wrong", "code", "message"),
    [
        ({"max_tokens": 5}, "unsupported_parameter", "moved to 'max_output_tokens'"),
        ({"messages": []}, "unsupported_parameter", "moved to 'input'"),
        ({"foo": 1}, "unknown_parameter", "Unknown parameter: 'foo'"),
        ({"max_output_tokens": 3}, "integer_below_min_value", "Expected a value >= 16"),
        ({"background": True}, None, "background"),
        ({"include": ["everything"]}, "invalid_value", "Supported values are"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "missing_required_parameter", "tools\\[0\\].name"),
        ({"tools": [{"type": "teleport"}]}, "invalid_value", "teleport"),
        ({"tool_choice": "required"}, None, "must be specified with"),
        ({"input": [{"role": "robot", "content": "x"}]}, "invalid_value", "robot"),
        ({"input": [{"role": "user", "content": [{"type": "text", "text": "x"}]}]}, "invalid_value", "input_text"),
        ({"input": [{"type": "thing"}]}, "invalid_value", "Supported values"),
        ({"text": {"format": {"type": "json_schema", "json_schema": {}}}}, "missing_required_parameter", "text.format.name"),
        ({"reasoning": {"effort": "huge"}}, "invalid_value", "huge"),
        ({"truncation": "some"}, "invalid_value", "some"),
        ({"stream_options": {"include_obfuscation": False}}, None, "only allowed when 'stream'"),
    ],
)  # fmt: skip
def test_refuses_wrong_requests(
    client: openai.OpenAI, wrong: dict[str, Any], code: str | None, message: str
) -> None:
    with pytest.raises(openai.BadRequestError, match=message) as caught:
        ask(client, "hi", extra_body=wrong)
    assert caught.value.type == "invalid_request_error"
    assert caught.value.code == code
