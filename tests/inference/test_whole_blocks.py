"""Blocks of Claude's own tools that come whole are content in a stream, as they are in a whole answer."""

from typing import Any

import orjson
import pytest

from apps.catalog.providers.spec import Wire
from apps.inference.relay import AnswerShape, Tally
from apps.inference.verbatim import VerbatimLane
from tests.protocols.cases import IDENTITY, USAGE, price

Json = dict[str, Any]

SHAPE = AnswerShape(identity=IDENTITY, price=price, include_usage=True)
BODY = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hello"}]}
RESULT = {"type": "code_execution_result", "stdout": "", "stderr": "", "return_code": 0}
CONTENT: dict[str, Json] = {
    "compaction": {"type": "compaction", "content": "So far: nothing."},
    "mcp": {"type": "mcp_tool_use", "id": "m", "name": "a", "server_name": "x", "input": {}},
    "upload": {"type": "container_upload", "file_id": "f"},
    "result": {"type": "code_execution_tool_result", "tool_use_id": "s", "content": RESULT},
    "search": {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
    "whole text": {"type": "text", "text": "Good day."},
    "whole thought": {"type": "thinking", "thinking": "Hm.", "signature": "s"},
}
SILENT: dict[str, Json] = {
    "text": {"type": "text", "text": ""},
    "thinking": {"type": "thinking", "thinking": "", "signature": ""},
    "redacted": {"type": "redacted_thinking", "data": "x"},
}


def streamed(block: Json) -> Tally:
    events: list[Json] = [
        {"type": "message_start", "message": {"id": "x", "usage": {}}},
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {}},
        {"type": "message_stop"},
    ]
    relay = VerbatimLane(Wire.ANTHROPIC_MESSAGES, {**BODY, "stream": True}).stream(SHAPE)
    for event in events:
        relay.feed(b"event: %s\ndata: %s\n\n" % (event["type"].encode(), orjson.dumps(event)))
    relay.finish(USAGE)
    return relay.tally


def whole(block: Json) -> Tally:
    relay = VerbatimLane(Wire.ANTHROPIC_MESSAGES, BODY).answer(SHAPE)
    answer = {"content": [block], "stop_reason": "end_turn"}
    relay.read(orjson.dumps(answer), "application/json")
    return relay.tally


@pytest.mark.parametrize("name", [*CONTENT, *SILENT])
def test_a_block_is_as_much_an_answer_streamed_as_whole(name: str):
    block = (CONTENT | SILENT)[name]

    assert streamed(block).is_empty is whole(block).is_empty is (name in SILENT)
