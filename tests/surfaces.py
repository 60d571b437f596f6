"""The two inference surfaces as a client without an SDK sees them: how to ask, and what an answer says."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Any

import httpx

from apps.catalog.providers.spec import Wire
from apps.common.errors import ERROR_CODES
from apps.inference.protocols import CODECS

Json = dict[str, Any]
TEXT = "Hello there"


class Surface(Enum):
    CHAT = "/v1/chat/completions"
    MESSAGES = "/v1/messages"

    def __str__(self) -> str:
        return self.name.lower()

    @property
    def path(self) -> str:
        return self.value

    @property
    def wire(self) -> Wire:
        return Wire.OPENAI_CHAT if self is Surface.CHAT else Wire.ANTHROPIC_MESSAGES

    def body(self, model: str, text: str = TEXT, **fields: Any) -> Json:
        body = {"model": model, "messages": [{"role": "user", "content": text}], "max_tokens": 100}
        return body | fields


SURFACES = tuple(Surface)
FIRST_WIRES = (Wire.OPENAI_CHAT, Wire.ANTHROPIC_MESSAGES)
LATER_WIRES = (Wire.OPENAI_RESPONSES, Wire.GEMINI, Wire.BEDROCK_CONVERSE)
HOST_WIRES = (*FIRST_WIRES, *(wire for wire in LATER_WIRES if wire in CODECS))
"""What the sandbox speaks to a chat."""
LANES = [(surface, wire) for surface in Surface for wire in FIRST_WIRES] + [
    (surface, wire) for surface in Surface for wire in HOST_WIRES[2:]
]
"""(what the client speaks, what the host speaks): verbatim, translated, translated, verbatim; then translated ones."""


def name_lane(lane: tuple[Surface, Wire]) -> str:
    surface, wire = lane
    return f"{surface}-to-{wire.value}"


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, or a stream read to its end."""

    status: int
    headers: httpx.Headers
    events: list[Json]
    """Of a stream its records, without ``[DONE]``; else the body alone."""
    is_finished: bool
    """It ended as the dialect ends a complete answer."""

    @property
    def text(self) -> str:
        return "".join(text for event in self.events for text in texts_of(event))

    @property
    def error(self) -> Json | None:
        """In the body or in the stream."""
        found = [event["error"] for event in self.events if event.get("error")]
        return found[0] if found else None

    @property
    def usage(self) -> Json:
        """The last usage that it told."""
        usages = [event["usage"] for event in self.events if event.get("usage")]
        assert usages, "no usage in the answer"
        found: Json = usages[-1]
        return found

    @property
    def output_tokens(self) -> int:
        return int(self.usage.get("completion_tokens") or self.usage["output_tokens"])

    @property
    def input_tokens(self) -> int:
        return int(self.usage.get("prompt_tokens") or self.usage["input_tokens"])


def ask(
    client: httpx.Client, surface: Surface, body: Json, *, headers: dict[str, str] | None = None
) -> Answer:
    """Send one request and read all of its answer."""
    with client.stream("POST", surface.path, json=body, headers=headers) as response:
        content = response.read()
    return read_answer(response, content)


def read_answer(response: httpx.Response, content: bytes) -> Answer:
    if not response.headers["content-type"].startswith("text/event-stream"):
        return Answer(response.status_code, response.headers, [json.loads(content)], True)
    events, done = read_events(content)
    finished = done or any(event.get("type") == "message_stop" for event in events)
    return Answer(response.status_code, response.headers, events, finished)


def read_events(content: bytes) -> tuple[list[Json], bool]:
    """The records of a stream, and whether ``[DONE]`` was the last of them."""
    data = [
        line.removeprefix(b"data: ") for line in content.split(b"\n") if line.startswith(b"data: ")
    ]
    events = [json.loads(record) for record in data if record != b"[DONE]"]
    return events, bool(data) and data[-1] == b"[DONE]"


def check_error(answer: Answer, surface: Surface) -> Json:
    """The error, once its envelope is the surface's own and nothing of upstream's is in it."""
    (body,) = [event for event in answer.events if event.get("error")]
    error: Json = body["error"]
    assert error["code"] in ERROR_CODES
    assert error["message"]
    assert "param" in error
    if surface is Surface.CHAT:
        assert set(body) == {"error"}
        assert {"message", "type", "param", "code", "request_id"} <= set(error)
        assert error["request_id"] == answer.headers["x-request-id"]
    else:
        assert set(body) == {"type", "error", "request_id"}
        assert body["type"] == "error"
        assert body["request_id"] == answer.headers["x-request-id"]
    written = json.dumps(body).lower()
    for foreign in ("sandbox", "127.0.0.1", "http://", "traceback", "a-key-that"):
        assert foreign not in written
    return error


def without_identity(events: Iterable[Json]) -> list[Json]:
    """Events with what differs from request to request taken out."""
    return [_plain(event) for event in events]


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: "…" if key in {"id", "created", "request_id"} else _plain(item)
            for key, item in value.items()
        }
    return [_plain(item) for item in value] if isinstance(value, list) else value


def texts_of(event: Json) -> list[str]:
    """The visible text of a record or of a whole body, in either dialect."""
    found = [
        (choice.get("delta") or choice.get("message") or {}).get("content")
        for choice in event.get("choices") or ()
    ]
    if event.get("type") == "content_block_delta":
        found.append(event["delta"].get("text"))
    if event.get("type") == "message":
        found.extend(block.get("text") for block in event["content"])
    return [text for text in found if text]
