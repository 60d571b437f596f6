"""An installation of its own in separate processes: web processes that tests may kill.

On the embedded default it lives in a temporary data directory; with DATABASE_URL it is a fresh PostgreSQL database and
its own Redis database, so that several web processes can share it.
"""

import atexit
import contextlib
import fcntl
import functools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg

ROOT = Path(__file__).resolve().parents[1]

OURS = {
    "DJANGO_SETTINGS_MODULE",
    "SECRET_KEY",
    "KEY_PEPPER",
    "KEYRING",
    "RECEIPT_KEYS",
    "DATABASE_URL",
    "REDIS_URL",
    "SANDBOX",
}
"""Variables that the surroundings may set and an installation of a test does without."""


NEW = f"gatewayz_new_{os.environ.get('PYTEST_XDIST_TESTRUNUID', uuid.uuid4().hex)[:12]}"
"""What the processes of one run call the installation that all others are copies of."""


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


READ_AND_RUN = """
import contextlib, io, json, os, sys, traceback
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # what is logged goes elsewhere
for line in sys.stdin:
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            exec(json.loads(line), {})
        answer = {"printed": printed.getvalue()}
    except Exception:
        answer = {"failed": traceback.format_exc()}
    print(json.dumps(answer), file=answers, flush=True)
"""


@dataclass(slots=True)
class Installation:
    environment: dict[str, str]
    data_dir: Path
    webs: list[Web] = field(default_factory=list)
    shell: subprocess.Popen[str] | None = None

    def manage(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT, env=self.environment, capture_output=True, text=True, check=check, timeout=120,
        )  # fmt: skip

    def python(self, program: str) -> Any:
        """Run a program inside the installation, in a process of its own; its last line of output, as JSON."""
        done = self.manage("shell", "--no-imports", "-c", program)
        return json.loads(done.stdout.strip().splitlines()[-1])

    def ask(self, program: str) -> Any:
        """The same in one process for all programs, which takes seconds to start only once."""
        if self.shell is None:
            self.shell = subprocess.Popen(
                [sys.executable, "manage.py", "shell", "--no-imports", "-c", READ_AND_RUN],
                cwd=ROOT, env=self.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )  # fmt: skip
        assert self.shell.stdin is not None
        assert self.shell.stdout is not None
        print(json.dumps(program), file=self.shell.stdin, flush=True)
        answer = json.loads(self.shell.stdout.readline())
        assert "failed" not in answer, answer["failed"]
        return json.loads(answer["printed"].strip().splitlines()[-1])

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
        if self.shell is not None:
            self.shell.communicate()


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
    """Migrated and bootstrapped, with the sandbox's models. Its database goes away with it.

    Where a setting of ``environment`` switches on an app with tables of its own, the caller migrates.
    """
    database = _database_beside(database_url) if database_url else ""
    clean = _clean_environment(data_dir, database, redis_url)
    _copy_new_installation(data_dir, database, redis_url)
    installation = Installation(clean | environment, data_dir)
    try:
        yield installation
    finally:
        installation.stop()
        _drop(database)


def _clean_environment(data_dir: Path, database_url: str, redis_url: str) -> dict[str, str]:
    clean = {
        name: value
        for name, value in os.environ.items()
        if name not in OURS and not name.startswith(("PYTEST", "COV_"))
    }
    clean.update(GATEWAYZ_DATA_DIR=str(data_dir), PYTHONUNBUFFERED="1")
    if database_url:
        clean.update(
            DATABASE_URL=database_url,
            REDIS_URL=redis_url,
            SECRET_KEY="installation-secret",
            KEY_PEPPER="installation-pepper",
            RECEIPT_KEYS="q0n2Wm8vZ3dJ5xYhR7uKcT4aEoLs6bGfPiD1Xk9MtQw",
            KEYRING="RfiGyZjEI4AP3LpXfkRbzZWMHUiiYQAx5sD0E0ot5pE=",
        )
    return clean


def _copy_new_installation(data_dir: Path, database_url: str, redis_url: str) -> None:
    """What the first start writes takes seconds, and is the same each time: the processes of a run make it once."""
    with _one_at_a_time():
        if database_url:
            template = _new_on_postgresql(database_url, redis_url)
            _on_server(
                database_url, f'CREATE DATABASE "{_name(database_url)}" TEMPLATE "{template}"'
            )
        else:
            shutil.copytree(_new_on_sqlite(), data_dir, dirs_exist_ok=True)


@contextlib.contextmanager
def _one_at_a_time() -> Iterator[None]:
    with (Path(tempfile.gettempdir()) / "gatewayz-tests.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _new_on_sqlite() -> Path:
    folder = Path(tempfile.gettempdir()) / NEW
    if not folder.exists():
        atexit.register(_forget, functools.partial(shutil.rmtree, folder, ignore_errors=True))
        with tempfile.TemporaryDirectory() as unfinished:
            _begin(_clean_environment(Path(unfinished), "", ""), Path(unfinished))
            shutil.copytree(unfinished, folder)
    return folder


def _new_on_postgresql(database_url: str, redis_url: str) -> str:
    """The name of a database."""
    if not _on_server(database_url, f"SELECT 1 FROM pg_database WHERE datname = '{NEW}'"):
        unfinished = _database_beside(database_url)
        for database in (unfinished, _on_same_server(database_url, NEW)):
            atexit.register(_forget, functools.partial(_drop, database))
        _on_server(database_url, f'CREATE DATABASE "{_name(unfinished)}"')
        with tempfile.TemporaryDirectory() as folder:
            _begin(_clean_environment(Path(folder), unfinished, redis_url), Path(folder))
        _on_server(database_url, f'ALTER DATABASE "{_name(unfinished)}" RENAME TO "{NEW}"')
    return NEW


def _forget(remove: Callable[[], None]) -> None:
    """Whoever comes after makes it anew."""
    with _one_at_a_time():
        remove()


def _begin(environment: dict[str, str], data_dir: Path) -> None:
    installation = Installation(environment | {"SANDBOX": "true"}, data_dir)
    installation.manage("migrate", "--verbosity", "0")
    installation.manage("bootstrap")


def _database_beside(database_url: str) -> str:
    return _on_same_server(database_url, f"gatewayz_{uuid.uuid4().hex[:12]}")


def _on_same_server(database_url: str, name: str) -> str:
    return urlunsplit(urlsplit(database_url)._replace(path=f"/{name}"))


def _name(database_url: str) -> str:
    return urlsplit(database_url).path.removeprefix("/")


def _drop(database_url: str) -> None:
    if database_url:
        _on_server(database_url, f'DROP DATABASE IF EXISTS "{_name(database_url)}" WITH (FORCE)')


def _on_server(database_url: str, statement: str) -> list[Any]:
    """The rows, where the statement has any."""
    with psycopg.connect(_on_same_server(database_url, "postgres"), autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []
