"""What each wire's stream may look like, record by record: written by hand from the published formats.

Every stream that a test makes for a client is checked against these, so an encoder cannot write what an official client
would stumble over, whatever the upstream said.
"""

from typing import Any

import orjson

from apps.catalog.providers.spec import Wire
from apps.inference.canonical.sse import SseRecord
from apps.inference.protocols import CODECS
from tests.protocols import responses_stream

Json = dict[str, Any]


def check_stream(wire: Wire, stream: bytes) -> None:
    """Fails when the stream is not a whole one of its wire."""
    _CHECKS[wire](stream)


def _records_of(wire: Wire, stream: bytes) -> list[SseRecord]:
    framing = CODECS[wire].framing()
    return framing.feed(stream) + framing.flush()


def _check_openai(stream: bytes) -> None:
    """role, deltas, one finish, perhaps usage, ``[DONE]``; calls numbered from 0 and named in their first fragment."""
    *records, done = _records_of(Wire.OPENAI_CHAT, stream)
    assert done.data == b"[DONE]"
    chunks = [orjson.loads(record.data) for record in records]
    assert all(record.event == "" for record in records)
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert len({(chunk["id"], chunk["created"], chunk["model"]) for chunk in chunks}) == 1
    if chunks[-1].get("usage") is not None:
        assert chunks.pop()["choices"] == []
    assert all(chunk.get("usage") is None for chunk in chunks)
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    assert len(choices) == len(chunks)
    assert choices[0]["delta"]["role"] == "assistant"
    *said, last = choices
    assert all(choice["finish_reason"] is None for choice in said)
    assert last["delta"] == {}
    assert last["finish_reason"] in {
        "stop",
        "length",
        "tool_calls",
        "function_call",
        "content_filter",
    }
    _check_fragments([call for choice in said for call in choice["delta"].get("tool_calls", ())])


def _check_fragments(fragments: list[Json]) -> None:
    opened = 0
    ids: list[str] = []
    for fragment in fragments:
        if "id" in fragment:
            assert fragment["index"] == opened
            assert fragment["type"] == "function"
            assert type(fragment["function"]["name"]) is str
            ids.append(fragment["id"])
            opened += 1
        else:
            assert fragment["index"] < opened
            assert "name" not in fragment["function"]
        assert type(fragment["function"]["arguments"]) is str
    assert all(ids)


_DELTAS = {
    "text": {"text_delta", "citations_delta"},
    "thinking": {"thinking_delta", "signature_delta"},
    "tool_use": {"input_json_delta"},
}


def _check_anthropic(stream: bytes) -> None:
    """message_start, blocks one after the other, message_delta, message_stop; the event names its own type."""
    records = _records_of(Wire.ANTHROPIC_MESSAGES, stream)
    events = [orjson.loads(record.data) for record in records]
    assert [record.event for record in records] == [event["type"] for event in events]
    start, *blocks, delta, stop = events
    assert start["type"] == "message_start"
    assert start["message"]["content"] == []
    assert delta["type"] == "message_delta"
    assert delta["delta"]["stop_reason"]
    assert "output_tokens" in delta["usage"]
    assert stop == {"type": "message_stop"}
    _check_blocks(blocks)


def _check_blocks(events: list[Json]) -> None:
    open_kind = ""
    count = 0
    ids: set[str] = set()
    for event in events:
        assert event["index"] == count
        match event["type"]:
            case "content_block_start":
                assert not open_kind
                block = event["content_block"]
                open_kind = block["type"]
                if open_kind == "tool_use":
                    assert block["id"]
                    assert block["id"] not in ids
                    ids.add(block["id"])
            case "content_block_delta":
                assert event["delta"]["type"] in _DELTAS[open_kind]
            case "content_block_stop":
                assert open_kind
                open_kind = ""
                count += 1
            case other:
                raise AssertionError(f"{other} stands among the blocks")
    assert not open_kind


_PART_KEYS = {"text", "functionCall", "executableCode", "codeExecutionResult", "inlineData"}


def _check_gemini(stream: bytes) -> None:
    """Whole answers with content each; only the last has a finish reason and usage."""
    records = _records_of(Wire.GEMINI, stream)
    assert all(record.event == "" for record in records)
    chunks = [orjson.loads(record.data) for record in records]
    assert len({(chunk["responseId"], chunk["modelVersion"]) for chunk in chunks}) == 1
    last = chunks[-1]
    for chunk in chunks:
        [candidate] = chunk["candidates"]
        assert candidate["index"] == 0
        assert candidate["content"]["role"] == "model"
        for part in candidate["content"]["parts"]:
            _check_part(part)
        assert candidate["content"]["parts"]
        assert ("finishReason" in candidate) is (chunk is last)
        assert ("usageMetadata" in chunk) is (chunk is last)
    usage = last["usageMetadata"]
    counted = (
        usage["promptTokenCount"] + usage["candidatesTokenCount"] + usage["thoughtsTokenCount"]
    )
    assert usage["totalTokenCount"] == counted


def _check_part(part: Json) -> None:
    assert len(_PART_KEYS & part.keys()) == 1
    if call := part.get("functionCall"):
        assert type(call["name"]) is str
        assert type(call["args"]) is dict
        assert part.keys() <= {"functionCall", "thoughtSignature"}


def _check_converse(stream: bytes) -> None:
    """messageStart, blocks one after the other, messageStop, metadata; only calls have a start."""
    records = _records_of(Wire.BEDROCK_CONVERSE, stream)
    names = [record.event for record in records]
    payloads = [orjson.loads(record.data) for record in records]
    assert names[0] == "messageStart"
    assert names[-2:] == ["messageStop", "metadata"]
    assert payloads[0] == {"role": "assistant"}
    assert payloads[-2]["stopReason"]
    assert payloads[-1]["metrics"]["latencyMs"] == 0
    usage = payloads[-1]["usage"]
    cached = usage["cacheReadInputTokens"] + usage["cacheWriteInputTokens"]
    assert usage["totalTokens"] == usage["inputTokens"] + usage["outputTokens"] + cached
    count = 0
    open_kind = ""
    for name, payload in zip(names[1:-2], payloads[1:-2], strict=True):
        assert payload["contentBlockIndex"] == count
        match name:
            case "contentBlockStart":
                assert not open_kind
                assert payload["start"]["toolUse"]["toolUseId"]
                open_kind = "toolUse"
            case "contentBlockDelta":
                [kind] = payload["delta"]
                assert open_kind in {"", kind}
                assert open_kind or kind != "toolUse"
                open_kind = kind
            case "contentBlockStop":
                assert open_kind
                open_kind = ""
                count += 1
            case other:
                raise AssertionError(f"{other} stands among the blocks")
    assert not open_kind


_CHECKS = {
    Wire.OPENAI_CHAT: _check_openai,
    Wire.ANTHROPIC_MESSAGES: _check_anthropic,
    Wire.GEMINI: _check_gemini,
    Wire.OPENAI_RESPONSES: responses_stream.check_stream,
    Wire.BEDROCK_CONVERSE: _check_converse,
}
