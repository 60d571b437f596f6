"""A raw HTTP client for the misbehaviours: it shows every HTTP chunk, when it came, and how the exchange ended.

No HTTP library: those hide chunk borders and turn broken endings into their own errors.
"""

import json
import socket
import time
from dataclasses import dataclass, field
from typing import Any, Literal

Ending = Literal["clean", "cut", "reset", "silent"]


@dataclass(slots=True)
class RawAnswer:
    """``ending``: clean end of the HTTP message, EOF before it, TCP reset, or silence until the timeout."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    chunks: list[bytes] = field(default_factory=list)
    body: bytes = b""
    ending: Ending = "clean"
    headers_after: float = 0.0
    took: float = 0.0
    chunk_times: list[float] = field(default_factory=list)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def records(self) -> list[str]:
        """The SSE data fields, as text."""
        lines = self.body.decode().replace("\r\n", "\n").split("\n")
        return [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]

    @property
    def events(self) -> list[Any]:
        return [json.loads(record) for record in self.records if record != "[DONE]"]

    @property
    def text(self) -> str:
        """The streamed text, on either wire."""
        found = ""
        for event in self.events:
            if event.get("type") == "content_block_delta":
                found += event["delta"].get("text", "")
            for choice in event.get("choices", ()):
                found += choice["delta"].get("content") or ""
        return found


def post(
    base_url: str,
    path: str,
    body: Any,
    *,
    headers: dict[str, str] | None = None,
    timeout: float = 5,
) -> RawAnswer:
    """One request on its own connection. ``timeout``: how long silence may last before it is the ending."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = {
        "host": "sandbox",
        "authorization": "Bearer sk-test",
        "x-goog-api-key": "sk-test",
        "anthropic-version": "2023-06-01",
        "content-type": "application/json",
        "content-length": str(len(content)),
        **(headers or {}),
    }
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    host, _, port = base_url.removeprefix("http://").partition(":")
    answer = RawAnswer()
    started = time.monotonic()
    with socket.create_connection((host, int(port)), timeout=timeout) as connection:
        connection.sendall(f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + content)
        with connection.makefile("rb") as incoming:
            try:
                _read(incoming, answer, started)
            except ConnectionResetError:
                answer.ending = "reset"
            except TimeoutError:
                answer.ending = "silent"
    answer.took = time.monotonic() - started
    return answer


def _read(incoming: Any, answer: RawAnswer, started: float) -> None:
    status_line = incoming.readline()
    if not status_line:
        answer.ending = "cut"
        return
    answer.status = int(status_line.split()[1])
    while line := incoming.readline().strip():
        name, _, value = line.decode().partition(":")
        answer.headers[name.lower()] = value.strip()
    answer.headers_after = time.monotonic() - started
    if answer.headers.get("transfer-encoding") == "chunked":
        _read_chunks(incoming, answer, started)
        return
    length = int(answer.headers.get("content-length", 0))
    while len(answer.body) < length:
        piece = incoming.read1(length - len(answer.body))
        if not piece:
            answer.ending = "cut"
            return
        answer.body += piece


def _read_chunks(incoming: Any, answer: RawAnswer, started: float) -> None:
    while True:
        size_line = incoming.readline()
        if not size_line:
            answer.ending = "cut"
            return
        size = int(size_line, 16)
        chunk = incoming.read(size + 2)[:-2]
        if not size:
            return
        answer.chunks.append(chunk)
        answer.chunk_times.append(time.monotonic() - started)
        answer.body += chunk
