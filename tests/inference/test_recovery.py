"""Recovery: a host fails in the middle of its stream, and the client gets the rest from another, or the truth."""

from typing import Any

import orjson
import pytest

from apps.billing.models import Hold
from apps.catalog.providers.spec import Wire
from tests.hosting import COMPANIES, Host, seconds, slug_of
from tests.surfaces import LANES, SURFACES, Surface, ask, check_error, name_lane

TEXT = "Hello there, how are you doing on this fine day?"
WHOLE = f"You said: {TEXT}"
BREAKS = {
    "cut": ("cut=3", "cut"),
    "stalled": ("stall=3", "stalled"),
    "error in the stream": ("midstream_error=3", "error_in_body"),
    "malformed": ("malformed=3", "malformed"),
    "ended without a reason": ("nofinish", "cut"),
}
PAIRS = [(*lane, wire) for lane in LANES for wire in COMPANIES]


def broken(told: str = "cut=3", wire: Wire = Wire.OPENAI_CHAT) -> Host:
    """It says part of its answer; the lull lets that reach the client."""
    return Host(f"echo+{told}+chunks=6+lull=200", wire, seconds=seconds(idle=1))


def name_pair(pair: tuple[Surface, Wire, Wire]) -> str:
    return f"{name_lane(pair[:2])}-then-{pair[2].value}"


def note_of(answer: Any) -> dict[str, Any]:
    """Who went on with the answer, which its last record says."""
    found: dict[str, Any] = answer.events[-1]["gatewayz"]
    return found


@pytest.mark.parametrize("pair", PAIRS, ids=name_pair)
def test_client_gets_the_whole_answer_once_when_another_host_says_the_same(
    gateway, customer, make_model, upstream, pair
):
    surface, first, second = pair
    model = make_model(broken(wire=first), Host("echo", second, input_usd="5", output_usd="7"))

    answer = ask(gateway.client(customer), surface, surface.body(model, TEXT, stream=True))

    assert (answer.status, answer.text, answer.error) == (200, WHOLE, None)
    assert answer.is_finished
    assert note_of(answer) == {"recovered": "match", "provider": slug_of(1, second)}
    (record,) = customer.settled(requests=1)
    assert (record.outcome, record.provider, record.error_code) == (
        "completed",
        slug_of(1, second),
        "",
    )
    assert [attempt["fault"] for attempt in record.attempts] == ["cut", ""]
    assert record.charged == record.cost == record.input_tokens * 5000 + record.output_tokens * 7000
    assert customer.balance.total == 10**10 - record.charged
    assert customer.balance.held == 0


@pytest.mark.parametrize(("told", "fault"), BREAKS.values(), ids=BREAKS.keys())
@pytest.mark.parametrize("surface", SURFACES, ids=str)
def test_answer_is_whole_whatever_breaks_it(gateway, customer, make_model, surface, told, fault):
    model = make_model(broken(told), "echo")

    answer = ask(gateway.client(customer), surface, surface.body(model, TEXT, stream=True))

    assert (answer.text, answer.is_finished, answer.error) == (WHOLE, True, None)
    (record,) = customer.settled(requests=1)
    assert [attempt["fault"] for attempt in record.attempts] == [fault, ""]


@pytest.mark.parametrize("lane", LANES, ids=name_lane)
def test_end_marker_in_the_middle_ends_nothing(gateway, customer, make_model, lane):
    surface, wire = lane
    model = make_model(broken("marker=3", wire), "echo")

    answer = ask(gateway.client(customer), surface, surface.body(model, TEXT, stream=True))

    assert (answer.text, answer.is_finished, answer.error) == (WHOLE, True, None)
    (record,) = customer.settled(requests=1)
    assert [attempt["fault"] for attempt in record.attempts] == ["cut", ""]


WEATHER: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city", "days"],
}
TOOLS: dict[Surface, dict[str, Any]] = {
    Surface.CHAT: {"type": "function", "function": {"name": "weather", "parameters": WEATHER}},
    Surface.MESSAGES: {"name": "weather", "input_schema": WEATHER},
}


SAYS_SO_FIRST = (Wire.ANTHROPIC_MESSAGES, Wire.BEDROCK_CONVERSE)
"""Wires on which the sandbox says that it will call, in six chunks, before it does."""


def arguments_in(answer: Any) -> str:
    """Of the one call in a stream."""
    written = ""
    for event in answer.events:
        written += event.get("delta", {}).get("partial_json", "")
        for choice in event.get("choices", ()):
            for call in choice["delta"].get("tool_calls", ()):
                written += call["function"]["arguments"]
    return written


@pytest.mark.parametrize("lane", LANES, ids=name_lane)
def test_end_marker_in_the_middle_of_a_call_ends_nothing(gateway, customer, make_model, lane):
    surface, wire = lane
    client = gateway.client(customer)
    body = {"stream": True, "tools": [TOOLS[surface]]}
    text = "Ask weather"
    whole = ask(client, surface, surface.body(make_model("echo"), text, **body))
    told = f"marker={8 if wire in SAYS_SO_FIRST else 2}"
    # Hosts of one wire write their arguments with the same spaces.
    model = make_model(broken(told, wire), Host("echo", wire))

    answer = ask(client, surface, surface.body(model, text, **body))

    assert (answer.is_finished, answer.error) == (True, None)
    assert orjson.loads(arguments_in(answer)) == orjson.loads(arguments_in(whole))


@pytest.mark.parametrize("surface", SURFACES, ids=str)
def test_answer_ends_with_an_error_when_the_other_host_says_something_else(
    gateway, customer, make_model, surface
):
    model = make_model(broken(), "long")
    before = customer.balance.total

    answer = ask(gateway.client(customer), surface, surface.body(model, TEXT, stream=True))

    assert WHOLE.startswith(answer.text)
    assert 0 < len(answer.text) < len(WHOLE)
    assert not answer.is_finished
    assert check_error(answer, surface)["code"] == "upstream_error"
    (record,) = customer.settled(requests=1)
    assert (record.outcome, record.charged) == ("interrupted", 0)
    assert [attempt["fault"] for attempt in record.attempts] == ["cut", "diverged"]
    assert customer.balance.total == before
    assert not Hold.objects.filter(organization_id=customer.organization_id).exists()


def test_silent_host_is_not_waited_for_as_the_last_while_another_is_left(
    gateway, customer, make_model
):
    silent = Host("echo+hang", seconds=seconds(first_content=0.3, first_content_last=20))
    model = make_model(broken(), silent, "echo")

    answer = ask(gateway.client(customer), Surface.CHAT, body_of(model))

    assert (answer.text, answer.is_finished) == (WHOLE, True)
    (record,) = customer.settled(requests=1)
    assert [attempt["fault"] for attempt in record.attempts] == ["cut", "timeout", ""]
    assert 300 <= record.attempts[1]["ms"] < 5000


def test_last_host_is_waited_for_longer(gateway, customer, make_model):
    slow = Host("echo+ttft=600", seconds=seconds(first_content=0.2, first_content_last=20))
    model = make_model(broken(), slow)

    answer = ask(gateway.client(customer), Surface.CHAT, body_of(model))

    assert (answer.text, answer.is_finished) == (WHOLE, True)


def test_host_that_repeats_what_the_client_has_for_long_is_not_stalled(
    gateway, customer, make_model
):
    slow = Host("echo+chunks=6+interval=250", seconds=seconds(idle=0.5))
    model = make_model(broken("cut=5"), slow)

    answer = ask(gateway.client(customer), Surface.CHAT, body_of(model))

    assert (answer.text, answer.is_finished) == (WHOLE, True)
    assert note_of(answer)["provider"] == slug_of(1)


def test_third_host_is_asked_when_the_second_fails_or_differs(gateway, customer, make_model):
    model = make_model(broken(), "echo+status=503", "long", "echo")

    answer = ask(gateway.client(customer), Surface.CHAT, body_of(model))

    assert (answer.text, answer.is_finished) == (WHOLE, True)
    (record,) = customer.settled(requests=1)
    assert [attempt["fault"] for attempt in record.attempts] == ["cut", "status", "diverged", ""]
    assert record.provider == slug_of(3)


def test_answer_is_recovered_once_only(gateway, customer, make_model):
    model = make_model(broken(), broken("cut=5"), "echo")

    answer = ask(gateway.client(customer), Surface.CHAT, body_of(model))

    assert answer.error
    assert not answer.is_finished
    assert len(answer.text) > len(WHOLE) // 2
    (record,) = customer.settled(requests=1)
    assert (record.outcome, record.charged) == ("interrupted", 0)
    assert [attempt["fault"] for attempt in record.attempts] == ["cut", "cut"]


def body_of(model: str, **fields: Any) -> dict[str, Any]:
    return Surface.CHAT.body(model, TEXT, stream=True, **fields)


@pytest.mark.parametrize(
    "fields", [{"recover": "off"}, {"logprobs": True}, {"n": 2}], ids=lambda f: next(iter(f))
)
def test_nobody_else_is_asked_when_the_rest_would_not_be_the_same(
    gateway, customer, make_model, upstream, fields
):
    model = make_model(broken(), "echo")

    answer = ask(gateway.client(customer), Surface.CHAT, body_of(model, **fields))

    assert answer.error
    assert not answer.is_finished
    assert "echo" not in upstream.stats()["by_model"]


def test_key_says_what_is_done_unless_the_request_does(gateway, make_customer, make_model):
    client = gateway.client(make_customer(recover="off"))
    model = make_model(broken(), "echo")

    without = ask(client, Surface.CHAT, body_of(model))
    asked = ask(client, Surface.CHAT, body_of(model, recover="match"))

    assert (without.is_finished, asked.is_finished) == (False, True)


def test_wrong_word_is_refused_by_name(gateway, customer, make_model):
    answer = ask(
        gateway.client(customer), Surface.CHAT, body_of(make_model("echo"), recover="maybe")
    )

    assert (answer.status, check_error(answer, Surface.CHAT)["param"]) == (400, "recover")


@pytest.mark.parametrize("pair", PAIRS, ids=name_pair)
def test_host_goes_on_from_what_the_client_has_when_it_can_and_may(
    gateway, customer, make_model, pair
):
    surface, first, second = pair
    model = make_model(broken(wire=first), Host("echo", second, prefill="*"))

    body = surface.body(model, TEXT, stream=True, recover="continue")
    answer = ask(gateway.client(customer), surface, body)

    assert (answer.text, answer.is_finished, answer.error) == (WHOLE, True, None)
    assert note_of(answer) == {"recovered": "continue", "provider": slug_of(1, second)}
    ask(gateway.client(customer), surface, surface.body(make_model(Host("echo", second)), TEXT))
    recovered, whole = sorted(customer.settled(requests=2), key=lambda record: record.created_at)
    # The parts of a text have a few tokens more than the whole.
    assert whole.output_tokens <= recovered.output_tokens <= whole.output_tokens + 3
    assert recovered.input_tokens == pytest.approx(whole.input_tokens, abs=3)


def test_whole_answer_is_asked_for_when_the_host_refuses_a_beginning(gateway, customer, make_model):
    model = make_model(broken(), Host("echo+noprefill", prefill="*"))

    answer = ask(gateway.client(customer), Surface.CHAT, body_of(model, recover="continue"))

    assert (answer.text, answer.is_finished) == (WHOLE, True)
    assert note_of(answer)["recovered"] == "match"
    (record,) = customer.settled(requests=1)
    assert [attempt["fault"] for attempt in record.attempts] == ["cut", "rejected", ""]


def test_beginning_is_given_to_no_host_that_is_not_known_to_take_it(gateway, customer, make_model):
    model = make_model(broken(wire=Wire.GEMINI), Host("echo", Wire.ANTHROPIC_MESSAGES))

    answer = ask(gateway.client(customer), Surface.CHAT, body_of(model, recover="continue"))

    assert (answer.text, note_of(answer)["recovered"]) == (WHOLE, "match")


SAID = [{"role": "user", "content": TEXT}]
GOES_ON = Host("long+words=60", prefill="*")
LIMITED: dict[str, tuple[str, dict[str, Any], str]] = {
    "chat": ("/v1/chat/completions", {"messages": SAID}, "max_tokens"),
    "chat, newer": ("/v1/chat/completions", {"messages": SAID}, "max_completion_tokens"),
    "messages": ("/v1/messages", {"messages": SAID}, "max_tokens"),
    "responses": ("/v1/responses", {"input": TEXT}, "max_output_tokens"),
    "gemini": (
        "/v1beta/models/{model}:streamGenerateContent?alt=sse",
        {"contents": [{"role": "user", "parts": [{"text": TEXT}]}]},
        "maxOutputTokens",
    ),
}
STOPPED = {"chat": "stop", "messages": "stop_sequences", "gemini": "stopSequences"}


def half(words: int) -> Host:
    """Five tokens, as the gateway and the sandbox count them, and then no more. Not the same one for all: it would ail."""
    return Host(f"long+words={words}+text=10+cut=2+lull=200")


def ask_for_few(gateway: Any, customer: Any, model: str, form: str, most: int, **more: Any) -> str:
    path, body, field = LIMITED[form]
    limits = {field: most} | more
    if form == "gemini":
        said = body | {"generationConfig": limits, "recover": "continue"}
    else:
        said = body | limits | {"model": model, "stream": True, "recover": "continue"}
    response = gateway.client(customer).post(path.format(model=model), json=said)
    assert response.status_code == 200, response.text
    return str(response.text)


@pytest.mark.parametrize("form", LIMITED)
def test_host_that_goes_on_is_asked_for_what_the_limit_leaves(
    gateway, customer, make_model, upstream, form
):
    written = ask_for_few(gateway, customer, make_model(half(60), GOES_ON), form, 12)

    assert '"recovered":"continue"' in written
    (record,) = customer.settled(requests=1)
    assert record.output_tokens == 12
    asked = upstream.stats()["last_request"]["body"]
    assert [asked[name] for name in asked if name.startswith("max_")] == [7]


@pytest.mark.parametrize("form", LIMITED)
def test_whole_answer_is_asked_for_when_the_limit_leaves_nothing(
    gateway, customer, make_model, form
):
    written = ask_for_few(gateway, customer, make_model(half(61), GOES_ON), form, 5)

    assert '"recovered":"match"' in written
    (record,) = customer.settled(requests=1)
    assert record.output_tokens == 5


@pytest.mark.parametrize(("form", "field"), STOPPED.items())
def test_whole_answer_is_asked_for_when_a_stop_sequence_may_lie_across_the_seam(
    gateway, customer, make_model, form, field
):
    model = make_model(half(62), GOES_ON)

    # The first host was cut after "word3 wo".
    written = ask_for_few(gateway, customer, model, form, 100, **{field: ["word4"]})

    assert '"recovered":"match"' in written
    (record,) = customer.settled(requests=1)
    assert record.output_tokens == 5


@pytest.mark.parametrize("told", ["status=500", "status=502", "reset"])
@pytest.mark.parametrize("recover", ["match", "continue"])
def test_next_host_is_asked_again_when_it_fails_once(gateway, customer, make_model, told, recover):
    model = make_model(broken(), Host(f"echo+{told}+first=1", prefill="*"))

    answer = ask(gateway.client(customer), Surface.CHAT, body_of(model, recover=recover))

    assert (answer.text, answer.is_finished) == (WHOLE, True)
    assert note_of(answer)["recovered"] == recover
    (record,) = customer.settled(requests=1)
    fault = "connection" if told == "reset" else "status"
    assert [attempt["fault"] for attempt in record.attempts] == ["cut", fault, ""]


def test_next_host_is_asked_again_once_only(gateway, customer, make_model):
    model = make_model(broken(), "echo+status=500", "echo")

    answer = ask(gateway.client(customer), Surface.CHAT, body_of(model))

    assert (answer.text, answer.is_finished) == (WHOLE, True)
    (record,) = customer.settled(requests=1)
    assert [attempt["fault"] for attempt in record.attempts] == ["cut", "status", "status", ""]
