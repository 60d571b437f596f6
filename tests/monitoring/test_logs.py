"""The one line of each request on standard output: JSON, the documented fields, never a prompt, an answer or a key."""

import json
import re
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
        command = ["-m", "uvicorn", "gatewayz.asgi:application", "--port", self.url.split(":")[-1]]
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
