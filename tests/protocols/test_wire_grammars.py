"""The grammars against what hosts send: every fixture is a stream of its wire, also when it was passed on, and no broken one is."""

import re
from collections.abc import Callable

import orjson
import pytest

from apps.catalog.providers.spec import Wire
from apps.inference.canonical.eventstream import encode_message
from apps.inference.relay import AnswerShape
from apps.inference.verbatim import VERBATIM_WIRES, VerbatimLane
from tests.protocols.cases import CASES, FIXTURES, IDENTITY, SSE_CASES, USAGE, Case, portions, price
from tests.protocols.grammars import check_stream

CHAT, MESSAGES, RESPONSES = Wire.OPENAI_CHAT, Wire.ANTHROPIC_MESSAGES, Wire.OPENAI_RESPONSES
GEMINI, CONVERSE = Wire.GEMINI, Wire.BEDROCK_CONVERSE


@pytest.mark.parametrize("case", CASES, ids=str)
def test_fixture_is_a_stream_of_its_wire(case: Case):
    check_stream(case.wire, case.stream)


@pytest.mark.parametrize("include_usage", [True, False])
@pytest.mark.parametrize("case", [c for c in SSE_CASES if c.wire in VERBATIM_WIRES], ids=str)
def test_fixture_that_was_passed_on_is_a_stream_of_its_wire(case: Case, include_usage: bool):
    shape = AnswerShape(identity=IDENTITY, price=price, include_usage=include_usage)
    relay = VerbatimLane(case.wire, {}).stream(shape)

    shown = [relay.feed(piece) for piece in portions(case.stream, 100)]
    shown += [relay.end(), relay.finish(relay.tally.usage or USAGE)]

    check_stream(case.wire, b"".join(shown))


def records(stream: bytes) -> list[bytes]:
    return [record + b"\n\n" for record in stream.split(b"\n\n") if record]


def without(pattern: str) -> Callable[[bytes], bytes]:
    """The stream without the records that the pattern is found in."""

    def change(stream: bytes) -> bytes:
        kept = [one for one in records(stream) if not re.search(pattern.encode(), one)]
        assert len(kept) < len(records(stream))
        return b"".join(kept)

    return change


def twice(pattern: str) -> Callable[[bytes], bytes]:
    def change(stream: bytes) -> bytes:
        found = records(stream)
        assert any(re.search(pattern.encode(), one) for one in found)
        return b"".join(one * (2 if re.search(pattern.encode(), one) else 1) for one in found)

    return change


def written(pattern: str, other: str) -> Callable[[bytes], bytes]:
    def change(stream: bytes) -> bytes:
        changed, count = re.subn(pattern.encode(), other.encode(), stream, count=1)
        assert count
        return changed

    return change


def first_last(stream: bytes) -> bytes:
    first, *rest = records(stream)
    return b"".join((*rest, first))


BROKEN: list[tuple[Wire, str, str, Callable[[bytes], bytes]]] = [
    (CHAT, "text", "no [DONE]", without(r"\[DONE\]")),
    (CHAT, "text", "no reason to end", without(r'"finish_reason":\s*"stop"')),
    (CHAT, "text", "ended twice", twice(r'"finish_reason":\s*"stop"')),
    (CHAT, "text", "a reason that nobody knows", written(r'"finish_reason":\s*"stop"', '"finish_reason":"done"')),
    (CHAT, "text", "an id of its own", written(r'"id":\s*"[^"]+"', '"id":"other"')),
    (CHAT, "text", "usage first", lambda s: b"".join((*records(s)[-2:-1], *records(s)[:-2], records(s)[-1]))),
    (CHAT, "tools_parallel", "calls numbered from 1", written(r'"tool_calls":\s*\[\{"index":\s*0', '"tool_calls":[{"index":1')),
    (MESSAGES, "text", "no start", without("event: message_start")),
    (MESSAGES, "text", "no end", without("event: message_stop")),
    (MESSAGES, "text", "two ends", twice("event: message_stop")),
    (MESSAGES, "text", "a block that stays open", without("event: content_block_stop")),
    (MESSAGES, "text", "a block that nobody opened", without("event: content_block_start")),
    (MESSAGES, "text", "a block opened twice", twice("event: content_block_start")),
    (MESSAGES, "text", "no reason to end", without("event: message_delta")),
    (MESSAGES, "text", "an event under another name", written("event: content_block_delta", "event: delta")),
    (MESSAGES, "text", "a ping before the start", lambda s: b'event: ping\ndata: {"type":"ping"}\n\n' + s),
    (MESSAGES, "text", "a delta of another kind", written('"type":"text_delta"', '"type":"input_json_delta"')),
    (MESSAGES, "server_tools", "words in a result", written('"index":2,"content_block":{"type":"text"', '"index":2,"content_block":{"type":"web_search_tool_result"')),
    (MESSAGES, "tools_parallel", "blocks numbered from 5", written(r'"index":\s*0', '"index":5')),
    (MESSAGES, "thinking", "first last", first_last),
    (RESPONSES, "text", "no end", without("event: response.completed")),
    (RESPONSES, "text", "two beginnings", twice("event: response.created")),
    (RESPONSES, "text", "words told twice", twice("event: response.output_text.delta")),
    (RESPONSES, "text", "a number twice", written(r'"sequence_number":\s*3\b', '"sequence_number":2')),
    (RESPONSES, "text", "an item that stays open", without("event: response.output_item.done")),
    (GEMINI, "text", "no reason to end", written(r'"finishReason":\s*"STOP",?\s*', "")),
    (GEMINI, "text", "more after the end", first_last),
    (GEMINI, "text", "another answer's id", written(r'"responseId":\s*"[^"]+"', '"responseId":"other"')),
    (GEMINI, "text", "a part without content", written(r'\{"text":\s*"[^"]+"\}', "{}")),
    (GEMINI, "text", "counts that fall", written(r'"totalTokenCount":\s*\d+', '"totalTokenCount":99999')),
    (GEMINI, "text", "a user's words", written('"role": "model"', '"role": "user"')),
    (GEMINI, "prompt_blocked", "no reason", written(r'"blockReason":\s*"[^"]+",?\s*', "")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("wire", "name", "change"),
    [pytest.param(wire, name, change, id=f"{wire}-{why}") for wire, name, why, change in BROKEN],
)
def test_broken_stream_is_none_of_its_wire(wire: Wire, name: str, change: Callable[[bytes], bytes]):
    broken = change(Case(wire, name).stream)

    with pytest.raises((AssertionError, LookupError, ValueError)):
        check_stream(wire, broken)


CONVERSATION = "messageStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata"


@pytest.mark.parametrize("left_out", CONVERSATION)
def test_conversation_without_one_of_its_events_is_none(left_out: str):
    lines = (FIXTURES / CONVERSE / "text_cached" / "stream.jsonl").read_bytes().splitlines()
    events = [pair for line in lines for pair in orjson.loads(line).items()]
    kept = [(name, data) for name, data in events if name != left_out]

    with pytest.raises((AssertionError, LookupError, ValueError)):
        check_stream(
            CONVERSE,
            b"".join(encode_message(orjson.dumps(data), event=name) for name, data in kept),
        )
