"""The official OpenAI SDK against the gateway: a host of the same wire, and one of Anthropic's."""

import base64
import json
from typing import Any

import openai
import pytest
from openai import DefaultHttpxClient, OpenAI
from pydantic import BaseModel

VERBATIM, TRANSLATED = "sandbox/echo", "sandbox/claude"
both_lanes = pytest.mark.parametrize("model", [VERBATIM, TRANSLATED])

PIXEL = base64.b64encode(b"a picture, for all that the host knows").decode()
HELLO: Any = [{"role": "user", "content": "Hello there"}]
TOOLS: Any = [
    {
        "type": "function",
        "function": {
            "name": name,
            "description": f"Finds the {name}.",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
                "required": ["city"],
            },
        },
    }
    for name in ("weather", "population")
]
OTHER_WIRES = ("sandbox/claude", "sandbox/gemini", "sandbox/converse", "sandbox/responses")
ASKS_BOTH: Any = [{"role": "user", "content": "Use weather and population, please."}]
WANTED = [("weather", {"city": "Paris", "days": 1}), ("population", {"city": "Paris", "days": 1})]


class Town(BaseModel):
    city: str
    inhabitants: int


def calls_of(message: Any) -> list[tuple[str, Any]]:
    return [
        (call.function.name, json.loads(call.function.arguments)) for call in message.tool_calls
    ]


@both_lanes
def test_answers_when_not_streamed(openai_client: OpenAI, model):
    completion = openai_client.chat.completions.create(model=model, messages=HELLO)

    assert completion.choices[0].message.content == "You said: Hello there"
    assert completion.choices[0].message.role == "assistant"
    assert completion.choices[0].finish_reason == "stop"
    assert completion.object == "chat.completion"
    assert completion.model == model
    assert completion._request_id == completion.id


@both_lanes
def test_streams_the_whole_answer_when_streamed(openai_client: OpenAI, model):
    with openai_client.chat.completions.create(model=model, messages=HELLO, stream=True) as stream:
        chunks = list(stream)

    deltas = [chunk.choices[0].delta.content or "" for chunk in chunks]
    assert "".join(deltas) == "You said: Hello there"
    assert sum(bool(delta) for delta in deltas) > 1
    assert chunks[0].choices[0].delta.role == "assistant"
    assert [
        chunk.choices[0].finish_reason for chunk in chunks if chunk.choices[0].finish_reason
    ] == ["stop"]
    assert {(chunk.id, chunk.model) for chunk in chunks} == {(chunks[0].id, model)}


@both_lanes
def test_sdks_own_accumulator_builds_the_answer_when_streamed(openai_client: OpenAI, model):
    with openai_client.chat.completions.stream(model=model, messages=HELLO) as stream:
        completion = stream.until_done().get_final_completion()

    assert completion.choices[0].message.content == "You said: Hello there"
    assert completion.choices[0].finish_reason == "stop"


@both_lanes
def test_usage_tells_tokens_and_cost_when_not_streamed(openai_client: OpenAI, customer, model):
    completion = openai_client.chat.completions.create(model=model, messages=HELLO)

    (record,) = customer.settled(requests=1)
    usage: Any = completion.usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (3, 6, 9)
    assert round(usage.cost * 1e9) == record.charged > 0
    assert sum(usage.cost_details.values()) == pytest.approx(usage.cost)


@both_lanes
def test_usage_chunk_comes_last_with_cost_when_asked_for(openai_client: OpenAI, customer, model):
    with openai_client.chat.completions.create(
        model=model, messages=HELLO, stream=True, stream_options={"include_usage": True}
    ) as stream:
        chunks = list(stream)

    (record,) = customer.settled(requests=1)
    usage: Any = chunks[-1].usage
    assert chunks[-1].choices == []
    assert all(chunk.usage is None for chunk in chunks[:-1])
    assert (usage.prompt_tokens, usage.completion_tokens) == (3, 6)
    assert round(usage.cost * 1e9) == record.charged > 0


def test_cached_tokens_are_told_when_the_prompt_was_seen_before(openai_client: OpenAI, upstream):
    messages: Any = [{"role": "user", "content": "Hello there. " * 200}]
    openai_client.chat.completions.create(model=VERBATIM, messages=messages)

    completion = openai_client.chat.completions.create(model=VERBATIM, messages=messages)

    usage: Any = completion.usage
    assert 0 < usage.prompt_tokens_details.cached_tokens < usage.prompt_tokens == 650
    assert usage.cost_details["cache_read"] > 0


def test_cache_control_marks_reach_the_host_when_translated(openai_client: OpenAI, upstream):
    text = {"type": "text", "text": "Hello there. " * 200, "cache_control": {"type": "ephemeral"}}
    messages: Any = [{"role": "user", "content": [text]}]

    written: Any = openai_client.chat.completions.create(model=TRANSLATED, messages=messages).usage
    read: Any = openai_client.chat.completions.create(model=TRANSLATED, messages=messages).usage

    assert written.prompt_tokens_details.cache_write_tokens == 650
    assert written.prompt_tokens_details.cached_tokens == 0
    assert read.prompt_tokens_details.cached_tokens == read.prompt_tokens == 650


@both_lanes
def test_calls_tools_in_parallel_when_not_streamed(openai_client: OpenAI, model):
    completion = openai_client.chat.completions.create(model=model, messages=ASKS_BOTH, tools=TOOLS)

    message: Any = completion.choices[0].message
    assert completion.choices[0].finish_reason == "tool_calls"
    assert calls_of(message) == WANTED
    assert len({call.id for call in message.tool_calls}) == 2


@both_lanes
def test_calls_tools_in_parallel_when_streamed(openai_client: OpenAI, model):
    with openai_client.chat.completions.stream(
        model=model, messages=ASKS_BOTH, tools=TOOLS
    ) as stream:
        completion = stream.until_done().get_final_completion()

    message: Any = completion.choices[0].message
    assert completion.choices[0].finish_reason == "tool_calls"
    assert calls_of(message) == WANTED
    assert len({call.id for call in message.tool_calls}) == 2


@both_lanes
def test_calls_one_tool_when_parallel_calls_are_off(openai_client: OpenAI, model):
    completion = openai_client.chat.completions.create(
        model=model, messages=ASKS_BOTH, tools=TOOLS, parallel_tool_calls=False
    )

    assert calls_of(completion.choices[0].message) == WANTED[:1]


@both_lanes
@pytest.mark.parametrize(
    "choice",
    ["required", {"type": "function", "function": {"name": "weather"}}],
    ids=["required", "named"],
)
def test_calls_a_tool_when_told_to(openai_client: OpenAI, model, choice):
    completion = openai_client.chat.completions.create(
        model=model, messages=HELLO, tools=TOOLS, tool_choice=choice
    )

    assert calls_of(completion.choices[0].message) == WANTED[:1]


@both_lanes
@pytest.mark.parametrize("streamed", [False, True], ids=["json", "stream"])
def test_reads_tool_results_when_they_are_sent_back(openai_client: OpenAI, model, streamed):
    first = openai_client.chat.completions.create(model=model, messages=ASKS_BOTH, tools=TOOLS)
    message: Any = first.choices[0].message
    results: Any = [
        {"role": "tool", "tool_call_id": call.id, "content": f"{call.function.name} is fine"}
        for call in message.tool_calls
    ]
    history: Any = [*ASKS_BOTH, message.to_dict(), *results]

    if streamed:
        with openai_client.chat.completions.stream(
            model=model, messages=history, tools=TOOLS
        ) as stream:
            text = stream.until_done().get_final_completion().choices[0].message.content
    else:
        second = openai_client.chat.completions.create(model=model, messages=history, tools=TOOLS)
        text = second.choices[0].message.content

    one, two = (call.id for call in message.tool_calls)
    assert text == f"The tools answered: {one}: weather is fine; {two}: population is fine"


@both_lanes
@pytest.mark.parametrize(
    ("url", "seen"),
    [
        (f"data:image/png;base64,{PIXEL}", "image image/png of 38 bytes"),
        ("https://example.com/cat.png", "image https://example.com/cat.png"),
    ],
    ids=["base64", "url"],
)
def test_host_sees_the_image_when_one_is_sent(openai_client: OpenAI, model, url, seen):
    content: Any = [
        {"type": "text", "text": "Look"},
        {"type": "image_url", "image_url": {"url": url}},
    ]

    completion = openai_client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": content}]
    )

    assert completion.choices[0].message.content == f"You said: Look [I was shown: {seen}]"


@pytest.mark.parametrize("model", OTHER_WIRES)
def test_calls_a_function_in_the_deprecated_form_when_asked_so(openai_client: OpenAI, model):
    functions: Any = [tool["function"] for tool in TOOLS]
    asked: Any = {"model": model, "functions": functions, "messages": ASKS_BOTH}

    message = openai_client.chat.completions.create(**asked).choices[0].message
    chunks = list(openai_client.chat.completions.create(**asked, stream=True))

    assert message.function_call is not None
    assert message.tool_calls is None
    assert message.function_call.name == "weather"
    assert chunks[-1].choices[0].finish_reason == "function_call"
    result = {"role": "function", "name": "weather", "content": "sunny"}
    history = [*ASKS_BOTH, message.to_dict(), result]
    answer = openai_client.chat.completions.create(**asked | {"messages": history})
    assert "sunny" in (answer.choices[0].message.content or "")


@pytest.mark.parametrize("streamed", [False, True], ids=["json", "stream"])
@pytest.mark.parametrize(
    ("model", "effort"), [("sandbox/reasoner", None), (VERBATIM, "low"), (TRANSLATED, "low")]
)
def test_reasoning_is_told_apart_from_the_answer(openai_client: OpenAI, model, effort, streamed):
    asked: Any = {"model": model, "messages": HELLO}
    if effort:
        asked["reasoning_effort"] = effort

    if streamed:
        with openai_client.chat.completions.create(**asked, stream=True) as stream:
            deltas: Any = [chunk.choices[0].delta for chunk in stream]
        reasoning = "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas)
        text = "".join(delta.content or "" for delta in deltas)
    else:
        message: Any = openai_client.chat.completions.create(**asked).choices[0].message
        reasoning, text = message.reasoning_content, message.content

    assert reasoning.startswith("Step 1 of ")
    assert text == "You said: Hello there"


def test_reasoning_tokens_are_told_when_the_host_reports_them(openai_client: OpenAI):
    usage: Any = openai_client.chat.completions.create(
        model="sandbox/reasoner", messages=HELLO
    ).usage

    assert 0 < usage.completion_tokens_details.reasoning_tokens < usage.completion_tokens
    assert usage.cost_details["reasoning"] > 0


@both_lanes
def test_answers_by_the_schema_when_one_is_given(openai_client: OpenAI, model):
    completion = openai_client.chat.completions.parse(
        model=model, messages=HELLO, response_format=Town
    )

    assert completion.choices[0].message.parsed == Town(city="Paris", inhabitants=1)


def test_answers_in_json_when_asked_for_any_json(openai_client: OpenAI):
    completion = openai_client.chat.completions.create(
        model=VERBATIM, messages=HELLO, response_format={"type": "json_object"}
    )

    assert json.loads(completion.choices[0].message.content or "") == {
        "answer": "You said: Hello there"
    }


@pytest.mark.parametrize("streamed", [False, True], ids=["json", "stream"])
def test_gives_every_choice_when_n_is_more_than_one(openai_client: OpenAI, streamed):
    asked: Any = {"model": VERBATIM, "messages": HELLO, "n": 3}
    texts = {0: "", 1: "", 2: ""}

    if streamed:
        with openai_client.chat.completions.create(**asked, stream=True) as stream:
            for chunk in stream:
                texts[chunk.choices[0].index] += chunk.choices[0].delta.content or ""
    else:
        for choice in openai_client.chat.completions.create(**asked).choices:
            texts[choice.index] = choice.message.content or ""

    said = "You said: Hello there"
    assert texts == {0: said, 1: f"{said} (choice 1)", 2: f"{said} (choice 2)"}


@both_lanes
@pytest.mark.parametrize("stop", [" there", [" there", "never"]], ids=["text", "list"])
def test_ends_before_the_stop_sequence_when_it_comes(openai_client: OpenAI, model, stop):
    completion = openai_client.chat.completions.create(model=model, messages=HELLO, stop=stop)

    assert completion.choices[0].message.content == "You said: Hello"
    assert completion.choices[0].finish_reason == "stop"


@both_lanes
def test_ends_with_length_when_max_tokens_is_reached(openai_client: OpenAI, model):
    completion = openai_client.chat.completions.create(model=model, messages=HELLO, max_tokens=2)

    assert completion.choices[0].message.content == "You said"
    assert completion.choices[0].finish_reason == "length"


@pytest.mark.parametrize("streamed", [False, True], ids=["json", "stream"])
def test_gives_log_probabilities_when_asked(openai_client: OpenAI, streamed):
    asked: Any = {"model": VERBATIM, "messages": HELLO, "logprobs": True, "top_logprobs": 2}

    if streamed:
        with openai_client.chat.completions.create(**asked, stream=True) as stream:
            found = [chunk.choices[0].logprobs for chunk in stream]
    else:
        found = [openai_client.chat.completions.create(**asked).choices[0].logprobs]

    tokens: Any = [token for part in found if part for token in part.content or ()]
    assert "".join(token.token for token in tokens) == "You said: Hello there"
    assert {len(token.top_logprobs) for token in tokens} == {2}


def test_lists_the_models_when_asked(openai_client: OpenAI):
    listed = {model.id for model in openai_client.models.list()}

    assert {"sandbox/echo", "sandbox/long", "sandbox/reasoner", "sandbox/claude"} <= listed


async def test_async_client_reads_answer_and_stream(async_openai_client: openai.AsyncOpenAI):
    completion = await async_openai_client.chat.completions.create(model=VERBATIM, messages=HELLO)
    stream = await async_openai_client.chat.completions.create(
        model=TRANSLATED, messages=HELLO, stream=True
    )
    text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

    assert completion.choices[0].message.content == text == "You said: Hello there"


def test_raises_authentication_error_when_the_key_is_wrong(openai_client: OpenAI):
    with pytest.raises(openai.AuthenticationError) as raised:
        openai_client.with_options(api_key="sk-wrong").chat.completions.create(
            model=VERBATIM, messages=HELLO
        )

    assert raised.value.code == "invalid_api_key"
    assert raised.value.request_id


def test_raises_not_found_when_there_is_no_such_model(openai_client: OpenAI):
    with pytest.raises(openai.NotFoundError) as raised:
        openai_client.chat.completions.create(model="acme/nothing", messages=HELLO)

    assert raised.value.code == "model_not_found"
    assert raised.value.param == "model"


def test_raises_bad_request_naming_the_field_when_it_is_wrong(openai_client: OpenAI):
    with pytest.raises(openai.BadRequestError) as raised:
        openai_client.chat.completions.create(model=VERBATIM, messages=HELLO, temperature=3)

    assert raised.value.code == "invalid_value"
    assert raised.value.param == "temperature"
    assert raised.value.type == "invalid_request_error"


def test_raises_rate_limit_error_when_the_key_is_over_its_limit(gateway, make_customer):
    customer = make_customer(requests_per_minute=1)
    with OpenAI(api_key=customer.secret, base_url=f"{gateway.url}/v1", max_retries=0) as client:

        def exhaust() -> None:
            for _ in range(3):
                client.chat.completions.create(model=VERBATIM, messages=HELLO)

        with pytest.raises(openai.RateLimitError) as raised:
            exhaust()

    assert raised.value.code == "rate_limit_exceeded"
    assert int(raised.value.response.headers["retry-after-ms"]) > 0


def test_does_not_retry_when_there_is_no_credit(gateway, make_customer, sent, upstream):
    customer = make_customer(credit_usd="0.000001")

    with (
        OpenAI(
            api_key=customer.secret,
            base_url=f"{gateway.url}/v1",
            max_retries=2,
            http_client=DefaultHttpxClient(**sent.options),
        ) as client,
        pytest.raises(openai.APIStatusError) as raised,
    ):
        client.chat.completions.create(model=VERBATIM, messages=HELLO)

    assert raised.value.status_code == 402
    assert raised.value.code == "insufficient_credits"
    assert len(sent) == 1
    assert upstream.stats()["requests"] == 0


def test_retries_and_is_served_when_the_first_answer_was_503(gateway, customer, sent, upstream):
    with OpenAI(
        api_key=customer.secret,
        base_url=f"{gateway.url}/v1",
        max_retries=1,
        http_client=DefaultHttpxClient(**sent.options),
    ) as client:
        completion = client.chat.completions.create(
            model=f"{VERBATIM}+status=503+first=1", messages=HELLO
        )

    assert completion.choices[0].message.content == "You said: Hello there"
    assert [request.headers["x-stainless-retry-count"] for request in sent] == ["0", "1"]
    assert upstream.stats()["requests"] == 2


@both_lanes
@pytest.mark.parametrize("fault", ["midstream_error=2", "cut=2", "malformed=2", "nofinish"])
def test_raises_in_the_stream_when_the_host_fails_in_it(openai_client: OpenAI, model, fault):
    received: list[str] = []
    asked = f"{model}+{fault}+lull=200"  # what fails before it has reached the client is not in the stream

    with (
        pytest.raises(openai.APIError) as raised,
        openai_client.chat.completions.create(model=asked, messages=HELLO, stream=True) as stream,
    ):
        for chunk in stream:
            received.append(chunk.choices[0].delta.content or "")

    error: Any = raised.value
    assert "".join(received).startswith("You ")
    assert error.code == "upstream_error"
    assert "sandbox" not in error.message
