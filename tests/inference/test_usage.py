"""Usage: whose numbers are billed and told, and what they are bounded by."""

import pytest

from apps.catalog.providers.spec import Wire
from apps.inference import metrics
from tests.hosting import Host, slug_of
from tests.surfaces import LANES, SURFACES, Surface, ask, name_lane

all_lanes = pytest.mark.parametrize("lane", LANES, ids=name_lane)
on_both_surfaces = pytest.mark.parametrize("surface", SURFACES, ids=str)
both_ways = pytest.mark.parametrize("streamed", [False, True], ids=["json", "stream"])

PROMPT = "Hello there. " * 200  # 2,600 characters, 650 tokens


def wanting_usage(surface: Surface, model: str, *, streamed: bool, **fields):
    """A body whose answer tells its usage: Anthropic's always does, OpenAI's streams when asked."""
    body = surface.body(model, stream=streamed, **fields)
    if surface is Surface.CHAT and streamed:
        body["stream_options"] = {"include_usage": True}
    return body


def quarantined(provider: str) -> float:
    found: float = metrics.usage_quarantined.labels(provider)._value.get()
    return found


@all_lanes
@both_ways
def test_tokens_are_counted_when_the_host_reports_no_usage(
    gateway, customer, make_model, lane, streamed
):
    surface, wire = lane
    model = make_model(Host("echo+nousage", wire))
    before = quarantined(slug_of(0, wire))

    answer = ask(
        gateway.client(customer), surface, wanting_usage(surface, model, streamed=streamed)
    )

    (record,) = customer.settled(requests=1)
    assert record.usage_source == "counted"
    # 11 characters asked and 21 answered, at 4 a token.
    assert (record.input_tokens, record.output_tokens) == (3, 6)
    assert record.charged == 3 * 1_000 + 6 * 2_000
    assert (answer.input_tokens, answer.output_tokens) == (3, 6)
    assert round(answer.usage["cost"] * 1e9) == record.charged
    assert quarantined(slug_of(0, wire)) == before


@all_lanes
@both_ways
def test_absurd_usage_is_counted_instead_and_never_shown_when_the_host_reports_it(
    gateway, customer, make_model, lane, streamed
):
    surface, wire = lane
    model = make_model(Host("echo+absurd_usage", wire))
    before = quarantined(slug_of(0, wire))

    answer = ask(
        gateway.client(customer), surface, wanting_usage(surface, model, streamed=streamed)
    )

    (record,) = customer.settled(requests=1)
    assert record.usage_source == "counted"
    assert (record.input_tokens, record.output_tokens, record.cache_read_tokens) == (3, 6, 0)
    assert record.charged == 3 * 1_000 + 6 * 2_000
    assert (answer.input_tokens, answer.output_tokens) == (3, 6)
    assert "000000000" not in str(answer.events)
    assert ": -" not in str(answer.events)
    assert quarantined(slug_of(0, wire)) == before + 1


@all_lanes
@both_ways
def test_usage_above_the_models_context_is_quarantined_when_the_host_reports_it(
    gateway, customer, make_model, lane, streamed
):
    """650 tokens of input at a host whose row says that it holds 500: the row or the report is wrong."""
    surface, wire = lane
    model = make_model(Host("echo", wire, context_length=500))
    body = wanting_usage(surface, model, streamed=streamed)
    body["messages"] = [{"role": "user", "content": PROMPT}]
    before = quarantined(slug_of(0, wire))

    answer = ask(gateway.client(customer), surface, body)

    (record,) = customer.settled(requests=1)
    assert record.usage_source == "counted"
    assert quarantined(slug_of(0, wire)) == before + 1
    assert round(answer.usage["cost"] * 1e9) == record.charged == record.cost


@both_ways
@on_both_surfaces
def test_cached_tokens_are_billed_at_the_cache_rate_when_the_host_had_them(
    gateway, customer, make_model, surface, streamed
):
    model = make_model(Host("echo", input_usd="4", output_usd="2", cache_read_usd="1"))
    body = wanting_usage(surface, model, streamed=streamed)
    body["messages"] = [{"role": "user", "content": PROMPT}]
    client = gateway.client(customer)
    ask(client, surface, body)

    answer = ask(client, surface, body)

    found = {record.id: record for record in customer.settled(requests=2)}
    record = found[answer.headers["x-request-id"]]
    assert record.cache_read_tokens == 640  # 1,024 characters, then steps of 512, at 4 a token
    assert record.input_tokens == 650 - 640
    assert record.charged == 10 * 4_000 + 640 * 1_000 + record.output_tokens * 2_000
    assert round(answer.usage["cost"] * 1e9) == record.charged
    assert round(answer.usage["cost_details"]["cache_read"] * 1e9) == 640 * 1_000


def test_cache_writes_are_billed_by_their_lifetime_when_the_host_tells_them(
    gateway, customer, make_model, upstream
):
    text = {"type": "text", "text": PROMPT, "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    body = Surface.MESSAGES.body("sandbox/claude")
    body["messages"] = [{"role": "user", "content": [text]}]

    ask(gateway.client(customer), Surface.MESSAGES, body)

    (record,) = customer.settled(requests=1)
    assert (record.cache_write_1h_tokens, record.cache_write_5m_tokens) == (650, 0)
    assert record.input_tokens == 0


def test_cache_writes_keep_their_lifetime_when_streamed(gateway, customer, upstream):
    """Anthropic tells the split by lifetime in message_start alone."""
    text = {"type": "text", "text": PROMPT, "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    body = Surface.MESSAGES.body("sandbox/claude", stream=True)
    body["messages"] = [{"role": "user", "content": [text]}]

    ask(gateway.client(customer), Surface.MESSAGES, body)

    (record,) = customer.settled(requests=1)
    assert (record.cache_write_1h_tokens, record.cache_write_5m_tokens) == (650, 0)


@pytest.mark.parametrize("told", ["echo", "echo+nousage"])
@pytest.mark.parametrize("surface", SURFACES, ids=str)
def test_usage_is_told_at_the_end_when_a_stream_asks_for_it(
    gateway, customer, make_model, surface, told
):
    answer = ask(
        gateway.client(customer),
        surface,
        wanting_usage(surface, make_model(told), streamed=True),
    )

    told_usage = [event["usage"] for event in answer.events if event.get("usage")]
    assert len(told_usage) == 1
    assert answer.output_tokens == 6
    if surface is Surface.CHAT:
        assert answer.events[-1]["choices"] == []


@pytest.mark.parametrize("options", [None, {}, {"include_usage": False}])
def test_usage_is_not_told_when_a_chat_stream_did_not_ask_for_it(
    gateway, customer, make_model, options
):
    model = make_model("echo")

    answer = ask(
        gateway.client(customer),
        Surface.CHAT,
        Surface.CHAT.body(model, stream=True, stream_options=options),
    )

    assert not any("usage" in event for event in answer.events)
    (record,) = customer.settled(requests=1)
    assert (record.usage_source, record.output_tokens) == ("provider", 6)


@all_lanes
@both_ways
def test_counted_output_stays_within_max_tokens_when_the_host_sends_more(
    gateway, customer, make_model, lane, streamed
):
    """``stamp`` makes every chunk longer than the sandbox's own limit knows; ours must hold on its own."""
    surface, wire = lane
    model = make_model(Host("echo+nousage+stamp" if streamed else "echo+nousage", wire))
    # Responses take no limit below 16, which is what the host was told, and the client by name.
    most, true_limit = 4, 16 if wire is Wire.OPENAI_RESPONSES else 4

    answer = ask(
        gateway.client(customer),
        surface,
        wanting_usage(surface, model, streamed=streamed, max_tokens=most),
    )

    (record,) = customer.settled(requests=1)
    assert record.usage_source == "counted"
    assert record.output_tokens + record.reasoning_tokens == answer.output_tokens <= true_limit
    assert answer.output_tokens >= most


@on_both_surfaces
def test_counted_output_stays_within_the_models_maximum_when_the_client_set_none(
    gateway, customer, make_model, surface
):
    model = make_model(Host("echo+nousage+stamp", max_output_tokens=5))
    body = wanting_usage(surface, model, streamed=True)
    if surface is Surface.CHAT:
        del body["max_tokens"]
    else:
        body["max_tokens"] = 1000

    ask(gateway.client(customer), surface, body)

    (record,) = customer.settled(requests=1)
    assert record.output_tokens == 5


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_all_choices_are_counted_when_n_is_more_than_one(gateway, customer, make_model, name):
    """``max_tokens`` is for each of them."""
    model = make_model("echo+nousage")
    body = Surface.CHAT.body(model, n=3)
    del body["max_tokens"]

    answer = ask(gateway.client(customer), Surface.CHAT, body | {name: 4})

    (record,) = customer.settled(requests=1)
    assert len(answer.events[0]["choices"]) == 3
    assert record.output_tokens == 3 * 4


@both_ways
def test_reasoning_is_told_apart_when_it_is_counted(gateway, customer, make_model, streamed):
    model = make_model("reasoner+nousage")

    ask(
        gateway.client(customer),
        Surface.CHAT,
        Surface.CHAT.body(model, stream=streamed),
    )

    (record,) = customer.settled(requests=1)
    assert record.output_tokens == 6
    assert record.reasoning_tokens > 20


@both_ways
def test_empty_answer_of_every_host_costs_nothing(gateway, customer, make_model, streamed):
    model = make_model("echo+empty")

    answer = ask(gateway.client(customer), Surface.CHAT, Surface.CHAT.body(model, stream=streamed))

    assert answer.status == 503
    (record,) = customer.settled(requests=1)
    assert (record.charged, record.usage_source) == (0, "none")
