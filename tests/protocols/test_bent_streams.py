"""Streams from providers: cut ones, failing ones, and hosts that bend the format."""

from typing import Any

import orjson
import pytest

from apps.catalog.providers.spec import Wire
from apps.common.usage import Usage
from apps.inference.canonical.codec import MalformedUpstream
from apps.inference.canonical.content import Reasoning, Text, ToolCall
from apps.inference.canonical.events import (
    BlockDelta,
    BlockFinished,
    BlockKind,
    BlockStarted,
    Finished,
    FinishReason,
    Started,
    UpstreamError,
    UsageReported,
)
from apps.inference.canonical.eventstream import encode_message
from apps.inference.canonical.fold import fold
from apps.inference.canonical.sse import SseRecord
from apps.inference.protocols import CODECS
from apps.inference.relay import AnswerShape
from apps.inference.verbatim import VerbatimLane
from tests.protocols.cases import IDENTITY, encode_stream, events_of, price

OPENAI, ANTHROPIC, GEMINI = Wire.OPENAI_CHAT, Wire.ANTHROPIC_MESSAGES, Wire.GEMINI
BEDROCK = Wire.BEDROCK_CONVERSE


def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    body = {"id": "c1", "model": "m", "choices": [choice], **more}
    return b"data: " + orjson.dumps(body) + b"\n\n"


def message_event(kind: str, **fields: Any) -> bytes:
    body = orjson.dumps({"type": kind, **fields})
    return f"event: {kind}\n".encode() + b"data: " + body + b"\n\n"


def gemini_chunk(*parts: dict[str, Any], finish: str = "", **more: Any) -> bytes:
    candidate: dict[str, Any] = {"content": {"parts": parts, "role": "model"}}
    if finish:
        candidate["finishReason"] = finish
    body = {"candidates": [candidate], "responseId": "g1", "modelVersion": "m", **more}
    return b"data: " + orjson.dumps(body) + b"\n\n"


def converse_event(name: str, **payload: Any) -> bytes:
    return encode_message(orjson.dumps(payload), event=name)


def call_delta(index: int | None, arguments: str, **more: Any) -> dict[str, Any]:
    name = {"name": more.pop("name")} if "name" in more else {}
    place = {} if index is None else {"index": index}
    return {"tool_calls": [{**place, **more, "function": {**name, "arguments": arguments}}]}


def test_cut_openai_stream_has_no_finish():
    events = events_of(OPENAI, [chunk({"content": "a"})])

    assert events == [
        Started("c1", "m"),
        BlockStarted(0, BlockKind.TEXT),
        BlockDelta(0, "a"),
        BlockFinished(0),
    ]


def test_cut_anthropic_stream_has_usage_and_no_finish():
    usage = {"input_tokens": 9, "output_tokens": 1}
    start = message_event("message_start", message={"id": "m1", "model": "m", "usage": usage})

    events = events_of(ANTHROPIC, [start])

    assert events[0] == Started("m1", "m")
    assert isinstance(events[1], UsageReported)
    assert len(events) == 2


def test_a_later_zero_takes_no_count_back():
    usage = {"input_tokens": 9, "output_tokens": 1, "cache_read_input_tokens": 4}
    later = {"input_tokens": 0, "output_tokens": 5}
    stream = message_event("message_start", message={"usage": usage}) + message_event(
        "message_delta", delta={"stop_reason": "end_turn"}, usage=later
    )

    usage_read = fold(events_of(ANTHROPIC, [stream])).usage

    assert usage_read is not None
    assert (usage_read.input, usage_read.cache_read, usage_read.output) == (9, 4, 5)


@pytest.mark.parametrize(
    "deltas",
    [
        pytest.param(
            [call_delta(0, "{}", id="a", name="f"), call_delta(0, "{}", id="b", name="f")],
            id="every call is number 0",
        ),
        pytest.param(
            [call_delta(None, "{}", id="a", name="f"), call_delta(None, "{}", id="b", name="f")],
            id="no index",
        ),
        pytest.param(
            [
                call_delta(None, "", id="a", name="f"),
                call_delta(None, "{}"),
                call_delta(None, "{}", id="b", name="f"),
            ],
            id="no index, fragments",
        ),
        pytest.param(
            [
                call_delta(0, "{", id="a"),
                call_delta(0, "}", name="f"),
                call_delta(1, "{}", id="b", name="f"),
            ],
            id="late name",
        ),
        pytest.param(
            [
                call_delta(0, "{", id="a", name="f"),
                call_delta(0, "}", id="a", name="f"),
                call_delta(1, "{}", id="b", name="f"),
            ],
            id="repeated id and name",
        ),
        pytest.param(
            [
                call_delta(0, "{"),
                call_delta(0, "", id="a", name="f"),
                call_delta(0, "}"),
                call_delta(1, "{}", id="b", name="f"),
            ],
            id="arguments before the name",
        ),
        pytest.param(
            [
                call_delta(None, "{"),
                call_delta(None, "", id="a", name="f"),
                call_delta(None, "}"),
                call_delta(None, "{}", id="b", name="f"),
            ],
            id="no index, arguments before the name",
        ),
        pytest.param(
            [
                call_delta(None, "{", id="a", name="f"),
                call_delta(None, "{", id="b", name="f"),
                call_delta(None, "}", id="a"),
                call_delta(None, "}", id="b"),
            ],
            id="no index, fragments by id",
        ),
        pytest.param(
            [
                call_delta(0, "{", id="a", name="f"),
                call_delta(0, "{", id="b", name="f"),
                call_delta(0, "}", id="a"),
                call_delta(0, "}", id="b"),
            ],
            id="every call is number 0, fragments by id",
        ),
        pytest.param(
            [
                call_delta(0, "{", id="a", name="f"),
                call_delta(0, "}", id="another"),
                call_delta(1, "{}", id="b", name="f"),
            ],
            id="every fragment has an id of its own",
        ),
    ],
)
def test_hosts_that_bend_tool_calls(deltas: list[dict[str, Any]]):
    response = fold(events_of(OPENAI, [chunk(delta) for delta in deltas]))

    assert response.blocks == (
        ToolCall(id="a", name="f", arguments="{}"),
        ToolCall(id="b", name="f", arguments="{}"),
    )


def test_different_names_are_different_calls_when_there_is_neither_index_nor_id():
    deltas = [call_delta(None, "{}", name="f"), call_delta(None, "{}", name="g")]

    response = fold(events_of(OPENAI, [chunk(delta) for delta in deltas]))

    assert response.blocks == (
        ToolCall(id="call_c1_0", name="f", arguments="{}"),
        ToolCall(id="call_c1_1", name="g", arguments="{}"),
    )


@pytest.mark.parametrize("name", [None, ""])
def test_call_without_a_name_is_malformed(name: str | None):
    stream = chunk(call_delta(0, "{}", id="a", name=name), "tool_calls")
    function = {"name": name, "arguments": "{}"}
    message = {"tool_calls": [{"id": "a", "type": "function", "function": function}]}

    with pytest.raises(MalformedUpstream):
        events_of(OPENAI, [stream])
    with pytest.raises(MalformedUpstream):
        CODECS[OPENAI].decode_response({"choices": [{"message": message}]})


LEGACY_CALL = {"name": "f", "arguments": '{"x":1}'}
LEGACY_MESSAGE = {"role": "assistant", "content": None, "function_call": LEGACY_CALL}
LEGACY_ANSWER = {
    "id": "c1",
    "model": "m",
    "choices": [{"message": LEGACY_MESSAGE, "finish_reason": "function_call"}],
}
LEGACY_STREAM = [
    chunk({"content": None, "function_call": {"name": "f", "arguments": ""}}),
    chunk({"function_call": {"arguments": '{"x"'}}),
    chunk({"function_call": {"arguments": ":1}"}}),
    chunk({}, "function_call"),
]


def test_function_call_is_a_tool_call():
    whole = CODECS[OPENAI].decode_response(LEGACY_ANSWER)

    assert whole == fold(events_of(OPENAI, LEGACY_STREAM))
    assert whole.blocks == (ToolCall(id="call_c1_0", name="f", arguments='{"x":1}'),)
    assert whole.finish is FinishReason.TOOL_CALLS


@pytest.mark.parametrize("wire", [ANTHROPIC, GEMINI, Wire.OPENAI_RESPONSES])
def test_function_call_reaches_clients_of_other_wires(wire: Wire):
    streamed = fold(events_of(wire, [encode_stream(wire, events_of(OPENAI, LEGACY_STREAM))]))

    assert [
        (block.name, block.arguments) for block in streamed.blocks if isinstance(block, ToolCall)
    ] == [("f", '{"x":1}')]
    assert streamed.finish is FinishReason.TOOL_CALLS


def test_call_that_is_said_in_both_forms_is_one():
    delta = call_delta(0, "{}", id="a", name="f")
    both = delta | {"function_call": {"name": "f", "arguments": "{}"}}

    response = fold(events_of(OPENAI, [chunk(both, "tool_calls")]))

    assert response.blocks == (ToolCall(id="a", name="f", arguments="{}"),)


def test_function_call_alone_is_content_when_it_is_passed_on():
    shape = AnswerShape(identity=IDENTITY, price=price, include_usage=True)
    lane = VerbatimLane(OPENAI, {})
    answer, stream = lane.answer(shape), lane.stream(shape)

    answer.read(orjson.dumps(LEGACY_ANSWER), "application/json")
    for data in LEGACY_STREAM:
        stream.feed(data)

    for tally in (answer.tally, stream.tally):
        assert (tally.has_content, tally.output_bytes) == (True, len('f{"x":1}'))


def test_missing_call_ids_are_made_up_alike_in_stream_and_answer():
    streamed = fold(events_of(OPENAI, [chunk(call_delta(0, "{}", name="f"), "tool_calls")]))
    message = {"tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}
    body = {"id": "c1", "model": "m", "choices": [{"message": message, "finish_reason": "stop"}]}

    assert streamed == CODECS[OPENAI].decode_response(body)


REASONING: list[dict[str, Any]] = [
    {"reasoning": "hm"},
    {"thinking": "hm"},
    {"thinking": "hm", "reasoning_content": "hm"},
    {"reasoning": {"text": "hm"}},
    {"reasoning": {"content": "hm"}},
    {"reasoning": {"effort": "low"}, "thinking": "hm"},
    {"reasoning_details": [{"type": "reasoning.text", "content": "hm"}]},
    {"reasoning_details": [{"thinking": "h"}, {"type": "reasoning.encrypted"}, {"text": "m"}]},
]


@pytest.mark.parametrize(
    "delta",
    [
        {"reasoning_content": "hm"},
        {"reasoning": "hm", "reasoning_details": [{"type": "reasoning.text", "text": "hm"}]},
        {"reasoning_details": [{"type": "reasoning.summary", "summary": "hm"}]},
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]},
        *REASONING,
    ],
)
def test_reasoning_is_found_wherever_it_is(delta: dict[str, Any]):
    response = fold(events_of(OPENAI, [chunk(delta), chunk({"content": "ok"}, "stop")]))

    assert response.blocks == (Reasoning(text="hm"), Text("ok"))


@pytest.mark.parametrize("message", REASONING)
def test_reasoning_is_found_in_whole_answers(message: dict[str, Any]):
    body = {"id": "c1", "model": "m", "choices": [{"message": message, "finish_reason": "stop"}]}

    assert CODECS[OPENAI].decode_response(body).blocks == (Reasoning(text="hm"),)


@pytest.mark.parametrize("message", REASONING)
def test_reasoning_is_found_in_conversations(message: dict[str, Any]):
    body = {"model": "m", "messages": [{"role": "assistant", **message}]}

    (turn,) = CODECS[OPENAI].decode_request(body).messages

    assert "".join(part.text for part in turn.parts if isinstance(part, Reasoning)) == "hm"


@pytest.mark.parametrize("message", REASONING)
def test_reasoning_alone_is_content_when_it_is_passed_on(message: dict[str, Any]):
    shape = AnswerShape(identity=IDENTITY, price=price, include_usage=True)
    lane = VerbatimLane(OPENAI, {})
    answer, stream = lane.answer(shape), lane.stream(shape)

    body = {"id": "c1", "model": "m", "choices": [{"message": message, "finish_reason": "stop"}]}
    answer.read(orjson.dumps(body), "application/json")
    stream.feed(chunk(message, "stop"))

    for tally in (answer.tally, stream.tally):
        assert (tally.has_content, tally.output_bytes, tally.reasoning_bytes) == (True, 0, 2)


def test_chunks_without_choices_and_other_choices_are_passed_over():
    other = {"index": 1, "delta": {"content": "b"}, "finish_reason": "length"}
    stream = [
        b'data: {"id":"","choices":[],"prompt_filter_results":[]}\n\n',
        b'data: {"id":"x","object":"something.else"}\n\n',
        chunk({"content": "a"}),
        b"data: " + orjson.dumps({"id": "c1", "model": "m", "choices": [other]}) + b"\n\n",
        chunk({}, "stop"),
        b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":1}}\n\n',
    ]

    response = fold(events_of(OPENAI, stream))

    assert response.id == "c1"
    assert response.blocks == (Text("a"),)
    assert response.finish is FinishReason.STOP
    assert response.usage is not None


def test_whole_input_at_the_start_of_an_anthropic_block():
    block = {"type": "tool_use", "id": "a", "name": "f", "input": {"x": 1}}
    stream = message_event("content_block_start", index=0, content_block=block) + message_event(
        "content_block_stop", index=0
    )

    assert fold(events_of(ANTHROPIC, [stream])).blocks == (
        ToolCall(id="a", name="f", arguments='{"x":1}'),
    )


@pytest.mark.parametrize(
    ("wire", "stream", "error"),
    [
        (
            OPENAI,
            b'data: {"error":{"message":"busy","type":"server_error","code":null}}\n\n',
            UpstreamError("server_error", "busy"),
        ),
        (
            OPENAI,
            b'data: {"error":{"message":"busy","code":502},"choices":[{"finish_reason":"error"}]}\n\n',
            UpstreamError("502", "busy"),
        ),
        (OPENAI, b'data: {"error":"busy"}\n\n', UpstreamError("", "busy")),
        (OPENAI, b'event: error\ndata: {"message":"busy"}\n\n', UpstreamError("", "busy")),
        (
            OPENAI,
            b'data: {"object":"error","message":"busy","code":40303}\n\n',
            UpstreamError("40303", "busy"),
        ),
        (
            ANTHROPIC,
            b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"busy"}}\n\n',
            UpstreamError("overloaded_error", "busy"),
        ),
        (
            GEMINI,
            b'data: {"error":{"code":503,"message":"busy","status":"UNAVAILABLE"}}\n\n',
            UpstreamError("UNAVAILABLE", "busy"),
        ),
        (
            BEDROCK,
            encode_message(b'{"message":"busy"}', event="throttlingException", is_exception=True),
            UpstreamError("throttlingException", "busy"),
        ),
    ],
)
def test_errors_inside_a_stream_are_events(wire: Wire, stream: bytes, error: UpstreamError):
    assert events_of(wire, [stream]) == [error]


def test_cut_gemini_stream_has_usage_and_no_finish():
    chunk = gemini_chunk({"text": "a"}, usageMetadata={"promptTokenCount": 4})

    events = events_of(GEMINI, [chunk])

    assert events == [
        Started("g1", "m"),
        BlockStarted(0, BlockKind.TEXT),
        BlockDelta(0, "a"),
        BlockFinished(0),
        UsageReported(Usage(input=4)),
    ]


def test_a_meter_that_a_later_gemini_chunk_leaves_out_still_counts():
    first = {"promptTokenCount": 9, "cachedContentTokenCount": 4}
    last = {"promptTokenCount": 9, "candidatesTokenCount": 5}
    stream = [
        gemini_chunk({"text": "a"}, usageMetadata=first),
        gemini_chunk(finish="STOP", usageMetadata=last),
    ]

    assert fold(events_of(GEMINI, stream)).usage == Usage(input=5, cache_read=4, output=5)


@pytest.mark.parametrize("usage", [[1], "many", 7, {"promptTokenCount": -5}])
def test_nonsense_in_the_place_of_geminis_usage_is_reported_as_such(usage: Any):
    response = fold(events_of(GEMINI, [gemini_chunk({"text": "a"}, usageMetadata=usage)]))

    assert response.usage is None
    assert response.usage_reported


def test_gemini_calls_without_ids_get_different_ones_that_stay_the_same():
    call = {"functionCall": {"name": "f", "args": {"a": 1}}}
    streams = [gemini_chunk(call, call), gemini_chunk(call)]

    responses = [fold(events_of(GEMINI, streams)) for _ in range(2)]

    ids = [block.id for block in responses[0].blocks if isinstance(block, ToolCall)]
    assert len(set(ids)) == 3
    assert responses[0] == responses[1]


def test_gemini_ids_are_made_up_of_what_is_said_when_the_answer_has_none():
    def ids(argument: int) -> list[str]:
        call = {"functionCall": {"name": "f", "args": {"a": argument}}}
        response = fold(events_of(GEMINI, [gemini_chunk(call, call, responseId="")]))
        return [block.id for block in response.blocks if isinstance(block, ToolCall)]

    assert len(set(ids(1) + ids(2))) == 4
    assert ids(1) == ids(1)


def test_a_signature_seals_the_text_before_it():
    stream = [
        gemini_chunk({"text": "a"}),
        gemini_chunk({"text": "b"}),
        gemini_chunk({"text": "", "thoughtSignature": "s1"}),
        gemini_chunk({"text": "c", "thoughtSignature": "s2"}, finish="STOP"),
    ]

    assert fold(events_of(GEMINI, stream)).blocks == (
        Text("ab", signature="s1", origin=GEMINI),
        Text("c", signature="s2", origin=GEMINI),
    )


@pytest.mark.parametrize(
    ("reason", "finish"),
    [
        ("STOP", FinishReason.STOP),
        ("OTHER", FinishReason.STOP),
        ("UNHEARD_OF", FinishReason.STOP),
        ("MAX_TOKENS", FinishReason.LENGTH),
        ("RECITATION", FinishReason.CONTENT_FILTER),
        ("SPII", FinishReason.CONTENT_FILTER),
        ("BLOCKLIST", FinishReason.CONTENT_FILTER),
        ("FINISH_REASON_UNSPECIFIED", None),
    ],
)
def test_geminis_reasons_are_ours(reason: str, finish: FinishReason | None):
    assert fold(events_of(GEMINI, [gemini_chunk({"text": "a"}, finish=reason)])).finish is finish


@pytest.mark.parametrize("reason", ["MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL"])
def test_geminis_failing_finish_reasons_are_errors(reason: str):
    *_, last = events_of(GEMINI, [gemini_chunk(finish=reason)])

    assert isinstance(last, UpstreamError)
    assert last.code == reason


def test_converse_blocks_may_interleave_and_need_no_end():
    stream = [
        converse_event("messageStart", role="assistant"),
        converse_event("contentBlockDelta", contentBlockIndex=0, delta={"text": "a"}),
        converse_event(
            "contentBlockStart",
            contentBlockIndex=1,
            start={"toolUse": {"toolUseId": "t", "name": "f"}},
        ),
        converse_event("contentBlockDelta", contentBlockIndex=0, delta={"text": "b"}),
        converse_event("somethingNew", a=1),
        converse_event("messageStop", stopReason="tool_use"),
    ]

    response = fold(events_of(BEDROCK, stream))

    assert response.blocks == (Text("ab"), ToolCall(id="t", name="f", arguments="{}"))
    assert response.finish is FinishReason.TOOL_CALLS
    assert not response.usage_reported


def test_cut_converse_stream_has_no_finish():
    stream = [converse_event("contentBlockDelta", contentBlockIndex=0, delta={"text": "a"})]

    assert events_of(BEDROCK, stream) == [
        BlockStarted(0, BlockKind.TEXT),
        BlockDelta(0, "a"),
        BlockFinished(0),
    ]


@pytest.mark.parametrize("reason", ["malformed_model_output", "malformed_tool_use"])
def test_converses_failing_stop_reasons_are_errors(reason: str):
    *_, last = events_of(BEDROCK, [converse_event("messageStop", stopReason=reason)])

    assert isinstance(last, UpstreamError)


def test_converses_stop_reason_that_is_no_text_ends_the_turn():
    *_, last = events_of(BEDROCK, [converse_event("messageStop", stopReason=["end_turn"])])

    assert last == Finished(FinishReason.STOP)


def test_tools_that_run_at_amazon_are_passed_over():
    use = {"toolUseId": "t", "name": "nova_grounding", "type": "server_tool_use"}
    stream = [
        converse_event("contentBlockStart", contentBlockIndex=0, start={"toolUse": use}),
        converse_event(
            "contentBlockDelta", contentBlockIndex=0, delta={"toolUse": {"input": "{}"}}
        ),
        converse_event("contentBlockStop", contentBlockIndex=0),
        converse_event("contentBlockDelta", contentBlockIndex=1, delta={"text": "a"}),
        converse_event("messageStop", stopReason="end_turn"),
    ]

    response = fold(events_of(BEDROCK, stream))

    assert response.blocks == (Text("a"),)
    assert response.finish is FinishReason.STOP


def test_gemini_answer_without_candidates_has_no_content():
    response = CODECS[GEMINI].decode_response({"usageMetadata": {"promptTokenCount": 4}})

    assert response.blocks == ()
    assert response.finish is None


@pytest.mark.parametrize(
    ("wire", "before", "marker"),
    [
        (
            OPENAI,
            SseRecord("", b'{"choices":[{"finish_reason":"stop"}]}'),
            SseRecord("", b"[DONE]"),
        ),
        (
            ANTHROPIC,
            SseRecord(
                "message_delta", b'{"type":"message_delta","delta":{"stop_reason":"end_turn"}}'
            ),
            SseRecord("message_stop", b'{"type":"message_stop"}'),
        ),
        (
            BEDROCK,
            SseRecord("messageStop", b'{"stopReason":"end_turn"}'),
            SseRecord("metadata", b'{"usage":{"inputTokens":1,"outputTokens":1}}'),
        ),
    ],
)
def test_decoder_has_ended_only_after_the_wires_own_marker(
    wire: Wire, before: SseRecord, marker: SseRecord
):
    decoder = CODECS[wire].stream_decoder()

    list(decoder.feed(before))
    assert not decoder.ended

    list(decoder.feed(marker))
    assert decoder.ended


@pytest.mark.parametrize("reason", ["error", "abort"])
def test_failing_finish_reason_is_an_error(reason: str):
    *_, last = events_of(OPENAI, [chunk({"content": "a"}, reason)])

    assert isinstance(last, UpstreamError)


@pytest.mark.parametrize(
    "data",
    [
        b"{",
        b"<html>",
        b"[]",
        b"1",
        b'{"choices":[{"delta":"x"}]}',
        b'{"choices":[1]}',
        b'{"choices":[{"delta":{"tool_calls":["x"]}}]}',
        b'{"type":"content_block_delta","index":7,"delta":{}}',
        b'{"type":"message_start"}',
        b'{"candidates":[1]}',
        b'{"candidates":[{"content":{"parts":[{"text":7}]}}]}',
        b'{"candidates":[{"content":{"parts":[{"functionCall":{}}]}}]}',
        b'{"candidates":[{"content":{"parts":[{"functionCall":{"args":{}}}]}}]}',
    ],
)
def test_records_of_no_wire_are_malformed(data: bytes):
    wire = ANTHROPIC if b'"type"' in data or b"choices" not in data else OPENAI
    wire = GEMINI if b"candidates" in data else wire

    with pytest.raises(MalformedUpstream):
        list(CODECS[wire].stream_decoder().feed(SseRecord("", data)))
