"""Answers that no sandbox would give: wrong types, broken text, endless nesting. None may cost the client or stop failover."""

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from apps.catalog.providers.spec import Operation, Wire
from apps.catalog.services import offers, providers
from apps.inference.canonical.failures import MalformedUpstream
from apps.inference.passing import PassingLane
from apps.inference.relay import AnswerShape
from apps.inference.verbatim import VerbatimLane
from tests.gateway import Gateway
from tests.hosting import publish
from tests.protocols.cases import IDENTITY, price
from tests.surfaces import read_events, texts_of

HELLO = [{"role": "user", "content": "Hello"}]
USAGE = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}


def whole(**changes: object) -> bytes:
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": "Fine."},
        "finish_reason": "stop",
    }
    return json.dumps(
        {"id": "x", "model": "m", "choices": [{**choice, **changes}], "usage": USAGE}
    ).encode()


def chunk(text: str | None, *, index: int = 0, finish: str | None = None) -> bytes:
    delta = {"content": text} if text else {}
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    return b"data: " + json.dumps({"id": "x", "model": "m", "choices": [choice]}).encode() + b"\n\n"


NESTED = b"[" * 300 + b"]" * 300
ODD_WHOLE = {
    "nested": whole()[:-1] + b',"more":' + NESTED + b"}",
    "endless": b"[" * 5000,
}
ODD_STREAMS = {
    "bad-utf8": b'data: {"id":"x","choices":[{"index":0,"delta":{"content":"\xff\xfe"}}]}\n\n',
    "endless": b'data: {"id":"x","choices":' + b"[" * 5000 + b"\n\n",
    "infinite": b'data: {"id":"x","choices":[],"usage":{"prompt_tokens":1e999}}\n\n',
}
HALF_CALL = {"id": "1", "function": {"name": "weather", "arguments": '{"city":"Pa'}}
CALLING = {"role": "assistant", "content": None, "tool_calls": [HALF_CALL]}
INCOMPLETE = {
    "no-reason": whole(finish_reason=None),
    "empty-reason": whole(finish_reason=""),
    "half-call": whole(message=CALLING, finish_reason="tool_calls"),
}


def bent(**delta: object) -> bytes:
    """A stream that says a word, then something of a wrong type, and ends as usual."""
    odd = {"id": "x", "model": "m", "choices": [{"index": 0, "delta": delta}]}
    return (
        chunk("You ") + b"data: " + json.dumps(odd).encode() + b"\n\n" + chunk(None, finish="stop")
    )


WRONG: dict[str, dict[str, object]] = {
    "number": {"content": 5},
    "false": {"content": False},
    "object": {"content": {"a": 1}},
    "no-part": {"content": [5]},
    "refusal": {"refusal": ["No."]},
    "called-number": {"tool_calls": [{"index": 0, "id": "1", "function": {"name": 7}}]},
}
"""What is no text where clients join texts; in a stream, and in a whole answer."""
BENT_STREAMS = {f"bent-{name}": bent(**delta) for name, delta in WRONG.items()}
LATE = {f"late-{name}": body for name, body in BENT_STREAMS.items()}
"""Streams whose first word arrives before the rest."""
BENT_WHOLE = {
    f"bent-{name}": whole(message={"role": "assistant", "content": None, **message})
    for name, message in WRONG.items()
}
ANSWERS = {
    "limited-call": whole(message=CALLING, finish_reason="length"),
    "half-call-stream": b"data: "
    + json.dumps({"id": "x", "model": "m", "choices": [{"index": 0, "delta": CALLING}]}).encode()
    + b"\n\n"
    + chunk(None, finish="tool_calls")
    + b"data: [DONE]\n\n",
    "finish-number": whole(finish_reason=7),
    "finish-true": whole(finish_reason=True),
    "finish-object": whole(finish_reason={"why": "because"}),
    "finish-nul": whole(finish_reason="st\x00op"),
    "two-one-cut": chunk("a") + chunk("b", index=1) + chunk(None, finish="stop"),
    "halves": chunk("a\ud83c")
    + chunk("\udf89b")
    + chunk(None, finish="stop")
    + b"data: [DONE]\n\n",
    "spaced": b'data: {"id" : "UPID", "model" : "UPMODEL", "choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n'
    + chunk(None, finish="stop")
    + b"data: [DONE]\n\n",
    "lone-half": whole(message={"role": "assistant", "content": "a\ud83c"}),
    "long-integer": whole()[:-1] + b',"more":[-%d]}' % 10**40,
    **{f"whole-{name}": body for name, body in (ODD_WHOLE | INCOMPLETE).items()},
    **{f"whole-{name}": body for name, body in BENT_WHOLE.items()},
    **LATE,
    **{f"stream-{name}": body for name, body in (ODD_STREAMS | BENT_STREAMS).items()},
}


class Canned(BaseHTTPRequestHandler):
    """Answers every POST with the bytes that its model names."""

    seen = b""
    """The body of the last request."""

    def do_POST(self) -> None:
        Canned.seen = self.rfile.read(int(self.headers["content-length"]))
        asked = json.loads(Canned.seen)
        body = ANSWERS[asked["model"]]
        self.send_response(200)
        kind = "text/event-stream" if asked.get("stream") else "application/json"
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if asked["model"] in LATE:
            first, separator, body = body.partition(b"\n\n")
            self.wfile.write(first + separator)
            time.sleep(0.2)
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Silent."""


@pytest.fixture(scope="module")
def canned(running_gateway: Gateway, django_db_blocker) -> Iterator[None]:
    """Models ``odd/<name>``, at the canned host first and at the sandbox second when the name is a failure."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Canned)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with django_db_blocker.unblock():
        for name in ANSWERS:
            add(
                "canned",
                name,
                f"http://127.0.0.1:{server.server_port}/v1",
                upstream=name,
                priority=1,
            )
        for name in (name for name in ANSWERS if name.startswith(("whole-", "stream-", "late-"))):
            add(
                "healthy",
                name,
                f"{running_gateway.sandbox.base_url}/v1",
                upstream="echo",
                priority=2,
            )
        publish()
    yield
    server.shutdown()
    server.server_close()


def add(slug: str, name: str, base_url: str, *, upstream: str, priority: int) -> None:
    offering = providers.add_provider(
        slug,
        model=f"odd/{name}",
        amounts=offers.Amounts.of(input=10**9, output=2 * 10**9),
        base_url=base_url,
        wire="openai_chat",
        upstream_model=upstream,
        priority=priority,
    )
    if not offering.provider.api_key_ciphertext:
        providers.set_api_key(offering.provider, "a-key")


@pytest.mark.parametrize("name", ["finish-number", "finish-true", "finish-object", "finish-nul"])
def test_answer_is_settled_when_its_finish_reason_has_an_odd_type(gateway, customer, canned, name):
    body = {"model": f"odd/{name}", "messages": HELLO}

    response = gateway.client(customer).post("/v1/chat/completions", json=body)

    assert response.status_code == 200
    (record,) = customer.settled(requests=1)
    assert (record.outcome, record.charged) == ("completed", 3 * 1_000 + 4 * 2_000)
    assert customer.balance.held == 0


@pytest.mark.parametrize("name", [f"whole-{name}" for name in ODD_WHOLE | BENT_WHOLE])
def test_next_host_answers_when_a_whole_answer_cannot_be_read(gateway, customer, canned, name):
    body = {"model": f"odd/{name}", "messages": HELLO}

    response = gateway.client(customer).post("/v1/chat/completions", json=body)

    assert response.status_code == 200
    assert response.headers["x-gatewayz-provider"] == "healthy"


TRANSLATED: dict[str, Any] = {
    "/v1/messages": {"messages": HELLO, "max_tokens": 100},
    "/v1beta/models/{model}:generateContent": {
        "contents": [{"role": "user", "parts": [{"text": "Hello"}]}]
    },
}


@pytest.mark.parametrize("name", ["whole-no-reason", "whole-empty-reason"])
def test_whole_answer_that_does_not_say_why_it_ended_is_cut_as_a_stream_is(
    gateway, customer, canned, name
):
    body = {"model": f"odd/{name}", "messages": HELLO}

    response = gateway.client(customer).post("/v1/chat/completions", json=body)

    assert response.headers["x-gatewayz-provider"] == "healthy"
    (record,) = customer.settled(requests=1)
    assert [attempt["fault"] for attempt in record.attempts] == ["malformed", ""]


@pytest.mark.parametrize("path", TRANSLATED)
@pytest.mark.parametrize("name", [f"whole-{name}" for name in INCOMPLETE])
def test_incomplete_answer_never_looks_whole_in_another_format(
    gateway, customer, canned, path, name
):
    model = f"odd/{name}"

    response = gateway.client(customer).post(
        path.format(model=model), json=TRANSLATED[path] | {"model": model}
    )

    assert response.status_code == 200, response.text
    assert response.headers["x-gatewayz-provider"] == "healthy"
    (record,) = customer.settled(requests=1)
    assert [attempt["fault"] for attempt in record.attempts] == ["malformed", ""]


@pytest.mark.parametrize("path", TRANSLATED)
def test_call_that_a_limit_cut_off_is_left_out_where_arguments_are_an_object(
    gateway, customer, canned, path
):
    body = TRANSLATED[path] | {"model": "odd/limited-call"}

    response = gateway.client(customer).post(path.format(model="odd/limited-call"), json=body)

    assert response.status_code == 200
    assert "weather" not in response.text
    assert "max_tokens" in response.text.lower()
    (record,) = customer.settled(requests=1)
    assert record.charged == record.cost > 0


def test_half_a_call_is_never_streamed_as_a_call_without_arguments(gateway, customer, canned):
    path = "/v1beta/models/odd/half-call-stream:streamGenerateContent?alt=sse"

    response = gateway.client(customer).post(
        path, json=TRANSLATED["/v1beta/models/{model}:generateContent"]
    )

    assert "functionCall" not in response.text
    assert '"error"' in response.text
    (record,) = customer.settled(requests=1)
    assert record.charged == 0


@pytest.mark.parametrize("name", [f"stream-{name}" for name in ODD_STREAMS | BENT_STREAMS])
def test_next_host_answers_when_a_stream_cannot_be_read(gateway, customer, canned, name):
    body = {"model": f"odd/{name}", "messages": HELLO, "stream": True}

    response = gateway.client(customer).post("/v1/chat/completions", json=body)

    assert response.status_code == 200
    assert response.headers["x-gatewayz-provider"] == "healthy"
    assert response.text.endswith("data: [DONE]\n\n")


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
@pytest.mark.parametrize("name", LATE)
def test_next_host_goes_on_when_a_later_chunk_holds_something_of_a_wrong_type(
    gateway, customer, canned, name, path
):
    body = {"model": f"odd/{name}", "messages": HELLO, "stream": True, "max_tokens": 50}

    response = gateway.client(customer).post(path, json=body)

    (record,) = customer.settled(requests=1)
    assert [attempt["fault"] for attempt in record.attempts] == ["malformed", ""]
    assert record.outcome == "completed"
    events, _ = read_events(response.content)
    assert "".join(text for event in events for text in texts_of(event)) == "You said: Hello"


@pytest.mark.parametrize("name", LATE)
def test_stream_ends_in_a_providers_error_when_nobody_else_is_asked(
    gateway, customer, canned, name
):
    body = {"model": f"odd/{name}", "messages": HELLO, "stream": True, "recover": "off"}

    response = gateway.client(customer).post("/v1/chat/completions", json=body)

    events, is_done = read_events(response.content)
    assert (events[-1]["error"]["code"], is_done) == ("upstream_error", False)
    assert [text for event in events for text in texts_of(event)] == ["You "]
    (record,) = customer.settled(requests=1)
    assert (record.outcome, record.charged) == ("interrupted", 0)


GEMINI_CHUNK = b'{"candidates":[{"content":{"parts":[{"text":5}]},"finishReason":"STOP"}]}'
RESPONSES_DELTA = b'{"type":"response.output_text.delta","delta":{"a":1}}'
RESPONSE = b'{"status":"completed","output":[{"type":"message","content":[{"text":5}]}]}'
MESSAGE = b'{"stop_reason":"end_turn","content":[{"type":"text","text":5}]}'


@pytest.mark.parametrize(
    ("wire", "body", "streams"),
    [
        (Wire.GEMINI, GEMINI_CHUNK, True),
        (Wire.GEMINI, GEMINI_CHUNK, False),
        (Wire.OPENAI_RESPONSES, RESPONSES_DELTA, True),
        (Wire.OPENAI_RESPONSES, RESPONSE, False),
        (Wire.ANTHROPIC_MESSAGES, MESSAGE, False),
    ],
)
def test_what_is_no_text_is_malformed_in_every_format_that_is_passed_on(wire, body, streams):
    lane = VerbatimLane(wire, {})
    shape = AnswerShape(identity=IDENTITY, price=price, include_usage=False)

    with pytest.raises(MalformedUpstream, match="in the place of a text"):
        if streams:
            lane.stream(shape).feed(b"data: " + body + b"\n\n")
        else:
            lane.answer(shape).read(body, "application/json")


def test_text_completion_that_is_no_text_is_malformed():
    shape = AnswerShape(identity=IDENTITY, price=price, include_usage=False)
    choice = {"index": 0, "text": 5, "finish_reason": "stop"}
    body = json.dumps({"choices": [choice]}).encode()
    lane = PassingLane(Operation.COMPLETIONS, {})

    with pytest.raises(MalformedUpstream):
        lane.answer(shape).read(body, "application/json")
    with pytest.raises(MalformedUpstream):
        lane.stream(shape).feed(b"data: " + body + b"\n\n")


def test_stream_ends_in_error_when_one_of_several_answers_is_cut(gateway, customer, canned):
    body = {"model": "odd/two-one-cut", "messages": HELLO, "stream": True, "n": 2}

    response = gateway.client(customer).post("/v1/chat/completions", json=body)

    assert "[DONE]" not in response.text
    assert '"error"' in response.text
    (record,) = customer.settled(requests=1)
    assert (record.outcome, record.charged) == ("interrupted", 0)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", {"messages": HELLO, "stream": True}),
        ("/v1/messages", {"messages": HELLO, "stream": True, "max_tokens": 9}),
        ("/v1/responses", {"input": "Hello", "stream": True}),
    ],
    ids=["chat", "messages", "responses"],
)
def test_character_is_whole_when_the_host_cut_it_in_two(gateway, customer, canned, path, body):
    response = gateway.client(customer).post(path, json=body | {"model": "odd/halves"})

    assert response.status_code == 200
    assert any(spelling in response.text for spelling in ("a🎉", r"a\ud83c\udf89"))
    (record,) = customer.settled(requests=1)
    assert record.outcome == "completed"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", {"messages": HELLO}),
        ("/v1/messages", {"messages": HELLO, "max_tokens": 9}),
        ("/v1/responses", {"input": "Hello"}),
    ],
    ids=["chat", "messages", "responses"],
)
def test_half_a_character_is_marked_when_a_whole_answer_holds_one(
    gateway, customer, canned, path, body
):
    response = gateway.client(customer).post(path, json=body | {"model": "odd/lone-half"})

    assert response.status_code == 200
    assert "a\ufffd" in str(response.json())
    (record,) = customer.settled(requests=1)
    assert record.outcome == "completed"


def test_upstream_names_stay_hidden_when_they_are_spelled_with_spaces(gateway, customer, canned):
    body = {"model": "odd/spaced", "messages": HELLO, "stream": True}

    response = gateway.client(customer).post("/v1/chat/completions", json=body)

    assert "UPID" not in response.text
    assert "UPMODEL" not in response.text
    assert "Hi" in response.text


@pytest.mark.parametrize(
    "tail",
    [
        b'"zzz":1e400',
        b'"seed":' + b"9" * 400,
        b'"zzz":"\xff\xfe"',
        b'"zzz":' + NESTED,
        b'"tools":[{"type":"function","function":{"name":"f","parameters":{"a":' + NESTED + b"}}}]",
    ],
    ids=["infinite", "huge", "bad-utf8", "nested", "nested-tool"],
)
def test_body_that_could_not_be_sent_on_is_a_400(gateway, customer, tail):
    raw = b'{"model":"sandbox/echo","messages":[{"role":"user","content":"Hello"}],' + tail + b"}"

    response = gateway.client(customer).post("/v1/chat/completions", content=raw)

    assert response.status_code == 400
    assert response.json()["error"]["code"] in {"invalid_json", "invalid_value"}
    assert customer.balance.held == 0
    assert customer.records() == []


def test_request_is_settled_when_the_model_name_holds_nul(gateway, customer):
    body = {"model": "sandbox/echo+\x00", "messages": HELLO}

    gateway.client(customer).post("/v1/chat/completions", json=body)

    (record,) = customer.settled(requests=1)
    assert (record.outcome, record.charged) == ("failed", 0)


def test_integer_travels_unaltered_both_ways_when_64_bits_cannot_hold_it(gateway, customer, canned):
    body = {
        "model": "odd/long-integer",
        "messages": [{**HELLO[0], "unknown": 10**30 + 1}],
        "tools": [{"type": "new", "new": {"maximum": -(2**63) - 1, "minimum": 2**64 - 1}}],
    }

    response = gateway.client(customer).post("/v1/chat/completions", json=body)

    assert response.json()["more"] == [-(10**40)]
    sent = json.loads(Canned.seen)
    assert (sent["messages"], sent["tools"]) == (body["messages"], body["tools"])
