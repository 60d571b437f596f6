"""Starts and stops the fake Stripe for tests, and speaks its control endpoints.

::

    with start_fake_stripe() as fake:              # a free port; listens when this returns
        client = stripe.StripeClient("sk_test_x", base_addresses={"api": fake.url})
        fake.control("checkout/cs_test_…/complete", card="pm_card_visa")

Standard library only. The process also ends by itself when the test run dies.
"""

import json
import selectors
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ROOT = Path(__file__).resolve().parents[3]
LINE_START = "fake stripe on "


class FakeStripeDidNotStart(RuntimeError):
    """The process ended, or printed no address in time."""


class ControlRefused(ValueError):
    """A control endpoint could not do what it was told."""


@dataclass(slots=True)
class FakeStripe:
    """A running fake; ``url`` has no slash at its end."""

    url: str
    process: subprocess.Popen[str]

    def control(self, path: str, /, **given: Any) -> dict[str, Any]:
        """POST to ``/_control/<path>``; its answer."""
        return self._ask("POST", path, json.dumps(given).encode())

    def events(self, *kinds: str) -> list[dict[str, Any]]:
        """Every event so far, oldest first; of these types when some are named."""
        found: list[dict[str, Any]] = self._ask("GET", "events")["events"]
        return [event for event in found if not kinds or event["type"] in kinds]

    def requests(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._ask("GET", "requests")["requests"]
        return found

    def objects(self) -> dict[str, list[dict[str, Any]]]:
        return self._ask("GET", "objects")

    def deliver(self, **how: Any) -> list[dict[str, Any]]:
        """Send webhooks (control.py: events, times, age, bad_signature); what the endpoint answered."""
        found: list[dict[str, Any]] = self.control("deliver", **how)["deliveries"]
        return found

    def reset(self) -> None:
        self.control("reset")

    def _ask(self, method: str, path: str, body: bytes | None = None) -> dict[str, Any]:
        request = urllib.request.Request(f"{self.url}/_control/{path}", data=body, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                answer: dict[str, Any] = json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                raise ControlRefused(f"{path}: {error.read().decode()}") from error
        return answer

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


def start_fake_stripe(*, port: int = 0, timeout: float = 15) -> FakeStripe:
    """Start a fake and wait until it listens."""
    command = [sys.executable, "-m", "tests.fakes.stripe", "--port", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    fake = FakeStripe("", process)
    line = _read_line(process, timeout)
    if not line.startswith(LINE_START):
        code = fake.stop()
        raise FakeStripeDidNotStart(f"exit code {code}, said {line!r}")
    fake.url = line.removeprefix(LINE_START).strip()
    return fake


def _read_line(process: subprocess.Popen[str], timeout: float) -> str:
    assert process.stdout is not None
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        if not selector.select(timeout):
            return ""
    return process.stdout.readline()
