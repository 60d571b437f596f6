"""A whole answer and its stream mean the same."""

import pytest

from apps.catalog.providers.spec import Wire
from apps.inference.canonical.content import Text
from apps.inference.canonical.events import (
    BlockDelta,
    BlockKind,
    BlockStarted,
    Event,
    Finished,
    FinishReason,
    Started,
    UpstreamError,
    UsageReported,
)
from apps.inference.canonical.failures import ErrorInsteadOfAnswer
from apps.inference.canonical.fold import fold
from apps.inference.protocols import CODECS
from tests.protocols.cases import CASES, Case, events_of, with_plain_arguments


@pytest.mark.parametrize("case", CASES, ids=str)
def test_folded_stream_equals_decoded_response(case: Case):
    folded = fold(events_of(case.wire, [case.stream]))

    whole = CODECS[case.wire].decode_response(case.response)

    assert with_plain_arguments(folded) == with_plain_arguments(whole)
    assert whole.usage is not None
    assert whole.finish is not None


@pytest.mark.parametrize("case", CASES, ids=str)
def test_terminal_facts_come_last(case: Case):
    events = events_of(case.wire, [case.stream])

    assert isinstance(events[0], Started)
    assert isinstance(events[-2], UsageReported)
    assert isinstance(events[-1], Finished)


@pytest.mark.parametrize(
    ("wire", "name", "finish"),
    [
        (Wire.OPENAI_CHAT, "tools_parallel", FinishReason.TOOL_CALLS),  # the host said "stop"
        (Wire.OPENAI_CHAT, "length", FinishReason.LENGTH),
        (Wire.OPENAI_CHAT, "refusal", FinishReason.STOP),
        (Wire.OPENAI_RESPONSES, "tools_parallel", FinishReason.TOOL_CALLS),
        (Wire.OPENAI_RESPONSES, "length", FinishReason.LENGTH),
        (Wire.OPENAI_RESPONSES, "filtered", FinishReason.CONTENT_FILTER),
        (Wire.OPENAI_RESPONSES, "refusal", FinishReason.STOP),
        (Wire.ANTHROPIC_MESSAGES, "stop_sequence", FinishReason.STOP_SEQUENCE),
        (Wire.ANTHROPIC_MESSAGES, "refusal", FinishReason.CONTENT_FILTER),
        (Wire.ANTHROPIC_MESSAGES, "server_tools", FinishReason.STOP),
        (Wire.ANTHROPIC_MESSAGES, "tools_parallel", FinishReason.TOOL_CALLS),
        (Wire.GEMINI, "tools_parallel", FinishReason.TOOL_CALLS),  # the host said "STOP"
        (Wire.GEMINI, "length", FinishReason.LENGTH),
        (Wire.BEDROCK_CONVERSE, "tools_parallel", FinishReason.TOOL_CALLS),
        (Wire.BEDROCK_CONVERSE, "stop_sequence", FinishReason.STOP_SEQUENCE),
        (Wire.BEDROCK_CONVERSE, "guardrail", FinishReason.CONTENT_FILTER),
        (Wire.GEMINI, "prompt_blocked", FinishReason.CONTENT_FILTER),
        (Wire.GEMINI, "safety", FinishReason.CONTENT_FILTER),
    ],
)
def test_finish_reason_is_ours(wire: Wire, name: str, finish: FinishReason):
    assert CODECS[wire].decode_response(Case(wire, name).response).finish is finish


def test_fold_keeps_the_order_of_opening():
    events: list[Event] = [
        Started("a", "m"),
        BlockStarted(0, BlockKind.TEXT),
        BlockStarted(1, BlockKind.TEXT),
        BlockDelta(1, "b"),
        BlockDelta(0, "a"),
    ]

    assert fold(events).blocks == (Text("a"), Text("b"))


def test_fold_of_a_cut_stream_has_no_finish():
    assert fold([Started("a", "m"), BlockStarted(0, BlockKind.TEXT)]).finish is None


def test_fold_raises_when_the_stream_reports_an_error():
    error = UpstreamError("overloaded_error", "busy")

    with pytest.raises(ErrorInsteadOfAnswer) as caught:
        fold([Started("a", "m"), error])

    assert caught.value.error == error
