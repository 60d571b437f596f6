"""``manage.py serve``, as a newcomer meets it: from an empty folder to a billed answer, and what can stand in the way."""

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.installation import OURS, ROOT, await_answer, free_port

CHAT = {"model": "sandbox/echo", "messages": [{"role": "user", "content": "Hello"}]}


def environment(data_dir: Path, **variables: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in OURS}
    return {**kept, "GATEWAYZ_DATA_DIR": str(data_dir), **variables}


class Served:
    """One run of ``manage.py serve``."""

    def __init__(self, data_dir: Path, **variables: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.data_dir = data_dir
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "serve"],
            cwd=ROOT,
            env=environment(data_dir, PORT=str(self.port), **variables),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            await_answer(f"{self.url}/health/ready", self.process)
        except BaseException:
            self.kill()
            raise

    @property
    def demo(self) -> dict[str, str]:
        found: dict[str, str] = json.loads((self.data_dir / "demo.json").read_text())
        return found

    def ask(self, path: str, body: dict[str, Any] | None = None, **headers: str) -> httpx.Response:
        headers = {"authorization": f"Bearer {self.demo['api_key']}", **headers}
        if body is None:
            return httpx.get(self.url + path, headers=headers, timeout=10)
        return httpx.post(self.url + path, json=body, headers=headers, timeout=10)

    def interrupt(self) -> tuple[int, str, str]:
        """Ctrl-C; exit status, standard output and standard error."""
        self.process.send_signal(signal.SIGINT)
        output, errors = self.process.communicate(timeout=30)
        return self.process.returncode, output, errors

    def __enter__(self) -> "Served":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.kill()

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


def run_serve(data_dir: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """For starts that must fail."""
    return subprocess.run(
        [sys.executable, "manage.py", "serve"],
        cwd=ROOT,
        env=environment(data_dir, **variables),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="module")
def served_before(tmp_path_factory):
    """A data directory that was served once. A first start takes seconds, and is the same each time."""
    folder = tmp_path_factory.mktemp("served") / "data"
    with Served(folder) as served:
        served.interrupt()
    return folder


@pytest.fixture
def data_dir(served_before, tmp_path):
    return shutil.copytree(served_before, tmp_path / "data")


def test_first_request_shows_a_cost_and_a_balance_that_moves(tmp_path):
    with Served(tmp_path / "data") as served:
        before = served.ask("/v1/credits").json()["data"]["total_nano_usd"]
        trial = served.ask("/v1/trial/status").json()["data"]
        assert (trial["status"], trial["credit_nano_usd"]) == ("active", before)

        answer = served.ask("/v1/chat/completions", CHAT).json()

        served.ask("/v1/generation?id=" + answer["id"]).raise_for_status()
        after = served.ask("/v1/credits").json()["data"]["total_nano_usd"]
        assert before == 10 * 10**9
        assert before - after == round(answer["usage"]["cost"] * 1e9) > 0
        left = served.ask("/v1/trial/status").json()["data"]["credit_left_nano_usd"]
        assert left == after
        assert served.demo["base_url"] == f"{served.url}/v1"
        assert stat.S_IMODE((tmp_path / "data" / "demo.json").stat().st_mode) == 0o600


def test_keeps_all_data_and_stops_cleanly_when_interrupted_and_started_again(data_dir):
    with Served(data_dir) as served:
        demo = served.demo
        answer = served.ask("/v1/chat/completions", CHAT).json()
        status, output, errors = served.interrupt()

    with Served(data_dir) as again:
        found = again.ask("/v1/generation?id=" + answer["id"])

        assert status == 0
        assert errors == ""
        assert f"curl {served.url}/v1/chat/completions" in output
        assert found.json()["data"]["charged_nano_usd"] > 0
        assert again.demo["api_key"] == demo["api_key"]
        assert again.demo["admin_password"] == demo["admin_password"]


@pytest.mark.alone
def test_starts_within_eight_seconds_when_the_database_exists(data_dir):
    started = time.monotonic()
    with Served(data_dir):
        assert time.monotonic() - started < 8


def test_says_in_one_line_of_the_log_that_payments_are_off(data_dir):
    with Served(data_dir) as served:
        webhook = httpx.post(f"{served.url}/api/stripe/webhook", content=b"{}", timeout=10)
        status, output, errors = served.interrupt()

    assert (webhook.status_code, status, errors) == (503, 0, "")
    (line,) = [json.loads(one) for one in output.splitlines() if "billing." in one]
    assert (line["event"], line["id"], line["level"]) == ("start.check", "billing.I001", "info")
    assert "STRIPE_WEBHOOK_SECRET" in line["told"]


def test_admin_login_works_with_the_demo_credentials(data_dir):
    with Served(data_dir) as served, httpx.Client(base_url=served.url) as browser:
        browser.get("/admin/login/").raise_for_status()

        landed = browser.post(
            "/admin/login/?next=/admin/",
            data={
                "username": served.demo["admin_email"],
                "password": served.demo["admin_password"],
                "csrfmiddlewaretoken": browser.cookies["csrftoken"],
            },
            follow_redirects=True,
        )

        assert landed.status_code == 200
        assert "Request records" in landed.text


@pytest.mark.alone
def test_provider_added_from_another_process_is_live_within_a_second(data_dir, gateway):
    with Served(data_dir, FRIEND_API_KEY="friend-key") as served:
        added = subprocess.run(
            [
                sys.executable, "manage.py", "provider", "add", "friend",
                "--base-url", f"{gateway.sandbox.base_url}/v1", "--wire", "openai_chat", "--api-key-env", "FRIEND_API_KEY",
                "--model", "friend/echo", "--upstream-model", "echo", "--input-price", "1", "--output-price", "2",
            ],
            cwd=ROOT,
            env=environment(data_dir, FRIEND_API_KEY="friend-key"),
            capture_output=True,
            text=True,
            check=False,
        )  # fmt: skip
        assert added.returncode == 0, added.stderr
        time.sleep(1)

        response = served.ask("/v1/chat/completions", {**CHAT, "model": "friend/echo"})

        assert response.status_code == 200
        usage = response.json()["usage"]
        assert usage["cost"] == pytest.approx(
            usage["prompt_tokens"] * 1e-6 + usage["completion_tokens"] * 2e-6
        )
        assert (
            gateway.sandbox.stats()["last_request"]["headers"]["authorization"]
            == "Bearer friend-key"
        )


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"PORT": "nonsense"}, "PORT must be a whole number of at least 1, not 'nonsense'."),
        ({"SANDBOX": "maybe"}, "SANDBOX must be true or false, not 'maybe'."),
        ({"WEB_CONCURRENCY": "2"}, "more than one web process needs DATABASE_URL and REDIS_URL."),
        (
            {
                "DATABASE_URL": "mysql://x/y",
                "SECRET_KEY": "x",
                "KEY_PEPPER": "x",
                "KEYRING": "x",
                "RECEIPT_KEYS": "x",
            },
            "DATABASE_URL must be a postgres:// address.",
        ),
        ({"DATABASE_URL": "postgres://x/y"}, "SECRET_KEY must be set when DATABASE_URL is."),
        (
            {"GATEWAYZ_DATA_DIR": "/dev/null/data"},
            "cannot write to the data directory /dev/null/data",
        ),
    ],
)
def test_says_one_clear_sentence_when_a_setting_is_wrong(tmp_path, variables, sentence):
    done = run_serve(tmp_path, **variables)

    assert done.returncode == 2
    assert sentence in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_says_one_clear_sentence_when_the_port_is_taken(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])

        done = run_serve(tmp_path, PORT=port)

    assert done.returncode == 2
    assert done.stderr == (
        f"gatewayz: cannot listen on 127.0.0.1:{port}: Address already in use. Set PORT to another one.\n"
    )


def test_refuses_a_second_web_process_when_there_is_no_redis(data_dir):
    with Served(data_dir) as served:
        done = run_serve(data_dir, PORT=str(free_port()))

        assert done.returncode == 2
        assert (
            "another web process of this installation is running; more than one needs REDIS_URL."
            in done.stderr
        )
        assert served.ask("/v1/key").status_code == 200


def test_make_run_refuses_a_python_that_is_too_old(tmp_path):
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\necho 3.9\n")
    old.chmod(0o755)

    done = subprocess.run(
        ["scripts/venv", str(old), str(tmp_path / "venv"), "requirements/base.txt"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 2
    assert done.stderr.startswith("gatewayz: Python 3.11 to 3.13 is needed")
