"""An answer without content, a call or a refusal is its host's failure, on every lane, unless its reason to end is an answer."""

from typing import Any

import orjson
import pytest

from apps.catalog.models import Offering
from apps.catalog.providers.spec import Operation, Wire
from apps.inference import runtime
from apps.inference.breaker import LocalBreaker, Rules
from apps.inference.canonical.events import FinishReason
from apps.inference.needs import answers_a_tool
from apps.inference.passing import PassedAnswer
from apps.inference.protocols.anthropic_messages import response as anthropic
from apps.inference.protocols.bedrock_converse import finish as bedrock
from apps.inference.protocols.gemini import finish as gemini
from apps.inference.protocols.openai_chat import response as chat
from apps.inference.protocols.openai_responses import response as responses
from apps.inference.relay import EXPLANATIONS, AnswerShape
from tests.hosting import Host
from tests.protocols.cases import IDENTITY, price

HELLO = [{"role": "user", "content": "Hello there"}]
SURFACES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": HELLO},
    "/v1/messages": {"messages": HELLO, "max_tokens": 100},
    "/v1/responses": {"input": "Hello there"},
}
WIRES = (
    Wire.OPENAI_CHAT,
    Wire.OPENAI_RESPONSES,
    Wire.ANTHROPIC_MESSAGES,
    Wire.GEMINI,
    Wire.BEDROCK_CONVERSE,
)
every_lane = pytest.mark.parametrize("wire", WIRES, ids=str)
every_surface = pytest.mark.parametrize("path", [*SURFACES, "/v1beta"])
both_ways = pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
TABLES = {
    **chat._FINISH,
    **anthropic._FINISH,
    **gemini._FINISH,
    **bedrock._FINISH,
    **responses._INCOMPLETE,
}
PLAIN = (FinishReason.STOP, FinishReason.TOOL_CALLS)


def ask(gateway, customer, path: str, model: str, *, streams: bool) -> Any:
    client = gateway.client(customer)
    if path == "/v1beta":
        method = "streamGenerateContent?alt=sse" if streams else "generateContent"
        contents = {"contents": [{"role": "user", "parts": [{"text": "Hello there"}]}]}
        return client.post(f"/v1beta/models/{model}:{method}", json=contents)
    return client.post(path, json={"model": model, "stream": streams, **SURFACES[path]})


def fault_of(path: str, wire: Wire, streams: bool) -> str:
    """The sandbox's chat completion without content has no choice, which is none to translate; those of other formats but
    Google's say why they ended."""
    if wire not in (Wire.OPENAI_CHAT, Wire.GEMINI):
        return "wordless"
    is_translated = path != "/v1/chat/completions"
    return "malformed" if wire is Wire.OPENAI_CHAT and is_translated and not streams else "empty"


@every_surface
@every_lane
@both_ways
def test_next_host_answers_when_the_first_says_nothing(
    gateway, customer, make_model, path, wire, streams
):
    model = make_model(Host("echo+empty=shell", wire), Host("echo", wire))

    answer = ask(gateway, customer, path, model, streams=streams)

    assert answer.status_code == 200
    assert "You " in answer.text
    (record,) = customer.settled(requests=1)
    assert [attempt["fault"] for attempt in record.attempts] == [fault_of(path, wire, streams), ""]


@every_surface
@every_lane
@both_ways
def test_nothing_is_charged_when_nobody_says_anything(
    gateway, customer, make_model, path, wire, streams
):
    model = make_model(Host("echo+empty=shell", wire))

    answer = ask(gateway, customer, path, model, streams=streams)

    assert answer.status_code == 503
    (record,) = customer.settled(requests=1)
    outcome = "failed" if fault_of(path, wire, streams) == "malformed" else "empty"
    assert (record.outcome, record.charged) == (outcome, 0)
    assert customer.balance.held == 0


@pytest.fixture
def strict_breaker(gateway):
    """One that opens at the first failure."""
    (served,) = runtime._runtimes.values()
    former = served.breaker
    served.breaker = LocalBreaker(
        Rules(failures=1, share=0.5, least=10, window=60.0, cool_down=60.0, successes=1)
    )
    yield
    served.breaker = former


@both_ways
@pytest.mark.parametrize(
    ("told", "is_failure"), [("empty=shell", False), ("empty=shell+nofinish", True)]
)
def test_saying_nothing_is_held_against_the_host_only_without_a_reason_to_end(
    gateway, customer, make_model, strict_breaker, streams, told, is_failure
):
    """The model may have had nothing to say; another host is asked all the same."""
    model = make_model(Host(f"echo+{told}", Wire.ANTHROPIC_MESSAGES), "echo")

    for _ in range(3):
        answer = ask(gateway, customer, "/v1/chat/completions", model, streams=streams)
        assert answer.status_code == 200

    records = sorted(customer.settled(requests=3), key=lambda record: record.created_at)
    asked_first = [len(record.attempts) == 2 for record in records]
    assert asked_first == ([True, False, False] if is_failure else [True] * 3)
    fault = "empty" if is_failure else "wordless"
    assert records[0].attempts[0]["fault"] == fault
    (served,) = runtime._runtimes.values()
    offering = Offering.objects.get(model_id=model, priority=0)
    health = served.health.of(f"{offering.pk}:{offering.upstream_model}")
    assert (health.errors > 0) is is_failure


@pytest.mark.parametrize(
    ("choice", "is_empty"),
    [
        ({"text": "Hi", "finish_reason": "stop"}, False),
        ({"text": "", "finish_reason": "stop"}, True),
        ({"text": "", "finish_reason": "length"}, False),
    ],
)
def test_text_completions_follow_the_same_rule(choice, is_empty):
    shape = AnswerShape(identity=IDENTITY, price=price, include_usage=False)
    relay = PassedAnswer(shape, Operation.COMPLETIONS)

    relay.read(orjson.dumps({"choices": [choice]}), "application/json")

    assert relay.tally.is_empty is is_empty


@pytest.mark.parametrize("word", sorted(TABLES))
def test_words_that_explain_are_those_that_the_codecs_know(word):
    assert (word.lower() in EXPLANATIONS) is (TABLES[word] not in PLAIN)


CALL = {"type": "function", "id": "call_1", "function": {"name": "add", "arguments": "{}"}}
TOOL = {"type": "function", "function": {"name": "add", "parameters": {"type": "object"}}}
AFTER_A_TOOL = {
    "/v1/chat/completions": {
        "tools": [TOOL],
        "messages": [
            {"role": "user", "content": "Add"},
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "call_1", "content": "3"},
        ],
    },
    "/v1/messages": {
        "max_tokens": 100,
        "tools": [{"name": "add", "input_schema": {"type": "object"}}],
        "messages": [
            {"role": "user", "content": "Add"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "add", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "3"}]},
        ],
    },
    "/v1/responses": {
        "store": False,
        "tools": [{"type": "function", "name": "add", "parameters": {"type": "object"}}],
        "input": [
            {"role": "user", "content": "Add"},
            {"type": "function_call", "call_id": "call_1", "name": "add", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "call_1", "output": "3"},
        ],
    },
}  # fmt: skip


@pytest.mark.parametrize("path", AFTER_A_TOOL)
@pytest.mark.parametrize("wire", [Wire.OPENAI_RESPONSES, Wire.ANTHROPIC_MESSAGES], ids=str)
@both_ways
def test_model_may_have_nothing_to_add_to_a_tools_result(
    gateway, customer, make_model, path, wire, streams
):
    body = {"model": make_model(Host("echo+empty=shell", wire)), "stream": streams}

    answer = gateway.client(customer).post(path, json=AFTER_A_TOOL[path] | body)

    assert answer.status_code == 200, answer.text
    assert '"error":{' not in answer.text
    (record,) = customer.settled(requests=1)
    assert (record.outcome, record.charged) == ("completed", record.cost)


STOPPED: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": HELLO, "stop": ["You"]},
    "/v1/messages": {"messages": HELLO, "max_tokens": 100, "stop_sequences": ["You"]},
    "/v1beta": {
        "contents": [{"role": "user", "parts": [{"text": "Hello there"}]}],
        "generationConfig": {"stopSequences": ["You"]},
    },
}


@pytest.mark.parametrize("path", STOPPED)
@pytest.mark.parametrize("wire", [Wire.OPENAI_CHAT, Wire.ANTHROPIC_MESSAGES, Wire.GEMINI], ids=str)
@both_ways
def test_stop_sequence_may_be_the_first_word(gateway, customer, make_model, path, wire, streams):
    model = make_model(Host("echo", wire), Host("echo+status=503", wire))
    client = gateway.client(customer)

    if path == "/v1beta":
        method = "streamGenerateContent?alt=sse" if streams else "generateContent"
        answer = client.post(f"/v1beta/models/{model}:{method}", json=STOPPED[path])
    else:
        answer = client.post(path, json={"model": model, "stream": streams, **STOPPED[path]})

    assert answer.status_code == 200, answer.text
    assert "You said" not in answer.text
    (record,) = customer.settled(requests=1)
    assert [attempt["fault"] for attempt in record.attempts] == [""]
    assert (record.outcome, record.charged) == ("completed", record.cost)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"messages": [{"role": "user", "content": "Hi"}]}, False),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]}, False),
        ({"input": "Hi"}, False),
        ({"messages": []}, False),
        ({}, False),
        ({"contents": [{"role": "user", "parts": [{"functionResponse": {"name": "add"}}]}]}, True),
        ({"messages": [{"role": "function", "name": "add", "content": "3"}]}, True),
    ],
)
def test_only_a_tools_result_lets_a_model_be_silent(body, expected):
    assert answers_a_tool(body) is expected
