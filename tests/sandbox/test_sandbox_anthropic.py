"""The Anthropic wire, read by the official SDK."""

import base64
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest

from tests.sandbox.process import SandboxProcess
from tests.sandbox.raw import post

WEATHER = {
    "name": "get_weather",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}
CLOCK = {"name": "get_time", "input_schema": {"type": "object", "properties": {}}}


@pytest.fixture
def client(sandbox: SandboxProcess) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=sandbox.base_url, api_key="sk-test", max_retries=0) as client:
        yield client


def ask(client: anthropic.Anthropic, content: Any, *, model: str = "echo", **options: Any) -> Any:
    messages = [{"role": "user", "content": content}]
    return client.messages.create(
        **{"model": model, "max_tokens": 4000, "messages": messages, **options}
    )


@pytest.mark.parametrize("system", ["Be brief.", [{"type": "text", "text": "Be brief."}]])
def test_echoes_the_last_user_text_and_counts_tokens(
    client: anthropic.Anthropic, system: Any
) -> None:
    answer = ask(client, "hello", system=system)

    assert answer.type == "message"
    assert answer.model == "echo"
    assert [block.text for block in answer.content] == ["You said: hello"]
    assert answer.stop_reason == "end_turn"
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (4, 4)


def test_streams_the_exact_event_grammar(sandbox: SandboxProcess) -> None:
    body = {
        "model": "echo",
        "max_tokens": 50,
        "stream": True,
        "messages": [{"role": "user", "content": "hi"}],
    }

    answer = post(sandbox.base_url, "/v1/messages", body)

    names = [
        line.removeprefix("event: ")
        for line in answer.body.decode().split("\n")
        if line.startswith("event: ")
    ]
    assert names == [event["type"] for event in answer.events]
    assert names == [
        "message_start",
        "content_block_start",
        "ping",
        "content_block_delta",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert answer.text == "You said: hi"
    assert answer.headers["content-type"].startswith("text/event-stream")


def test_streams_what_json_says(client: anthropic.Anthropic) -> None:
    with client.messages.stream(
        model="reasoner", max_tokens=4000, messages=[{"role": "user", "content": "hello"}]
    ) as stream:
        final = stream.get_final_message()

    whole = ask(client, "hello", model="reasoner")
    assert final.content[0].to_dict() == whole.content[0].to_dict()
    assert final.content[1].to_dict() == whole.content[1].to_dict()
    assert final.usage.output_tokens == whole.usage.output_tokens
    assert final.usage.input_tokens == whole.usage.input_tokens
    assert final.stop_reason == whole.stop_reason


@pytest.mark.parametrize("stream", [False, True])
def test_calls_tools_in_parallel_after_a_sentence(
    client: anthropic.Anthropic, stream: bool
) -> None:
    messages: Any = [{"role": "user", "content": "get_weather and get_time"}]
    tools: Any = [WEATHER, CLOCK]
    if stream:
        with client.messages.stream(
            model="echo", max_tokens=500, messages=messages, tools=tools
        ) as events:
            answer: Any = events.get_final_message()
    else:
        answer = client.messages.create(
            model="echo", max_tokens=500, messages=messages, tools=tools
        )

    assert [block.type for block in answer.content] == ["text", "tool_use", "tool_use"]
    assert answer.content[1].input == {"city": "Paris"}
    assert answer.content[2].input == {}
    assert answer.content[1].id != answer.content[2].id
    assert answer.stop_reason == "tool_use"


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"type": "auto"}, []),
        ({"type": "none"}, []),
        ({"type": "any"}, ["get_weather"]),
        ({"type": "tool", "name": "get_time"}, ["get_time"]),
    ],
)
def test_obeys_tool_choice(client: anthropic.Anthropic, choice: Any, expected: list[str]) -> None:
    answer = ask(client, "hello", tools=[WEATHER, CLOCK], tool_choice=choice)

    assert [block.name for block in answer.content if block.type == "tool_use"] == expected


def test_calls_one_tool_when_parallel_use_is_off(client: anthropic.Anthropic) -> None:
    choice = {"type": "auto", "disable_parallel_tool_use": True}

    answer = ask(client, "get_weather and get_time", tools=[WEATHER, CLOCK], tool_choice=choice)

    assert [block.type for block in answer.content] == ["text", "tool_use"]


def test_cites_tool_results_and_refuses_stray_ones(client: anthropic.Anthropic) -> None:
    first = ask(client, "get_weather", tools=[WEATHER])
    result = {"type": "tool_result", "tool_use_id": first.content[1].id, "content": "sunny, 21"}
    messages: Any = [
        {"role": "user", "content": "get_weather"},
        {"role": "assistant", "content": first.content},
        {"role": "user", "content": [result]},
    ]

    answer = ask(client, "", messages=messages, tools=[WEATHER])

    assert "sunny, 21" in answer.content[0].text
    with pytest.raises(anthropic.BadRequestError, match="tool_use_id"):
        ask(client, [result])
    with pytest.raises(anthropic.BadRequestError, match="without `tool_result`"):
        ask(
            client, "", messages=[*messages[:2], {"role": "user", "content": "no"}], tools=[WEATHER]
        )


@pytest.mark.parametrize(
    "thinking", [{"type": "enabled", "budget_tokens": 1024}, {"type": "adaptive"}]
)
def test_thinks_with_a_signature_that_must_come_back_unchanged(
    client: anthropic.Anthropic, thinking: Any
) -> None:
    answer = ask(client, "hi", thinking=thinking)
    thought = answer.content[0].to_dict()
    again: Any = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": [thought, answer.content[1].to_dict()]},
        {"role": "user", "content": "more"},
    ]

    assert thought["thinking"].startswith("Step 1")
    assert answer.usage.output_tokens == -(-len(thought["thinking"]) // 4) + 3
    assert ask(client, "", messages=again, thinking=thinking).content[1].text == "You said: more"
    thought["thinking"] += "!"
    with pytest.raises(anthropic.BadRequestError, match="signature"):
        ask(client, "", messages=again, thinking=thinking)


def test_omits_thinking_text_but_not_its_signature(client: anthropic.Anthropic) -> None:
    answer = ask(client, "hi", thinking={"type": "adaptive", "display": "omitted"})

    assert answer.content[0].thinking == ""
    assert answer.content[0].signature


def test_sees_images_and_documents(client: anthropic.Anthropic) -> None:
    data = base64.b64encode(b"x" * 70).decode()
    content = [
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}},
        {"type": "image", "source": {"type": "url", "url": "https://example.com/cat.png"}},
        {
            "type": "document",
            "source": {"type": "text", "media_type": "text/plain", "data": "abc"},
            "title": "T",
        },
        {"type": "text", "text": "look"},
    ]

    answer = ask(client, content)

    text = answer.content[0].text
    assert text.startswith("You said: look")
    for shown in (
        "image image/png of 70 bytes",
        "image https://example.com/cat.png",
        "document T: of 3 characters",
    ):
        assert shown in text
    assert answer.usage.input_tokens == 1 + 3 * 85


def test_writes_a_marked_prefix_first_and_reads_it_then(client: anthropic.Anthropic) -> None:
    system = [{"type": "text", "text": "s" * 400, "cache_control": {"type": "ephemeral"}}]

    first = ask(client, "hello123", system=system).usage
    second = ask(client, "other456", system=system).usage

    assert (
        first.input_tokens,
        first.cache_creation_input_tokens,
        first.cache_read_input_tokens,
    ) == (2, 100, 0)
    assert first.cache_creation.ephemeral_5m_input_tokens == 100
    assert (
        second.input_tokens,
        second.cache_creation_input_tokens,
        second.cache_read_input_tokens,
    ) == (2, 0, 100)


def test_splits_cache_writes_by_ttl_and_reads_what_the_last_turn_wrote(
    client: anthropic.Anthropic,
) -> None:
    hour = [
        {"type": "text", "text": "s" * 400, "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    ]
    marked = {"type": "text", "text": "u" * 80, "cache_control": {"type": "ephemeral"}}
    later: Any = [
        {"role": "user", "content": [{"type": "text", "text": "u" * 80}]},
        {"role": "assistant", "content": "a" * 40},
        {"role": "user", "content": "v" * 40},
    ]

    first = ask(client, [marked], system=hour).usage
    grown = ask(client, "", messages=later, system=hour, cache_control={"type": "ephemeral"}).usage

    assert first.cache_creation.ephemeral_1h_input_tokens == 100
    assert first.cache_creation.ephemeral_5m_input_tokens == 20
    assert (
        grown.cache_read_input_tokens,
        grown.cache_creation_input_tokens,
        grown.input_tokens,
    ) == (120, 20, 0)


def test_stops_at_limit_and_stop_sequences(client: anthropic.Anthropic) -> None:
    short = ask(client, "a long enough text", max_tokens=3)
    stopped = ask(client, "one two three", stop_sequences=["two"])

    assert (short.content[0].text, short.stop_reason) == ("You said: a ", "max_tokens")
    assert (stopped.content[0].text, stopped.stop_reason) == ("You said: one ", "stop_sequence")
    assert stopped.stop_sequence == "two"


def test_continues_a_prefill_and_refuses_one_that_ends_in_space(
    client: anthropic.Anthropic,
) -> None:
    messages: Any = [
        {"role": "user", "content": "hello"},
        {"role": "assistant", "content": "You said:"},
    ]

    assert ask(client, "", messages=messages).content[0].text == " hello"
    messages[1]["content"] = "You said: "
    with pytest.raises(anthropic.BadRequestError, match="trailing whitespace"):
        ask(client, "", messages=messages)


def test_answers_in_the_schema_of_output_config(client: anthropic.Anthropic) -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}

    answer = ask(client, "hi", output_config={"format": {"type": "json_schema", "schema": schema}})

    assert answer.content[0].text == '{"city":"Paris"}'


def test_lists_models_in_its_own_shape(client: anthropic.Anthropic) -> None:
    models = list(client.models.list())

    assert [(model.type, model.id) for model in models] == [
        ("model", "echo"),
        ("model", "reasoner"),
        ("model", "long"),
    ]


def test_refuses_a_bad_key_in_its_own_envelope(sandbox: SandboxProcess) -> None:
    with (
        anthropic.Anthropic(
            base_url=sandbox.base_url, api_key="sandbox-bad-key", max_retries=0
        ) as client,
        pytest.raises(anthropic.AuthenticationError) as caught,
    ):
        ask(client, "hi")
    body: Any = caught.value.body
    assert body["type"] == "error"
    assert body["error"]["type"] == "authentication_error"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"frequency_penalty": 1}, "Extra inputs"),
        ({"temperature": 1.5}, "temperature"),
        ({"messages": [{"role": "system", "content": "x"}]}, "user role"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "expected tags"),
        ({"thinking": {"type": "enabled", "budget_tokens": 5000}}, "max_tokens"),
        ({"tool_choice": {"type": "auto"}}, "providing tools"),
        ({"stop_sequences": [" "]}, "non-whitespace"),
    ],
)
def test_refuses_wrong_requests(
    client: anthropic.Anthropic, wrong: dict[str, Any], message: str
) -> None:
    with pytest.raises(anthropic.BadRequestError, match=message) as caught:
        ask(client, "hi", extra_body=wrong)
    body: Any = caught.value.body
    assert body["error"]["type"] == "invalid_request_error"


def test_requires_max_tokens_and_the_version_header(sandbox: SandboxProcess) -> None:
    body = {"model": "echo", "messages": [{"role": "user", "content": "hi"}]}

    missing = post(sandbox.base_url, "/v1/messages", body)
    unversioned = post(
        sandbox.base_url,
        "/v1/messages",
        {**body, "max_tokens": 5},
        headers={"anthropic-version": ""},
    )

    assert missing.json["error"]["message"] == "max_tokens: Field required"
    assert unversioned.json["error"]["message"] == "anthropic-version: header is required"
