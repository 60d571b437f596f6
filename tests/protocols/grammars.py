"""What each wire's stream may look like, record by record: written by hand from the published formats.

``check_stream`` is the wire: whatever a host documents passes, and whatever an official client would stumble over does
not. ``check_own_stream`` also knows the habits of our encoders, of which a wire leaves some open.

https://platform.openai.com/docs/api-reference/chat-streaming
https://platform.claude.com/docs/en/build-with-claude/streaming
https://ai.google.dev/api/generate-content#method:-models.streamgeneratecontent
https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_ConverseStream.html
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


def check_own_stream(wire: Wire, stream: bytes) -> None:
    """Fails when an encoder of ours cannot have written it."""
    check_stream(wire, stream)
    if habits := _HABITS.get(wire):
        habits([orjson.loads(r.data) for r in _records_of(wire, stream) if r.data != b"[DONE]"])


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
    # DeepSeek's and others' names what it leaves empty: https://api-docs.deepseek.com/api/create-chat-completion.
    assert not any(last["delta"].values())
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


def _chat_habits(chunks: list[Json]) -> None:
    """The chunk that says why it ended says nothing else."""
    [last] = [chunk for chunk in chunks if any(c["finish_reason"] for c in chunk["choices"])]
    assert last["choices"][0]["delta"] == {}


_DELTAS = {
    "text": {"text_delta", "citations_delta"},
    "thinking": {"thinking_delta", "signature_delta"},
    "tool_use": {"input_json_delta"},
    "server_tool_use": {"input_json_delta"},
    "mcp_tool_use": {"input_json_delta"},
    "compaction": {"compaction_delta"},
}
"""Blocks of any other kind, as a server tool's result or redacted thinking, come whole."""


def _check_anthropic(stream: bytes) -> None:
    """message_start, blocks one after the other, one or more message_delta, message_stop; the event names its own type.

    A ping may stand anywhere behind the start.
    """
    records = _records_of(Wire.ANTHROPIC_MESSAGES, stream)
    every = [orjson.loads(record.data) for record in records]
    assert [record.event for record in records] == [event["type"] for event in every]
    events = [event for event in every if event != {"type": "ping"}]
    start, *told, stop = events
    assert every[0] is start
    assert every[-1] is stop
    assert start["type"] == "message_start"
    assert start["message"]["role"] == "assistant"
    assert start["message"]["content"] == []
    assert stop == {"type": "message_stop"}
    blocks = [event for event in told if event["type"] != "message_delta"]
    deltas = told[len(blocks) :]
    assert deltas
    for delta in deltas:
        assert delta["type"] == "message_delta"
        assert "output_tokens" in delta["usage"]
    assert deltas[-1]["delta"]["stop_reason"]
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
                assert open_kind
                if open_kind.endswith("tool_use"):
                    assert block["id"]
                    assert block["name"]
                    assert block["id"] not in ids
                    ids.add(block["id"])
            case "content_block_delta":
                assert event["delta"]["type"] in _DELTAS.get(open_kind, ())
            case "content_block_stop":
                assert open_kind
                open_kind = ""
                count += 1
            case other:
                raise AssertionError(f"{other} stands among the blocks")
    assert not open_kind


def _messages_habits(events: list[Json]) -> None:
    """No pings, and one delta of the message."""
    kinds = [event["type"] for event in events]
    assert "ping" not in kinds
    assert kinds.count("message_delta") == 1


_PART_KEYS = {"text", "functionCall", "executableCode", "codeExecutionResult", "inlineData"}


def _check_gemini(stream: bytes) -> None:
    """Parts of one answer, a reason to end behind them, and counts so far that never fall; or a refused prompt alone."""
    records = _records_of(Wire.GEMINI, stream)
    assert all(record.event == "" for record in records)
    chunks = [orjson.loads(record.data) for record in records]
    assert len({(chunk["responseId"], chunk["modelVersion"]) for chunk in chunks}) == 1
    _check_counts([chunk["usageMetadata"] for chunk in chunks if "usageMetadata" in chunk])
    assert "usageMetadata" in chunks[-1]
    if "promptFeedback" in chunks[0] and not chunks[0].get("candidates"):
        [blocked] = chunks
        assert blocked["promptFeedback"]["blockReason"]
        return
    has_ended = False
    for chunk in chunks:
        for candidate in chunk.get("candidates", ()):
            assert not has_ended
            has_ended = bool(candidate.get("finishReason"))
            _check_candidate(candidate)
        assert len(chunk.get("candidates", ())) == 1 or has_ended
    assert has_ended


def _check_candidate(candidate: Json) -> None:
    assert candidate.get("index", 0) == 0
    # A filter, or an end that came too late for the last words, leaves a reason alone.
    assert "content" in candidate or candidate["finishReason"]
    if content := candidate.get("content"):
        assert content["role"] == "model"
        assert content.get("parts") or candidate["finishReason"]
        for part in content.get("parts", ()):
            _check_part(part)


def _check_counts(usages: list[Json]) -> None:
    for usage in usages:
        known = [usage.get(f"{name}TokenCount", 0) for name in ("prompt", "candidates", "thoughts")]
        assert all(type(count) is int and count >= 0 for count in known)
        assert usage["totalTokenCount"] >= sum(known)
    totals = [usage["totalTokenCount"] for usage in usages]
    assert totals == sorted(totals)


def _check_part(part: Json) -> None:
    assert len(_PART_KEYS & part.keys()) == 1
    if call := part.get("functionCall"):
        assert type(call["name"]) is str
        assert type(call.get("args", {})) is dict
        assert part.keys() <= {"functionCall", "thoughtSignature"}


def _gemini_habits(chunks: list[Json]) -> None:
    """Content in each; only the last has a finish reason and usage, whose sum is exact."""
    last = chunks[-1]
    for chunk in chunks:
        [candidate] = chunk["candidates"]
        assert candidate["index"] == 0
        assert candidate["content"]["parts"]
        for part in candidate["content"]["parts"]:
            assert "functionCall" not in part or "args" in part["functionCall"]
        assert ("finishReason" in candidate) is (chunk is last)
        assert ("usageMetadata" in chunk) is (chunk is last)
    usage = last["usageMetadata"]
    counted = (
        usage["promptTokenCount"] + usage["candidatesTokenCount"] + usage["thoughtsTokenCount"]
    )
    assert usage["totalTokenCount"] == counted


def _check_converse(stream: bytes) -> None:
    """messageStart, blocks one after the other, messageStop, metadata; only calls have a start. ``p`` is padding."""
    records = _records_of(Wire.BEDROCK_CONVERSE, stream)
    names = [record.event for record in records]
    payloads = [orjson.loads(record.data) for record in records]
    for payload in payloads:
        assert type(payload.pop("p", "")) is str
    assert names[0] == "messageStart"
    assert names[-2:] == ["messageStop", "metadata"]
    assert payloads[0] == {"role": "assistant"}
    assert payloads[-2]["stopReason"]
    assert payloads[-1]["metrics"]["latencyMs"] >= 0
    usage = payloads[-1]["usage"]
    cached = usage.get("cacheReadInputTokens", 0) + usage.get("cacheWriteInputTokens", 0)
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


def _converse_habits(events: list[Json]) -> None:
    """No padding, nothing measured, every count told."""
    assert not any("p" in event for event in events)
    assert events[-1]["metrics"]["latencyMs"] == 0
    assert {"cacheReadInputTokens", "cacheWriteInputTokens"} <= events[-1]["usage"].keys()


_CHECKS = {
    Wire.OPENAI_CHAT: _check_openai,
    Wire.ANTHROPIC_MESSAGES: _check_anthropic,
    Wire.GEMINI: _check_gemini,
    Wire.OPENAI_RESPONSES: responses_stream.check_stream,
    Wire.BEDROCK_CONVERSE: _check_converse,
}
_HABITS = {
    Wire.OPENAI_CHAT: _chat_habits,
    Wire.ANTHROPIC_MESSAGES: _messages_habits,
    Wire.GEMINI: _gemini_habits,
    Wire.BEDROCK_CONVERSE: _converse_habits,
}
