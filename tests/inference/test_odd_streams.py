"""Streams that are almost OpenAI's: text in other places, tool calls without a proper index, content after the end."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import openai
import pytest

from apps.catalog.services import offers, providers
from tests.gateway import Gateway
from tests.hosting import publish

HELLO: list[Any] = [{"role": "user", "content": "Hello"}]
DONE = b"data: [DONE]\n\n"
SURFACES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": HELLO},
    "/v1/messages": {"messages": HELLO, "max_tokens": 9},
    "/v1/responses": {"input": "Hello"},
}
every_surface = pytest.mark.parametrize("path", SURFACES)


USUAL = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m"}


def record(**chunk: Any) -> bytes:
    return b"data: " + json.dumps({**USUAL, **chunk}).encode() + b"\n\n"


def choice(finish: str | None = None, **fields: Any) -> bytes:
    return record(choices=[{"index": 0, **fields, "finish_reason": finish}])


def call(index: int | None, call_id: str = "", name: str = "", arguments: Any = "") -> bytes:
    function = {"name": name, "arguments": arguments} if name else {"arguments": arguments}
    fragment: dict[str, Any] = {"type": "function", "function": function}
    fragment |= {} if index is None else {"index": index}
    fragment |= {"id": call_id} if call_id else {}
    return choice(delta={"tool_calls": [fragment]})


STOP = choice("stop", delta={})
USAGE = {"prompt_tokens": 3, "completion_tokens": 4, "total_tokens": 7}
METERS = record(choices=[], usage=USAGE)
TEXTS = {
    "text": choice(text="Good ") + choice(text="day") + choice("stop", text=""),
    "message": choice(message={"role": "assistant", "content": "Good "})
    + choice("stop", message={"content": "day"}),
    "output-list": record(output=[{"content": [{"text": "Good "}]}])
    + record(output=[{"type": "message", "content": [{"type": "output_text", "text": "day"}]}]),
    "output-object": record(output={"text": "Good ", "finish_reason": "null"})
    + record(output={"text": "day", "finish_reason": "stop"}, usage={"input_tokens": 3, "output_tokens": 4}),
    "output-choices": record(output={"choices": [{"message": {"content": "Good day"}, "finish_reason": "stop"}]}),
    "repeated-text": choice(delta={"content": "Good "}, text="Good ") + choice(delta={"content": "day"}, text="day") + STOP,
    "repeated-message": choice(delta={"content": "Good "}) + choice(delta={"content": "day"})
    + choice("stop", message={"content": "Good day"}),
    "parts": choice(delta={"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}]})
    + choice(delta={"content": [{"type": "text", "text": "Good "}, {"type": "text", "text": "day"}]}) + STOP,
    "unnumbered": record(choices=[{"index": None, "delta": {"content": "Good "}, "finish_reason": None}])
    + record(choices=[{"index": None, "delta": {"content": "day"}, "finish_reason": None}])
    + record(choices=[{"index": None, "delta": {}, "finish_reason": "stop"}]),
    "no-reason": choice(delta={"content": "Good "}) + choice(delta={"content": "day"}) + METERS,
    "reopened": choice(delta={"content": "Good day"}) + STOP
    + record(choices=[{"index": 0, "delta": {"content": ""}, "finish_reason": None}], usage=USAGE),
    "cut-usage": choice(delta={"content": "Good day"}) + STOP + METERS[:60],
    "after-the-end": choice(delta={"content": "Good day"}) + STOP + DONE + choice(delta={"content": " and more"}),
}  # fmt: skip
CALLS = {
    "no-index": call(None, "a", "f") + call(None, "", "", "{}") + call(None, "b", "g", "{}"),
    "second-first": call(1, "a", "f", "{}") + call(0, "b", "g", "{}"),
    "one-index": call(0, "a", "f", "{}") + call(0, "b", "g", "{}"),
    "repeated-names": call(0, "a", "f", "{") + call(0, "a", "f", "}") + call(1, "b", "g", "{}"),
    "objects": call(0, "a", "f", {}) + call(1, "b", "g", {}),
    "no-ids": call(0, "", "f", "{}") + call(1, "", "g", "{}"),
    "right": call(0, "a", "f", "{") + call(0, "", "", "}") + call(1, "b", "g", "{}"),
}
EMPTY = {
    "stop": STOP,
    "empty-text": choice(delta={"role": "assistant", "content": ""}) + STOP,
}
LOST_ENDS = ("reopened", "cut-usage")
CUT = {
    "no-meters": choice(delta={"content": "Good day"}),
    "meters-everywhere": record(choices=[{"index": 0, "delta": {"content": "Good day"}}], usage=USAGE),
}  # fmt: skip
TWO = choice(delta={"content": "Good day"}) + record(
    choices=[{"index": 1, "delta": {"content": "Good"}, "finish_reason": None}]
)
HALF = {"half": TWO + STOP, "half-with-meters": TWO + STOP + METERS}
"""Streams of two answers, of which one alone says why it ended."""
GIVEN_UP = {"abort": choice(delta={"content": "Good day"}) + choice("abort", delta={}) + METERS}
EXPLAINED = {"length": choice("length", delta={}), "filter": choice("content_filter", delta={})}
ANSWERS = {
    **{
        name: body + (b"" if name in LOST_ENDS else DONE)
        for name, body in (TEXTS | EMPTY | EXPLAINED | CUT | HALF | GIVEN_UP).items()
    },
    "calls-no-reason": CALLS["right"] + METERS + DONE,
    **{name: body + choice("tool_calls", delta={}) + DONE for name, body in CALLS.items()},
}


class Canned(BaseHTTPRequestHandler):
    """Answers every POST with the stream that its model names."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        body = ANSWERS[asked["model"]]
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Silent."""


@pytest.fixture(scope="module")
def canned(running_gateway: Gateway, django_db_blocker) -> Iterator[None]:
    """Models ``almost/<name>`` at the canned host."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Canned)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with django_db_blocker.unblock():
        for name in ANSWERS:
            offering = providers.add_provider(
                "almost",
                model=f"almost/{name}",
                amounts=offers.Amounts.of(input=10**9, output=2 * 10**9),
                base_url=f"http://127.0.0.1:{server.server_port}/v1",
                wire="openai_chat",
                upstream_model=name,
            )
            if not offering.provider.api_key_ciphertext:
                providers.set_api_key(offering.provider, "a-key")
        publish()
    yield
    server.shutdown()
    server.server_close()


@pytest.fixture
def sdk(gateway: Gateway, customer) -> Iterator[openai.OpenAI]:
    http_client = openai.DefaultHttpxClient(verify=False)
    with openai.OpenAI(
        api_key=customer.secret,
        base_url=f"{gateway.url}/v1",
        max_retries=0,
        http_client=http_client,
    ) as client:
        yield client


def texts(body: str) -> str:
    """All that the deltas of a stream say, in whichever format."""
    said = ""
    for line in body.splitlines():
        if not line.startswith("data: {"):
            continue
        event = json.loads(line.removeprefix("data: "))
        if event.get("type") == "content_block_delta":
            said += event["delta"].get("text", "")
        elif event.get("type") == "response.output_text.delta":
            said += event["delta"]
        for found in event.get("choices") or ():
            said += found["delta"].get("content") or ""
    return said


@every_surface
@pytest.mark.parametrize("name", TEXTS)
def test_text_is_read_wherever_it_stands(gateway, customer, canned, path, name):
    body = {"model": f"almost/{name}", "stream": True, **SURFACES[path]}

    response = gateway.client(customer).post(path, json=body)

    assert response.status_code == 200
    assert texts(response.text) == "Good day"
    (settled,) = customer.settled(requests=1)
    assert (settled.outcome, settled.finish_reason) == ("completed", "stop")


@pytest.mark.parametrize("name", TEXTS)
def test_sdk_reads_text_wherever_it_stands(sdk: openai.OpenAI, canned, name):
    with sdk.chat.completions.stream(model=f"almost/{name}", messages=HELLO) as stream:
        answer = stream.get_final_completion()

    assert answer.choices[0].message.content == "Good day"
    assert answer.choices[0].finish_reason == "stop"
    assert answer.model == f"almost/{name}"


@pytest.mark.parametrize("name", CALLS)
def test_sdk_puts_tool_calls_together_however_they_are_counted(sdk: openai.OpenAI, canned, name):
    with sdk.chat.completions.stream(model=f"almost/{name}", messages=HELLO) as stream:
        calls = stream.get_final_completion().choices[0].message.tool_calls

    assert [(made.function.name, made.function.arguments) for made in calls or ()] == [
        ("f", "{}"),
        ("g", "{}"),
    ]
    ids = [made.id for made in calls or ()]
    assert all(ids)
    assert len(set(ids)) == 2
    assert name == "no-ids" or ids == ["a", "b"]


def test_calls_without_a_reason_to_end_are_called(sdk: openai.OpenAI, canned):
    with sdk.chat.completions.stream(model="almost/calls-no-reason", messages=HELLO) as stream:
        (answered,) = stream.get_final_completion().choices

    assert answered.finish_reason == "tool_calls"
    assert len(answered.message.tool_calls or ()) == 2


def test_thoughts_among_the_parts_of_a_content_are_thoughts(gateway, customer, canned):
    body = {"model": "almost/parts", "messages": HELLO, "stream": True}

    text = gateway.client(customer).post("/v1/chat/completions", json=body).text

    deltas = [json.loads(line[6:])["choices"][0]["delta"] for line in text.splitlines() if '"delta"' in line]  # fmt: skip
    assert deltas[0] == {"content": "", "reasoning_content": "Hm."}
    assert deltas[1] == {"content": "Good day"}


@every_surface
@pytest.mark.parametrize("name", CUT)
def test_end_marker_alone_is_no_reason_to_end(gateway, customer, canned, path, name):
    body = {"model": f"almost/{name}", "stream": True, **SURFACES[path]}

    response = gateway.client(customer).post(path, json=body)

    assert '"upstream_error"' in response.text
    (settled,) = customer.settled(requests=1)
    assert (settled.outcome, settled.charged) == ("interrupted", 0)


@every_surface
@pytest.mark.parametrize("name", GIVEN_UP)
def test_reason_by_which_a_host_gives_up_is_no_end(gateway, customer, canned, path, name):
    body = {"model": f"almost/{name}", "stream": True, **SURFACES[path]}

    response = gateway.client(customer).post(path, json=body)

    code = "all_providers_failed" if response.status_code == 503 else "upstream_error"
    assert f'"{code}"' in response.text
    assert "[DONE]" not in response.text
    (settled,) = customer.settled(requests=1)
    assert (settled.charged, [a["fault"] for a in settled.attempts]) == (0, ["error_in_body"])


@pytest.mark.parametrize("name", HALF)
def test_end_marker_is_no_reason_of_a_choice_that_gave_none(gateway, customer, canned, name):
    body = {"model": f"almost/{name}", "messages": HELLO, "stream": True, "n": 2}

    response = gateway.client(customer).post("/v1/chat/completions", json=body)

    assert '"upstream_error"' in response.text
    assert "[DONE]" not in response.text
    (settled,) = customer.settled(requests=1)
    assert (settled.outcome, settled.charged) == ("interrupted", 0)
    assert [attempt["fault"] for attempt in settled.attempts] == ["cut"]


def test_chunks_of_right_calls_stay_as_they_are(gateway, customer, canned):
    body = {"model": "almost/right", "messages": HELLO, "stream": True}

    text = gateway.client(customer).post("/v1/chat/completions", json=body).text

    sent = [line for line in CALLS["right"].decode().splitlines() if line]
    got = [line for line in text.splitlines() if 'tool_calls": [' in line]
    assert [line.partition('"choices"')[2] for line in got] == [
        line.partition('"choices"')[2] for line in sent
    ]


@every_surface
@pytest.mark.parametrize("name", EMPTY)
def test_stream_without_content_is_the_hosts_failure(gateway, customer, canned, path, name):
    body = {"model": f"almost/{name}", "stream": True, **SURFACES[path]}

    response = gateway.client(customer).post(path, json=body)

    assert response.status_code == 503
    (settled,) = customer.settled(requests=1)
    assert (settled.outcome, settled.charged) == ("empty", 0)


@every_surface
@pytest.mark.parametrize("name", EXPLAINED)
def test_reason_to_end_may_be_the_answer(gateway, customer, canned, path, name):
    body = {"model": f"almost/{name}", "stream": True, **SURFACES[path]}

    response = gateway.client(customer).post(path, json=body)

    assert response.status_code == 200
    (settled,) = customer.settled(requests=1)
    assert settled.outcome == "completed"
