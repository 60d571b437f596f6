"""Starts and stops a real sandbox provider for tests.

::

    sandbox = start_sandbox()              # a free port; listens when this returns
    ...  sandbox.base_url + "/v1", sandbox.stats(), sandbox.reset()
    sandbox.stop()

Standard library only, no Django: every test folder and the load scripts may use it. The process also ends by itself
when the test run dies.
"""

import json
import selectors
import signal
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[2]
LINE_START = "sandbox provider on "


class SandboxDidNotStart(RuntimeError):
    """The process ended, or printed no address in time."""


@dataclass(slots=True)
class SandboxProcess:
    """A running sandbox; ``base_url`` has no ``/v1`` and no slash at its end."""

    base_url: str
    process: subprocess.Popen[str]

    @property
    def port(self) -> int:
        return int(self.base_url.rpartition(":")[2])

    def stats(self, *, recent: int = 0) -> dict[str, Any]:
        with urllib.request.urlopen(
            f"{self.base_url}/stats?recent={recent}", timeout=5
        ) as response:
            found: dict[str, Any] = json.load(response)
        return found

    def reset(self) -> None:
        """Forget counters, turns of ``first=`` and ``every=``, and cached prompts."""
        request = urllib.request.Request(f"{self.base_url}/reset", method="POST")
        urllib.request.urlopen(request, timeout=5).close()

    def stop(self, *, timeout: float = 5) -> int:
        """End the process and return its exit code. May be called again."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait(timeout)
        finally:
            if self.process.stdout is not None:
                self.process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def start_sandbox(
    *, port: int = 0, any_model: bool = False, exit_with_parent: bool = True, timeout: float = 15
) -> SandboxProcess:
    """Start a sandbox and wait until it listens."""
    command = [sys.executable, "-m", "apps.sandbox", "--host", "127.0.0.1", "--port", str(port)]
    if any_model:
        command.append("--any-model")
    if exit_with_parent:
        command.append("--exit-with-parent")
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    sandbox = SandboxProcess("", process)
    line = _read_line(process, timeout)
    if not line.startswith(LINE_START):
        code = sandbox.stop()
        raise SandboxDidNotStart(f"exit code {code}, said {line!r}")
    sandbox.base_url = line.removeprefix(LINE_START).strip()
    return sandbox


def _read_line(process: subprocess.Popen[str], timeout: float) -> str:
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        if not selector.select(timeout):
            return ""
    return process.stdout.readline()
