"""The process and its counters: start, stop, /health, /stats, /reset."""

import json
import socket
import subprocess
import sys
import time

import pytest

from tests.sandbox.process import ROOT, SandboxDidNotStart, SandboxProcess, start_sandbox
from tests.sandbox.raw import post

BODY = {"model": "echo", "messages": [{"role": "user", "content": "hi"}]}
PATH = "/v1/chat/completions"


def test_stats_show_what_was_sent(sandbox: SandboxProcess) -> None:
    post(
        sandbox.base_url, PATH, BODY, headers={"x-trace": "abc", "authorization": "Bearer sk-seen"}
    )
    post(sandbox.base_url, PATH, {**BODY, "model": "echo+status=500"})
    post(sandbox.base_url, PATH, {**BODY, "stream": True})

    stats = sandbox.stats(recent=3)

    assert {
        name: stats[name] for name in ("requests", "streams", "completed", "failed", "open")
    } == {
        "requests": 3,
        "streams": 1,
        "completed": 2,
        "failed": 1,
        "open": 0,
    }
    assert stats["by_model"] == {"echo": 2, "echo+status=500": 1}
    assert stats["last_request"]["body"] == {**BODY, "stream": True}
    assert [seen["outcome"] for seen in stats["recent"]] == ["completed", "failed", "completed"]
    assert stats["recent"][0]["headers"]["x-trace"] == "abc"
    assert stats["recent"][0]["headers"]["authorization"] == "Bearer sk-seen"


def test_a_client_that_leaves_mid_answer_counts_as_aborted(sandbox: SandboxProcess) -> None:
    body = {**BODY, "model": "echo+chunks=100+interval=50", "stream": True}

    answer = post(sandbox.base_url, PATH, {**body, "model": "echo+stall=1"}, timeout=0.1)
    with socket.create_connection(("127.0.0.1", sandbox.port)) as connection:
        content = json.dumps(body).encode()
        head = f"POST {PATH} HTTP/1.1\r\nhost: x\r\nx-api-key: k\r\ncontent-length: {len(content)}\r\n\r\n"
        connection.sendall(head.encode() + content)
        connection.recv(100)
        assert sandbox.stats()["open"] == 1
    deadline = time.monotonic() + 3
    while sandbox.stats()["aborted"] < 2 and time.monotonic() < deadline:
        time.sleep(0.02)

    stats = sandbox.stats()
    assert answer.ending == "silent"
    assert (stats["aborted"], stats["open"], stats["completed"]) == (2, 0, 0)


def test_reset_forgets_everything(sandbox: SandboxProcess) -> None:
    post(sandbox.base_url, PATH, BODY)

    sandbox.reset()

    stats = sandbox.stats()
    assert (stats["requests"], stats["by_model"], stats["last_request"]) == (0, {}, None)


def test_refuses_bodies_that_are_not_requests(sandbox: SandboxProcess) -> None:
    for body in (b"{not json", b"[1]", b"{}", b'{"model": 5}'):
        answer = post(sandbox.base_url, PATH, body)
        assert answer.status == 400
        assert answer.json["error"]["type"] == "invalid_request_error"


def test_requires_a_key(sandbox: SandboxProcess) -> None:
    answer = post(sandbox.base_url, PATH, BODY, headers={"authorization": ""})
    anthropic = post(sandbox.base_url, "/v1/messages", BODY, headers={"authorization": ""})

    assert answer.status == anthropic.status == 401
    assert answer.json["error"]["code"] == "invalid_api_key"
    assert anthropic.json["error"]["type"] == "authentication_error"


def test_answers_any_model_when_told_to() -> None:
    with start_sandbox(any_model=True) as sandbox:
        answer = post(sandbox.base_url, PATH, {**BODY, "model": "meta/Llama-3.3-70B"})

    assert answer.json["choices"][0]["message"]["content"] == "You said: hi"


def test_stops_cleanly_and_soon_even_while_answering() -> None:
    sandbox = start_sandbox()
    with socket.create_connection(("127.0.0.1", sandbox.port)) as connection:
        content = b'{"model":"echo+hang","messages":[{"role":"user","content":"hi"}]}'
        head = f"POST {PATH} HTTP/1.1\r\nhost: x\r\nx-api-key: k\r\ncontent-length: {len(content)}\r\n\r\n"
        connection.sendall(head.encode() + content)
        started = time.monotonic()

        code = sandbox.stop()

    assert code == 0
    assert time.monotonic() - started < 2


def test_says_so_when_it_can_not_start(sandbox: SandboxProcess) -> None:
    with pytest.raises(SandboxDidNotStart):
        start_sandbox(port=sandbox.port)


def test_leaves_with_its_parent() -> None:
    code = (
        "from tests.sandbox.process import start_sandbox; import os;"
        "s = start_sandbox(); print(s.process.pid, s.port, flush=True); os._exit(0)"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=10
    )

    port = int(done.stdout.split()[1])
    deadline = time.monotonic() + 4
    while _listens(port) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _listens(port)


@pytest.mark.alone
def test_imports_nothing_of_ours_and_fast() -> None:
    code = (
        "import sys, time; t = time.perf_counter(); import apps.sandbox.app; took = time.perf_counter() - t;"
        "ours = [m for m in sys.modules if m.startswith(('apps.', 'gatewayz', 'django'))"
        " and not m.startswith('apps.sandbox')]; print(took, ours)"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=10
    )

    took, _, ours = done.stdout.strip().partition(" ")
    assert ours == "[]"
    assert float(took) < 2  # 0.25 s on an idle machine


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
