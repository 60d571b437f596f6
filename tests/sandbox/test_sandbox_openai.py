"""The OpenAI wire, read by the official SDK."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.sandbox.process import SandboxProcess

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
                "days": {"type": "integer", "minimum": 3},
            },
            "required": ["city"],
        },
    },
}
CLOCK = {
    "type": "function",
    "function": {"name": "get_time", "parameters": {"type": "object", "properties": {}}},
}


@pytest.fixture
def client(sandbox: SandboxProcess) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(
        base_url=f"{sandbox.base_url}/v1", api_key="sk-test", max_retries=0
    ) as client:
        yield client


def ask(client: openai.OpenAI, content: Any, *, model: str = "echo", **options: Any) -> Any:
    messages = [{"role": "user", "content": content}]
    return client.chat.completions.create(model=model, messages=messages, **options)  # type: ignore[arg-type]


def test_echoes_the_last_user_text_and_counts_tokens(client: openai.OpenAI) -> None:
    messages: Any = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": "first"},
        {"role": "assistant", "content": "one"},
        {"role": "user", "content": "second"},
    ]

    answer = client.chat.completions.create(model="echo", messages=messages, seed=7)

    assert answer.object == "chat.completion"
    assert answer.model == "echo"
    assert answer.choices[0].message.content == "You said: second"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage is not None
    # 9 + 5 + 3 + 6 = 23 characters in, 16 out.
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (6, 4)
    assert answer.usage.total_tokens == 10


def test_streams_word_by_word_with_usage_last_when_asked(client: openai.OpenAI) -> None:
    chunks = list(ask(client, "hello world", stream=True, stream_options={"include_usage": True}))

    assert len({chunk.id for chunk in chunks}) == 1
    assert chunks[0].choices[0].delta.role == "assistant"
    pieces = [
        c.choices[0].delta.content for c in chunks if c.choices and c.choices[0].delta.content
    ]
    assert pieces == ["You ", "said: ", "hello ", "world"]
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens == 6
    assert all(chunk.usage is None for chunk in chunks[:-1])


def test_streams_without_usage_when_not_asked(client: openai.OpenAI) -> None:
    chunks = list(ask(client, "hello", stream=True))

    assert all(chunk.usage is None and chunk.choices for chunk in chunks)


def test_answers_n_choices_in_json_and_interleaved_in_streams(client: openai.OpenAI) -> None:
    whole = ask(client, "hi", n=2)
    texts = {0: "", 1: ""}
    order = []
    for chunk in ask(client, "hi", n=2, stream=True):
        choice = chunk.choices[0]
        texts[choice.index] += choice.delta.content or ""
        order.append(choice.index)

    assert [choice.message.content for choice in whole.choices] == list(texts.values())
    assert texts[0] != texts[1]
    assert order[:4] == [0, 1, 0, 1]


def test_calls_the_tool_that_the_user_names(client: openai.OpenAI) -> None:
    answer = ask(client, "please get weather", tools=[WEATHER, CLOCK])

    (call,) = answer.choices[0].message.tool_calls
    assert answer.choices[0].finish_reason == "tool_calls"
    assert answer.choices[0].message.content is None
    assert call.function.name == "get_weather"
    assert json.loads(call.function.arguments) == {"city": "Paris", "unit": "celsius", "days": 3}


def test_streams_parallel_tool_calls_by_index(client: openai.OpenAI) -> None:
    stream = ask(
        client, "get_weather, get_weather and get_time", tools=[WEATHER, CLOCK], stream=True
    )
    calls: dict[int, dict[str, str]] = {}
    finish = None
    for chunk in stream:
        finish = chunk.choices[0].finish_reason or finish
        for delta in chunk.choices[0].delta.tool_calls or ():
            call = calls.setdefault(
                delta.index, {"id": delta.id, "name": delta.function.name, "arguments": ""}
            )
            call["arguments"] += delta.function.arguments

    assert finish == "tool_calls"
    assert [call["name"] for call in calls.values()] == ["get_weather", "get_weather", "get_time"]
    assert len({call["id"] for call in calls.values()}) == 3
    assert json.loads(calls[1]["arguments"])["city"] == "Paris"
    assert calls[2]["arguments"] == "{}"


@pytest.mark.parametrize(
    ("choice", "parallel", "expected"),
    [
        ("auto", True, []),
        ("none", True, []),
        ("required", True, ["get_weather"]),
        ({"type": "function", "function": {"name": "get_time"}}, True, ["get_time"]),
    ],
)
def test_obeys_tool_choice(
    client: openai.OpenAI, choice: Any, parallel: bool, expected: list[str]
) -> None:
    answer = ask(
        client, "hello", tools=[WEATHER, CLOCK], tool_choice=choice, parallel_tool_calls=parallel
    )

    calls = answer.choices[0].message.tool_calls or ()
    assert [call.function.name for call in calls] == expected


def test_calls_one_tool_when_parallel_calls_are_off(client: openai.OpenAI) -> None:
    answer = ask(
        client, "get_weather and get_time", tools=[WEATHER, CLOCK], parallel_tool_calls=False
    )

    assert len(answer.choices[0].message.tool_calls) == 1


def test_cites_tool_results_in_text(client: openai.OpenAI) -> None:
    first = ask(client, "get_weather", tools=[WEATHER]).choices[0].message
    messages: Any = [
        {"role": "user", "content": "get_weather"},
        first.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": first.tool_calls[0].id, "content": "sunny, 21"},
    ]

    answer = client.chat.completions.create(model="echo", messages=messages, tools=[WEATHER])  # type: ignore[list-item]

    assert "sunny, 21" in (answer.choices[0].message.content or "")
    assert answer.choices[0].finish_reason == "stop"


def test_refuses_a_tool_message_without_its_call(client: openai.OpenAI) -> None:
    messages: Any = [
        {"role": "user", "content": "hi"},
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
    ]

    with pytest.raises(openai.BadRequestError, match="preceeding"):
        client.chat.completions.create(model="echo", messages=messages)


def test_sees_images_by_address_and_by_data(client: openai.OpenAI) -> None:
    data = base64.b64encode(b"x" * 70).decode()
    content = [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}},
    ]

    answer = ask(client, content)

    text = answer.choices[0].message.content
    assert text.startswith("You said: look")
    assert "image https://example.com/cat.png" in text
    assert "image image/png of 70 bytes" in text
    assert answer.usage.prompt_tokens == 1 + 2 * 85


def test_answers_json_for_json_object_and_for_a_schema(client: openai.OpenAI) -> None:
    schema = {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}, "minItems": 2},
        },
        "required": ["name", "tags"],
        "$defs": {"tag": {"enum": ["a", "b"]}},
    }

    free = ask(client, "json", response_format={"type": "json_object"})
    bound = ask(
        client,
        "x",
        response_format={"type": "json_schema", "json_schema": {"name": "s", "schema": schema}},
    )

    assert json.loads(free.choices[0].message.content) == {"answer": "You said: json"}
    assert json.loads(bound.choices[0].message.content) == {
        "name": "Ada Lovelace",
        "tags": ["a", "a"],
    }


@pytest.mark.parametrize("stream", [False, True])
def test_reasons_when_effort_is_asked_for(client: openai.OpenAI, stream: bool) -> None:
    options: dict[str, Any] = {"stream_options": {"include_usage": True}} if stream else {}
    answer = ask(client, "hi", reasoning_effort="high", stream=stream, **options)

    if stream:
        chunks = list(answer)
        deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
        reasoning = "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas)
        usage = chunks[-1].usage
    else:
        reasoning, usage = answer.choices[0].message.reasoning_content, answer.usage
    assert reasoning.startswith("Step 1 of 8")
    assert usage.completion_tokens_details.reasoning_tokens == -(-len(reasoning) // 4)
    assert usage.completion_tokens == usage.completion_tokens_details.reasoning_tokens + 3


def test_reasoner_always_reasons_and_echo_does_not(client: openai.OpenAI) -> None:
    assert ask(client, "hi", model="reasoner").choices[0].message.reasoning_content
    assert not hasattr(
        ask(client, "hi", reasoning_effort="none").choices[0].message, "reasoning_content"
    )


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_stops_at_the_token_limit(client: openai.OpenAI, name: str) -> None:
    limit: dict[str, Any] = {name: 3}

    answer = ask(client, "a long enough text", **limit)

    assert answer.choices[0].message.content == "You said: a "
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage.completion_tokens == 3


def test_stops_at_stop_sequences(client: openai.OpenAI) -> None:
    answer = ask(client, "one two three", stop=["three", "two"])

    assert answer.choices[0].message.content == "You said: one "
    assert answer.choices[0].finish_reason == "stop"


def test_gives_logprobs_that_spell_the_text(client: openai.OpenAI) -> None:
    whole = ask(client, "hello world", logprobs=True, top_logprobs=2)
    streamed = ask(client, "hello world", logprobs=True, stream=True)

    tokens = whole.choices[0].logprobs.content
    assert "".join(token.token for token in tokens) == "You said: hello world"
    assert len(tokens) == whole.usage.completion_tokens
    assert len(tokens[0].top_logprobs) == 2
    spelled = [c.choices[0].logprobs for c in streamed if c.choices[0].logprobs]
    assert "".join(t.token for found in spelled for t in found.content) == "You said: hello world"


def test_reports_a_repeated_long_beginning_as_cached(client: openai.OpenAI) -> None:
    beginning = "x" * 1600

    first = ask(client, beginning + "a").usage.prompt_tokens_details.cached_tokens
    second = ask(client, beginning + "b").usage.prompt_tokens_details.cached_tokens
    short = [ask(client, "y" * 1000).usage.prompt_tokens_details.cached_tokens for _ in range(2)]

    assert (first, second) == (0, 1536 // 4)
    assert short == [0, 0]


def test_continues_the_assistants_text(client: openai.OpenAI) -> None:
    messages: Any = [
        {"role": "user", "content": "hello world"},
        {"role": "assistant", "content": "You said: hel"},
    ]

    answer = client.chat.completions.create(model="echo", messages=messages)

    assert answer.choices[0].message.content == "lo world"


def test_says_as_many_words_as_ordered(client: openai.OpenAI) -> None:
    assert len(ask(client, "go", model="long").choices[0].message.content.split()) == 200
    assert ask(client, "go", model="long+words=3").choices[0].message.content == "word1 word2 word3"


def test_lists_models_and_refuses_unknown_ones(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["echo", "reasoner", "long"]
    with pytest.raises(openai.NotFoundError) as caught:
        ask(client, "hi", model="sandbox/echo")
    assert caught.value.code == "model_not_found"


def test_refuses_a_bad_key(sandbox: SandboxProcess) -> None:
    with (
        openai.OpenAI(
            base_url=f"{sandbox.base_url}/v1", api_key="sandbox-bad-key", max_retries=0
        ) as client,
        pytest.raises(openai.AuthenticationError) as caught,
    ):
        ask(client, "hi")
    assert caught.value.code == "invalid_api_key"


@pytest.mark.parametrize(
    "wrong",
    [
        {"messages": []},
        {"messages": [{"role": "robot", "content": "x"}]},
        {"temperature": 3},
        {"max_tokens": 0},
        {"stream_options": {"include_usage": True}},
        {"tool_choice": "auto"},
        {"response_format": {"type": "xml"}},
        {"n": "two"},
    ],
)
def test_refuses_wrong_requests(client: openai.OpenAI, wrong: dict[str, Any]) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        ask(client, "hi", extra_body=wrong)
    assert caught.value.type == "invalid_request_error"
