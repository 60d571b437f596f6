"""The one line of each request on standard output: JSON, the documented fields, never a prompt, an answer or a key."""

import json
import re
import socket
import subprocess
import sys
import time

import httpx
import pytest
from django.conf import settings

from tests.installation import ROOT, await_answer, free_port, make_installation
from tests.sandbox.process import start_sandbox

PROMPT = "What is the airspeed of an unladen swallow?"
CHAT = {"model": "sandbox/echo", "messages": [{"role": "user", "content": PROMPT}]}
PREPARE = """
import json
from apps.accounts.models import Organization
from apps.billing.services import ledger
from apps.keys import services as keys
organization = Organization.objects.create(name="test")
ledger.grant_promo(organization.pk, amount=10**10, reference="test", memo="")
# Installations of tests share one Redis, where the limits of a key are kept by its id.
issued = keys.issue(organization.pk, name="test", requests_per_minute=10**6, tokens_per_minute=10**9, concurrency=10**4)
print(json.dumps([organization.pk, issued.key.pk, issued.secret]))
"""


def documented_fields():
    """Those of the example in docs/operations.md."""
    text = (ROOT / "docs/operations.md").read_text()
    example = re.search(r'```json\n({"event":"request".*?})\n```', text, re.DOTALL)
    assert example is not None
    return set(json.loads(example[1]))


class LoggedWeb:
    """A web process whose standard output is kept, and a client of it."""

    def __init__(self, installation, path):
        self.organization, self.key, self.secret = installation.python(PREPARE)
        self.path = path
        self.url = f"http://127.0.0.1:{free_port()}"
        command = ["-m", "gatewayz.server", "--port", self.url.split(":")[-1]]
        self.errors = path.with_name("stderr")
        with path.open("wb") as out, self.errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, *command],
                cwd=ROOT,
                env=installation.environment,
                stdout=out,
                stderr=errors,
            )
        await_answer(f"{self.url}/health/ready", self.process)
        self.client = httpx.Client(base_url=self.url, timeout=30)
        self.client.headers["authorization"] = f"Bearer {self.secret}"

    def ask(self, *, key=None, **changes):
        headers = {"authorization": f"Bearer {key}"} if key else {}
        return self.client.post("/v1/chat/completions", json={**CHAT, **changes}, headers=headers)

    def lines(self):
        return [json.loads(line) for line in self.path.read_text().splitlines()]

    def line_of(self, request_id):
        """The one line of this request; more than one is a fault."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            found = [line for line in self.lines() if line.get("request_id") == request_id]
            if found:
                (line,) = found
                return line
            time.sleep(0.02)
        raise AssertionError(f"no line for {request_id}")

    def stop(self):
        self.client.close()
        self.process.terminate()
        self.process.wait(timeout=30)


@pytest.fixture(scope="module")
def web(tmp_path_factory, django_db_setup):
    folder = tmp_path_factory.mktemp("logs")
    with (
        start_sandbox() as sandbox,
        make_installation(
            folder,
            database_url="" if settings.EMBEDDED else settings.DATABASE_URL,
            redis_url=settings.REDIS_URL,
            SANDBOX="true",
            SANDBOX_URL=sandbox.base_url,
        ) as installation,
    ):
        web = LoggedWeb(installation, folder / "stdout")
        yield web
        web.stop()


@pytest.mark.parametrize("stream", [False, True], ids=["json", "stream"])
def test_line_says_who_what_and_how_much_when_a_request_was_served(web, stream):
    answer = web.ask(stream=stream)

    line = web.line_of(answer.headers["x-request-id"])
    assert set(line) == documented_fields()
    assert line["event"] == "request"
    assert (line["organization"], line["key"]) == (web.organization, web.key)
    assert (line["path"], line["stream"]) == ("/v1/chat/completions", stream)
    assert (line["model"], line["provider"]) == ("sandbox/echo", "sandbox")
    assert (line["outcome"], line["status"], line["error"]) == ("completed", 200, None)
    assert (line["attempts"], line["faults"]) == (1, [])
    assert min(line["input_tokens"], line["output_tokens"], line["charged_nano_usd"]) > 0
    assert line["timestamp"].endswith("Z")
    assert 0 <= line["ms"] < 30_000


def test_line_tells_the_charge_of_the_answer_when_it_is_whole(web):
    body = web.ask().json()

    line = web.line_of(body["id"])
    assert line["charged_nano_usd"] == round(body["usage"]["cost"] * 1e9)
    assert line["input_tokens"] == body["usage"]["prompt_tokens"]
    assert line["output_tokens"] == body["usage"]["completion_tokens"]


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"model": "no/such-model"}, 404, "model_not_found"),
        ({"messages": "none"}, 400, "invalid_type"),
        ({"key": "gw_live_nobody"}, 401, "invalid_api_key"),
    ],
)
def test_line_tells_the_error_when_a_request_was_refused(web, changes, status, error):
    answer = web.ask(**changes)

    line = web.line_of(answer.headers["x-request-id"])
    assert set(line) == documented_fields()
    assert answer.status_code == line["status"] == status
    assert line["error"] == error == answer.json()["error"]["code"]
    assert (line["outcome"], line["attempts"]) == ("refused", 0)
    assert line["charged_nano_usd"] is line["provider"] is None


OTHERS = [
    ("GET", "/v1/models", 200, None),
    ("GET", "/v1/models/sandbox/echo", 200, None),
    ("HEAD", "/v1/models", 200, None),
    ("GET", "/v1/credits", 200, None),
    ("GET", "/v1/models/no/such-model", 404, "model_not_found"),
    ("GET", "/v1", 404, "not_found"),
    ("GET", "/v1/nothing", 404, "not_found"),
    ("GET", "/v1beta/nothing", 404, "not_found"),
    ("GET", "/v1/messages/", 404, "not_found"),
    ("POST", "/v1/models", 405, "method_not_allowed"),
    ("GET", "/v1/messages", 405, "method_not_allowed"),
    ("PUT", "/v1/chat/completions", 405, "method_not_allowed"),
]


@pytest.mark.parametrize(("method", "path", "status", "error"), OTHERS)
def test_line_has_the_same_fields_when_no_model_was_asked(web, method, path, status, error):
    answer = web.client.request(method, path, headers={"x-stainless-retry-count": "2"})

    line = web.line_of(answer.headers["x-request-id"])
    assert set(line) == documented_fields()
    assert answer.status_code == line["status"] == status
    assert (line["path"], line["error"]) == (path, error)
    assert line["outcome"] == ("refused" if error else "completed")
    assert (line["organization"], line["key"]) == (web.organization, web.key)
    assert (
        line["model"]
        is line["provider"]
        is line["input_tokens"]
        is line["charged_nano_usd"]
        is None
    )
    assert line["sdk_retry"] == "2"


def test_line_names_no_key_when_it_was_refused(web):
    answer = web.client.get("/v1/credits", headers={"authorization": "Bearer nobody"})

    line = web.line_of(answer.headers["x-request-id"])
    assert (line["status"], line["error"]) == (401, "invalid_api_key")
    assert line["organization"] is line["key"] is None


def test_line_is_written_when_the_body_is_too_large(web):
    answer = web.client.post("/v1/messages", content=b"x" * (settings.MAX_BODY_BYTES + 1))

    line = web.line_of(answer.headers["x-request-id"])
    assert set(line) == documented_fields()
    assert (line["status"], line["error"]) == (413, "request_too_large")
    assert (line["path"], line["outcome"], line["key"]) == ("/v1/messages", "refused", web.key)


def test_line_says_499_when_the_client_leaves_before_the_body_is_sent(web):
    def gone():
        return [line for line in web.lines() if line.get("status") == 499]

    before = len(gone())
    with socket.create_connection(("127.0.0.1", httpx.URL(web.url).port)) as half:
        half.sendall(
            b"POST /v1/embeddings HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 9\r\n\r\n{"
        )
        time.sleep(0.2)

    deadline = time.monotonic() + 10
    while len(gone()) == before:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    (line,) = gone()[before:]
    assert set(line) == documented_fields()
    assert (line["path"], line["outcome"], line["error"]) == ("/v1/embeddings", "client_gone", None)


HOSTED = [
    ("GET", "/v1/models"),
    ("GET", "/v1/credits"),
    ("GET", "/v1/nothing"),
    ("GET", "/v1/chat/completions"),
    ("POST", "/v1/chat/completions"),
    ("POST", "/v1/messages"),
    ("POST", "/v1beta/models/x:generateContent"),
]


@pytest.mark.parametrize(("method", "path"), HOSTED)
def test_host_is_refused_and_logged_without_a_trace_when_it_is_not_listed(web, method, path):
    before, errors = len(web.lines()), web.errors.read_text()

    answer = web.client.request(method, path, json=CHAT, headers={"host": "elsewhere.example"})

    line = web.line_of(answer.headers["x-request-id"])
    assert (answer.status_code, line["status"], line["error"]) == (400, 400, "invalid_request")
    assert "ALLOWED_HOSTS" in answer.json()["error"]["message"]
    assert ("type" in answer.json()) == (path == "/v1/messages")
    assert ("status" in answer.json()["error"]) == ("v1beta" in path)
    time.sleep(0.1)
    assert [found["event"] for found in web.lines()[before:]] == ["request"]
    assert "Traceback" not in web.path.read_text()
    assert web.errors.read_text() == errors


HANDSHAKE = {
    "connection": "Upgrade",
    "upgrade": "websocket",
    "sec-websocket-version": "13",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
}


def test_handshake_is_refused_with_an_id_when_the_host_is_not_listed(web):
    answer = web.client.get("/ws/v1/chat", headers={**HANDSHAKE, "host": "elsewhere.example"})

    assert answer.status_code == 403
    assert answer.json()["error"]["request_id"] == answer.headers["x-request-id"]


def test_handshake_is_refused_with_an_id_when_there_is_no_websocket(web):
    answer = web.client.get("/v1/responses", headers=HANDSHAKE)

    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (403, "permission_denied")
    assert error["request_id"] == answer.headers["x-request-id"]
    line = web.line_of(error["request_id"])
    assert set(line) == documented_fields()
    assert (line["path"], line["status"]) == ("/v1/responses", 403)


def test_output_never_holds_prompt_answer_or_key_when_requests_end_in_any_way(web):
    answers = [
        web.ask(),
        web.ask(stream=True),
        web.ask(model=PROMPT),
        web.ask(key="gw_live_a-leaked-key-000"),
        web.ask(messages=PROMPT),
        web.ask(tools=PROMPT),
        web.ask(model="sandbox/echo+status=500"),
    ]
    web.client.post("/v1/chat/completions", content=f'{{"broken": "{PROMPT}"')
    answers.append(web.client.get(f"/v1/models/{web.secret}"))
    for answer in answers:
        web.line_of(answer.headers["x-request-id"])

    output = web.path.read_text() + web.errors.read_text()
    assert "You said" not in output
    assert "unladen" not in output
    assert web.secret not in output
    assert "gw_live_" not in output
    assert web.secret[10:40] not in output


def test_output_is_json_alone_when_requests_were_served(web):
    web.ask()

    lines = web.lines()
    assert all(isinstance(line, dict) and line["event"] for line in lines)
