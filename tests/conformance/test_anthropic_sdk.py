"""The official Anthropic SDK against the gateway: a host of the same wire, and one of OpenAI's."""

import base64
from typing import Any

import anthropic
import httpx
import pytest
from anthropic import Anthropic, DefaultHttpxClient
from pydantic import BaseModel

VERBATIM, TRANSLATED = "sandbox/claude", "sandbox/echo"
both_lanes = pytest.mark.parametrize("model", [VERBATIM, TRANSLATED])
both_ways = pytest.mark.parametrize("streamed", [False, True], ids=["json", "stream"])

PIXEL = base64.b64encode(b"a picture, for all that the host knows").decode()
HELLO: Any = [{"role": "user", "content": "Hello there"}]
TOOLS: Any = [
    {
        "name": name,
        "description": f"Finds the {name}.",
        "input_schema": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
            "required": ["city"],
        },
    }
    for name in ("weather", "population")
]
ASKS_BOTH: Any = [{"role": "user", "content": "Use weather and population, please."}]
WANTED = [("weather", {"city": "Paris", "days": 1}), ("population", {"city": "Paris", "days": 1})]


class Town(BaseModel):
    city: str
    inhabitants: int


def ask(client: Anthropic, *, streamed: bool, **asked: Any) -> Any:
    """The message, whole or put together by the SDK from its stream."""
    asked = {"model": VERBATIM, "max_tokens": 100, "messages": HELLO} | asked
    if not streamed:
        return client.messages.create(**asked)
    with client.messages.stream(**asked) as stream:
        return stream.get_final_message()


def calls_of(message: Any) -> list[tuple[str, Any]]:
    return [(block.name, block.input) for block in message.content if block.type == "tool_use"]


def text_of(message: Any) -> str:
    return "".join(block.text for block in message.content if block.type == "text")


@both_ways
@both_lanes
def test_answers_whether_streamed_or_not(anthropic_client: Anthropic, model, streamed):
    message = ask(anthropic_client, streamed=streamed, model=model)

    assert [(block.type, block.text) for block in message.content] == [
        ("text", "You said: Hello there")
    ]
    assert (message.type, message.role, message.model) == ("message", "assistant", model)
    assert (message.stop_reason, message.stop_sequence) == ("end_turn", None)
    assert message.id.startswith("gen_")


@both_lanes
def test_stream_follows_the_grammar_when_streamed(anthropic_client: Anthropic, model):
    with anthropic_client.messages.create(
        model=model, max_tokens=100, messages=HELLO, stream=True
    ) as stream:
        kinds = [event.type for event in stream]

    assert kinds[:2] == ["message_start", "content_block_start"]
    assert kinds[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert kinds.count("content_block_delta") == len(kinds) - 5 > 1


def final_usage(client: Anthropic, *, streamed: bool, **asked: Any) -> Any:
    """As it was sent: of a stream's ``message_delta`` the SDK's accumulator keeps only the fields that it knows."""
    if not streamed:
        return ask(client, streamed=False, **asked).usage
    asked = {"model": VERBATIM, "max_tokens": 100, "messages": HELLO} | asked
    with client.messages.create(**asked, stream=True) as stream:
        (usage,) = [event.usage for event in stream if event.type == "message_delta"]
    return usage


@both_ways
@both_lanes
def test_usage_tells_tokens_and_cost_when_finished(
    anthropic_client: Anthropic, customer, model, streamed
):
    usage = final_usage(anthropic_client, streamed=streamed, model=model)

    (record,) = customer.settled(requests=1)
    assert (usage.input_tokens, usage.output_tokens) == (3, 6)
    assert round(usage.cost * 1e9) == record.charged > 0
    assert sum(usage.cost_details.values()) == pytest.approx(usage.cost)


@both_ways
def test_cached_tokens_are_told_when_the_prompt_was_seen_before(
    anthropic_client: Anthropic, upstream, streamed
):
    text = {"type": "text", "text": "Hello there. " * 200, "cache_control": {"type": "ephemeral"}}
    messages = [{"role": "user", "content": [text]}]

    written = final_usage(anthropic_client, streamed=streamed, messages=messages)
    read = final_usage(anthropic_client, streamed=streamed, messages=messages)

    assert (written.cache_creation_input_tokens, written.cache_read_input_tokens) == (650, 0)
    assert (read.cache_creation_input_tokens, read.cache_read_input_tokens) == (0, 650)
    assert read.cost_details["cache_read"] > 0


def test_cached_tokens_are_told_beside_the_input_when_translated(
    anthropic_client: Anthropic, upstream
):
    messages = [{"role": "user", "content": "Hello there. " * 200}]
    ask(anthropic_client, streamed=False, model=TRANSLATED, messages=messages)

    usage = ask(anthropic_client, streamed=False, model=TRANSLATED, messages=messages).usage

    assert usage.cache_read_input_tokens > 0
    assert usage.input_tokens + usage.cache_read_input_tokens == 650


@both_ways
@both_lanes
def test_calls_tools_in_parallel_when_asked_for_both(anthropic_client: Anthropic, model, streamed):
    message = ask(anthropic_client, streamed=streamed, model=model, messages=ASKS_BOTH, tools=TOOLS)

    assert message.stop_reason == "tool_use"
    assert calls_of(message) == WANTED
    assert len({block.id for block in message.content if block.type == "tool_use"}) == 2


@both_lanes
def test_calls_one_tool_when_parallel_calls_are_off(anthropic_client: Anthropic, model):
    choice = {"type": "auto", "disable_parallel_tool_use": True}

    message = ask(
        anthropic_client,
        streamed=False,
        model=model,
        messages=ASKS_BOTH,
        tools=TOOLS,
        tool_choice=choice,
    )

    assert calls_of(message) == WANTED[:1]


@both_lanes
@pytest.mark.parametrize(
    "choice", [{"type": "any"}, {"type": "tool", "name": "weather"}], ids=["any", "named"]
)
def test_calls_a_tool_when_told_to(anthropic_client: Anthropic, model, choice):
    message = ask(anthropic_client, streamed=False, model=model, tools=TOOLS, tool_choice=choice)

    assert calls_of(message) == WANTED[:1]


@both_ways
@both_lanes
def test_reads_tool_results_when_they_are_sent_back(anthropic_client: Anthropic, model, streamed):
    asked: Any = {"streamed": streamed, "model": model, "tools": TOOLS}
    first = ask(anthropic_client, messages=ASKS_BOTH, **asked)
    calls = [block for block in first.content if block.type == "tool_use"]
    results = [
        {"type": "tool_result", "tool_use_id": call.id, "content": f"{call.name} is fine"}
        for call in calls
    ]
    history = [
        *ASKS_BOTH,
        {"role": "assistant", "content": first.content},
        {"role": "user", "content": results},
    ]

    second = ask(anthropic_client, messages=history, **asked)

    one, two = (call.id for call in calls)
    assert text_of(second) == (
        f"The tools answered: {one}: weather is fine; {two}: population is fine"
    )


@both_lanes
@pytest.mark.parametrize(
    ("source", "seen"),
    [
        (
            {"type": "base64", "media_type": "image/png", "data": PIXEL},
            "image image/png of 38 bytes",
        ),
        (
            {"type": "url", "url": "https://example.com/cat.png"},
            "image https://example.com/cat.png",
        ),
    ],
    ids=["base64", "url"],
)
def test_host_sees_the_image_when_one_is_sent(anthropic_client: Anthropic, model, source, seen):
    content = [{"type": "text", "text": "Look"}, {"type": "image", "source": source}]

    message = ask(
        anthropic_client,
        streamed=False,
        model=model,
        messages=[{"role": "user", "content": content}],
    )

    assert text_of(message) == f"You said: Look [I was shown: {seen}]"


@both_ways
def test_thinking_comes_signed_when_enabled(anthropic_client: Anthropic, streamed):
    message = ask(
        anthropic_client,
        streamed=streamed,
        max_tokens=2000,
        thinking={"type": "enabled", "budget_tokens": 1024},
    )

    thinking, text = message.content
    assert (thinking.type, text.type) == ("thinking", "text")
    assert thinking.thinking.startswith("Step 1 of 2")
    assert thinking.signature
    assert text.text == "You said: Hello there"


@both_ways
def test_signed_thinking_is_accepted_when_sent_back_with_tool_results(
    anthropic_client: Anthropic, streamed
):
    asked: Any = {
        "streamed": streamed,
        "max_tokens": 2000,
        "thinking": {"type": "enabled", "budget_tokens": 1024},
        "tools": TOOLS,
    }
    first = ask(anthropic_client, messages=ASKS_BOTH, **asked)
    results = [
        {"type": "tool_result", "tool_use_id": block.id, "content": "fine"}
        for block in first.content
        if block.type == "tool_use"
    ]

    second = ask(
        anthropic_client,
        messages=[
            *ASKS_BOTH,
            {"role": "assistant", "content": first.content},
            {"role": "user", "content": results},
        ],
        **asked,
    )

    assert first.content[0].signature
    assert text_of(second).startswith("The tools answered: ")


@both_ways
def test_reasoning_of_another_wire_becomes_thinking_when_translated(
    anthropic_client: Anthropic, streamed
):
    message = ask(anthropic_client, streamed=streamed, model="sandbox/reasoner", max_tokens=500)

    thinking, text = message.content
    assert (thinking.type, thinking.signature) == ("thinking", "")
    assert thinking.thinking.startswith("Step 1 of 4")
    assert text.text == "You said: Hello there"


@both_lanes
def test_answers_by_the_schema_when_one_is_given(anthropic_client: Anthropic, model):
    message: Any = anthropic_client.messages.parse(
        model=model, max_tokens=100, messages=HELLO, output_format=Town
    )

    assert message.parsed_output == Town(city="Paris", inhabitants=1)


@both_ways
def test_names_the_stop_sequence_when_it_comes(anthropic_client: Anthropic, streamed):
    message = ask(anthropic_client, streamed=streamed, stop_sequences=["never", " there"])

    assert text_of(message) == "You said: Hello"
    assert (message.stop_reason, message.stop_sequence) == ("stop_sequence", " there")


@both_ways
def test_ends_before_the_stop_sequence_when_translated(anthropic_client: Anthropic, streamed):
    """OpenAI's wire does not say which sequence it was, nor that it was one."""
    message = ask(anthropic_client, streamed=streamed, model=TRANSLATED, stop_sequences=[" there"])

    assert text_of(message) == "You said: Hello"


@both_ways
@both_lanes
def test_ends_with_max_tokens_when_they_are_reached(anthropic_client: Anthropic, model, streamed):
    message = ask(anthropic_client, streamed=streamed, model=model, max_tokens=2)

    assert text_of(message) == "You said"
    assert message.stop_reason == "max_tokens"


@both_lanes
def test_system_prompt_is_counted_when_given(anthropic_client: Anthropic, model):
    message = ask(anthropic_client, streamed=False, model=model, system="Be brief. " * 4)

    assert message.usage.input_tokens == 13


async def test_async_client_reads_answer_and_stream(
    async_anthropic_client: anthropic.AsyncAnthropic,
):
    message = await async_anthropic_client.messages.create(
        model=VERBATIM, max_tokens=100, messages=HELLO
    )
    async with async_anthropic_client.messages.stream(
        model=TRANSLATED, max_tokens=100, messages=HELLO
    ) as stream:
        text = await stream.get_final_text()

    assert text_of(message) == text == "You said: Hello there"


def test_sdk_sends_bearer_and_its_version_when_it_asks(gateway, customer, sent):
    """The version that this suite proves to work; x-api-key is what older SDKs and raw clients send."""
    with Anthropic(
        api_key=customer.secret,
        base_url=gateway.url,
        http_client=DefaultHttpxClient(**sent.options),
    ) as client:
        ask(client, streamed=False)

    (request,) = sent
    assert request.headers["authorization"] == f"Bearer {customer.secret}"
    assert request.headers["anthropic-version"] == "2026-10-21"


@pytest.mark.parametrize("version", ["2023-06-01", "2026-10-21", None])
def test_answers_when_the_key_comes_as_x_api_key(gateway, customer, version):
    headers = {"x-api-key": customer.secret} | ({"anthropic-version": version} if version else {})

    response = httpx.post(
        f"{gateway.url}/v1/messages",
        headers=headers,
        json={"model": VERBATIM, "max_tokens": 100, "messages": HELLO},
    )

    assert response.status_code == 200
    assert response.json()["content"][0]["text"] == "You said: Hello there"


def test_tells_the_request_id_where_the_sdk_looks_for_it(anthropic_client: Anthropic):
    message = ask(anthropic_client, streamed=False)

    assert message._request_id == message.id


def test_tool_results_with_an_object_are_let_through_when_the_hosts_own_tools_ran(
    anthropic_client: Anthropic,
):
    """``code_execution_tool_result`` and others hold an object, not text or blocks; this one has no call before it, which the host refuses."""
    result = {
        "type": "code_execution_tool_result",
        "tool_use_id": "srvtoolu_1",
        "content": {"type": "code_execution_result", "stdout": "4", "stderr": "", "content": []},
    }

    with pytest.raises(anthropic.BadRequestError) as raised:
        ask(
            anthropic_client,
            streamed=False,
            messages=[*HELLO, {"role": "assistant", "content": [result]}, *HELLO],
        )

    assert raised.value.api_message == "The provider rejected the request because of 'messages[1]'."


def test_raises_authentication_error_when_the_key_is_wrong(anthropic_client: Anthropic):
    with pytest.raises(anthropic.AuthenticationError) as raised:
        ask(anthropic_client.with_options(api_key="sk-ant-wrong"), streamed=False)

    assert raised.value.type == "authentication_error"
    assert raised.value.request_id


def test_raises_not_found_when_there_is_no_such_model(anthropic_client: Anthropic):
    with pytest.raises(anthropic.NotFoundError) as raised:
        ask(anthropic_client, streamed=False, model="acme/nothing")

    assert raised.value.type == "not_found_error"
    assert "acme/nothing" in (raised.value.api_message or "")


def test_raises_bad_request_naming_the_field_when_it_is_wrong(anthropic_client: Anthropic):
    with pytest.raises(anthropic.BadRequestError) as raised:
        ask(anthropic_client, streamed=False, max_tokens=0)

    body: Any = raised.value.body
    assert raised.value.type == "invalid_request_error"
    assert body["error"]["param"] == "max_tokens"


def test_raises_rate_limit_error_when_the_key_is_over_its_limit(gateway, make_customer):
    customer = make_customer(requests_per_minute=1)
    with Anthropic(api_key=customer.secret, base_url=gateway.url, max_retries=0) as client:

        def exhaust() -> None:
            for _ in range(3):
                ask(client, streamed=False)

        with pytest.raises(anthropic.RateLimitError) as raised:
            exhaust()

    assert raised.value.type == "rate_limit_error"
    assert int(raised.value.response.headers["retry-after-ms"]) > 0


def test_does_not_retry_when_there_is_no_credit(gateway, make_customer, sent, upstream):
    customer = make_customer(credit_usd="0.000001")

    with (
        Anthropic(
            api_key=customer.secret,
            base_url=gateway.url,
            max_retries=2,
            http_client=DefaultHttpxClient(**sent.options),
        ) as client,
        pytest.raises(anthropic.PaymentRequiredError) as raised,
    ):
        ask(client, streamed=False)

    assert raised.value.type == "billing_error"
    assert len(sent) == 1
    assert upstream.stats()["requests"] == 0


def test_retries_and_is_served_when_the_first_answer_was_503(gateway, customer, sent, upstream):
    with Anthropic(
        api_key=customer.secret,
        base_url=gateway.url,
        max_retries=1,
        http_client=DefaultHttpxClient(**sent.options),
    ) as client:
        message = ask(client, streamed=False, model=f"{VERBATIM}+status=503+first=1")

    assert text_of(message) == "You said: Hello there"
    assert [request.headers["x-stainless-retry-count"] for request in sent] == ["0", "1"]
    assert upstream.stats()["requests"] == 2


@both_lanes
@pytest.mark.parametrize("fault", ["midstream_error=2", "cut=2", "malformed=2", "nofinish"])
def test_raises_in_the_stream_when_the_host_fails_in_it(anthropic_client: Anthropic, model, fault):
    received: list[str] = []
    asked = f"{model}+{fault}+lull=200"  # what fails before it has reached the client is not in the stream

    with (
        pytest.raises(anthropic.APIStatusError) as raised,
        anthropic_client.messages.stream(model=asked, max_tokens=100, messages=HELLO) as stream,
    ):
        for text in stream.text_stream:
            received.append(text)

    assert "".join(received).startswith("You ")
    assert raised.value.type == "api_error"
    assert "sandbox" not in str(raised.value)


@pytest.mark.parametrize("model", ["sandbox/claude", "sandbox/echo"])
def test_each_version_of_the_api_has_its_own_fields(gateway, customer, model):
    body = {"model": model, "max_tokens": 50, "temperature": 0.5, "messages": HELLO}

    def ask_as(version):
        return gateway.client(customer).post(
            "/v1/messages", json=body, headers={"anthropic-version": version}
        )

    assert ask_as("2023-06-01").status_code == 200
    refused = ask_as("2026-10-21")
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "temperature")
    del body["temperature"]
    assert ask_as("2026-10-21").status_code == 200
    unknown = ask_as("2031-01-01")
    assert (unknown.status_code, unknown.json()["error"]["param"]) == (400, "anthropic-version")
    customer.settled(requests=2)
    assert customer.balance.held == 0


def test_the_clients_version_reaches_a_host_of_the_same_wire(gateway, customer):
    body = {"model": "sandbox/claude", "max_tokens": 50, "messages": HELLO}
    for version in ("2026-10-21", "2023-06-01"):
        gateway.client(customer).post(
            "/v1/messages", json=body, headers={"anthropic-version": version}
        )
        sent = gateway.sandbox.stats()["last_request"]["headers"]
        assert sent["anthropic-version"] == version
