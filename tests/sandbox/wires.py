"""The wires of the sandbox as a table: how a short question is put on each, and how its stream is read."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.eventstream import EventStreamBuffer  # type: ignore[import-untyped]

from tests.sandbox.process import SandboxProcess
from tests.sandbox.raw import RawAnswer, post

TEXT = "one two three four"


@dataclass(frozen=True, slots=True, kw_only=True)
class WireUnderTest:
    """``read`` turns a streamed body into its records; the others find in a record or body what tests ask for."""

    path: Callable[[str, bool], str]
    body: Callable[[str, bool, str], dict[str, Any]]
    read: Callable[[bytes], list[Any]]
    text: Callable[[Any], str]
    whole_text: Callable[[Any], str]
    usage: Callable[[Any], Any]
    is_error: Callable[[Any], bool]
    is_finish: Callable[[Any], bool]

    def ask(
        self,
        sandbox: SandboxProcess,
        options: str = "",
        *,
        stream: bool = True,
        text: str = TEXT,
        **send: Any,
    ) -> RawAnswer:
        model = f"echo+{options}" if options else "echo"
        path = self.path(model, stream)
        return post(sandbox.base_url, path, self.body(model, stream, text), **send)

    def pieces(self, body: bytes) -> list[str]:
        return [piece for record in self.read(body) if (piece := self.text(record))]


def read_sse(body: bytes) -> list[Any]:
    lines = body.decode().replace("\r\n", "\n").split("\n")
    records = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
    return [json.loads(record) for record in records if record != "[DONE]"]


def _read_array(body: bytes) -> list[Any]:
    found: list[Any] = json.loads(body)
    return found


def _gemini_text(record: Any) -> str:
    candidates = record.get("candidates") or [{}]
    parts = candidates[0].get("content", {}).get("parts", ())
    return "".join(part.get("text", "") for part in parts)


def _gemini_body(model: str, stream: bool, text: str) -> dict[str, Any]:
    return {"contents": [{"role": "user", "parts": [{"text": text}]}]}


def _gemini(query: str, read: Callable[[bytes], list[Any]], prefix: str) -> WireUnderTest:
    return WireUnderTest(
        path=lambda model, stream: (
            f"{prefix}/models/{model}:streamGenerateContent{query}"
            if stream
            else f"{prefix}/models/{model}:generateContent"
        ),
        body=_gemini_body,
        read=read,
        text=_gemini_text,
        whole_text=_gemini_text,
        usage=lambda record: record.get("usageMetadata"),
        is_error=lambda record: "error" in record,
        is_finish=lambda record: any("finishReason" in c for c in record.get("candidates", ())),
    )


def _responses_text(event: Any) -> str:
    found = event.get("type") in ("response.output_text.delta", "response.refusal.delta")
    return event["delta"] if found else ""


def _responses_whole(body: Any) -> str:
    return "".join(
        part.get("text", part.get("refusal", ""))
        for item in body["output"]
        for part in item.get("content", ())
    )


def _completions_body(model: str, stream: bool, text: str) -> dict[str, Any]:
    options = {"stream_options": {"include_usage": True}} if stream else {}
    return {"model": model, "stream": stream, "prompt": text, "max_tokens": 1000, **options}


def _completions_text(record: Any) -> str:
    return "".join(choice["text"] for choice in record.get("choices", ()))


def read_event_stream(body: bytes) -> list[Any]:
    """AWS's frames, taken apart by botocore, which checks lengths and sums."""
    buffer = EventStreamBuffer()
    buffer.add_data(body)
    records = []
    for message in buffer:
        headers = message.headers
        kind = headers.get(":event-type") or headers[":exception-type"]
        records.append({"kind": kind, **json.loads(message.payload)})
    return records


def _bedrock_body(model: str, stream: bool, text: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [{"text": text}]}]}


def _bedrock_whole(body: Any) -> str:
    return "".join(block.get("text", "") for block in body["output"]["message"]["content"])


VERTEX = "/v1/projects/p/locations/global/publishers/google"

WIRES: Mapping[str, WireUnderTest] = {
    "gemini": _gemini("?alt=sse", read_sse, "/v1beta"),
    "gemini-array": _gemini("", _read_array, "/v1beta"),
    "vertex": _gemini("?alt=sse", read_sse, VERTEX),
    "completions": WireUnderTest(
        path=lambda model, stream: "/v1/completions",
        body=_completions_body,
        read=read_sse,
        text=_completions_text,
        whole_text=_completions_text,
        usage=lambda record: record.get("usage"),
        is_error=lambda record: "error" in record,
        is_finish=lambda record: any(c["finish_reason"] for c in record.get("choices", ())),
    ),
    "bedrock": WireUnderTest(
        path=lambda model, stream: f"/model/{model}/converse{'-stream' if stream else ''}",
        body=_bedrock_body,
        read=read_event_stream,
        text=lambda record: record.get("delta", {}).get("text", ""),
        whole_text=_bedrock_whole,
        usage=lambda record: record.get("usage"),
        is_error=lambda record: record["kind"].endswith("Exception"),
        is_finish=lambda record: record["kind"] == "messageStop",
    ),
    "responses": WireUnderTest(
        path=lambda model, stream: "/v1/responses",
        body=lambda model, stream, text: {"model": model, "stream": stream, "input": text},
        read=read_sse,
        text=_responses_text,
        whole_text=_responses_whole,
        usage=lambda record: (record.get("response") or record).get("usage"),
        is_error=lambda record: record.get("type") == "error",
        is_finish=lambda record: record.get("type") == "response.completed",
    ),
}
