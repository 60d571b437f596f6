"""An installation of its own in separate processes: web processes that tests may kill.

On the embedded default it lives in a temporary data directory; with DATABASE_URL it is a fresh PostgreSQL database and
its own Redis database, so that several web processes can share it.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg

ROOT = Path(__file__).resolve().parents[1]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass(slots=True)
class Web:
    """One web process."""

    process: subprocess.Popen[bytes]
    url: str

    def kill(self) -> None:
        """SIGKILL: no settlement, no goodbye."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=30)


@dataclass(slots=True)
class Installation:
    environment: dict[str, str]
    data_dir: Path
    webs: list[Web] = field(default_factory=list)

    def manage(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT, env=self.environment, capture_output=True, text=True, check=check, timeout=120,
        )  # fmt: skip

    def python(self, program: str) -> Any:
        """Run a program inside the installation; its last line of output, as JSON."""
        done = self.manage("shell", "--no-imports", "-c", program)
        return json.loads(done.stdout.strip().splitlines()[-1])

    def start_web(self) -> Web:
        """A web process as in the Procfile; returns when it is ready."""
        port = free_port()
        command = [
            sys.executable, "-m", "gatewayz.server", "--port", str(port), "--log-level", "warning",
            "--timeout-graceful-shutdown", "2",
        ]  # fmt: skip
        process = subprocess.Popen(
            command, cwd=ROOT, env=self.environment, stdout=subprocess.DEVNULL
        )
        web = Web(process, f"http://127.0.0.1:{port}")
        self.webs.append(web)
        await_answer(f"{web.url}/health/ready", process)
        return web

    def stop(self) -> None:
        for web in self.webs:
            if web.process.poll() is None:
                web.kill()


def await_answer(url: str, process: subprocess.Popen[Any], *, within: float = 30) -> None:
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        assert process.poll() is None, f"the process ended with {process.returncode}"
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise AssertionError(f"{url} did not answer within {within} s")


@contextlib.contextmanager
def make_installation(
    data_dir: Path, *, database_url: str = "", redis_url: str = "", **environment: str
) -> Iterator[Installation]:
    """Migrated and bootstrapped. Its database goes away with it."""
    clean = {
        name: value
        for name, value in os.environ.items()
        if name
        not in {
            "DJANGO_SETTINGS_MODULE",
            "SECRET_KEY",
            "KEY_PEPPER",
            "KEYRING",
            "RECEIPT_KEYS",
            "DATABASE_URL",
            "REDIS_URL",
        }
        and not name.startswith(("PYTEST", "COV_"))
    }
    clean.update(environment, GATEWAYZ_DATA_DIR=str(data_dir), PYTHONUNBUFFERED="1")
    name = f"gatewayz_{uuid.uuid4().hex[:12]}"
    if database_url:
        clean.update(
            DATABASE_URL=urlunsplit(urlsplit(database_url)._replace(path=f"/{name}")),
            REDIS_URL=redis_url,
            SECRET_KEY="installation-secret",
            KEY_PEPPER="installation-pepper",
            RECEIPT_KEYS="q0n2Wm8vZ3dJ5xYhR7uKcT4aEoLs6bGfPiD1Xk9MtQw",
            KEYRING="RfiGyZjEI4AP3LpXfkRbzZWMHUiiYQAx5sD0E0ot5pE=",
        )
        _on_server(database_url, f'CREATE DATABASE "{name}"')
    installation = Installation(clean, data_dir)
    try:
        installation.manage("migrate", "--verbosity", "0")
        installation.manage("bootstrap")
        yield installation
    finally:
        installation.stop()
        if database_url:
            _on_server(database_url, f'DROP DATABASE "{name}" WITH (FORCE)')


def _on_server(database_url: str, statement: str) -> None:
    server = urlunsplit(urlsplit(database_url)._replace(path="/postgres"))
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(statement)
