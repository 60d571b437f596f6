"""Meters to disjoint buckets and back."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.catalog.providers.spec import Wire
from apps.common.usage import Usage
from apps.inference.protocols import CODECS
from tests.protocols.cases import price

OPENAI, ANTHROPIC, GEMINI = Wire.OPENAI_CHAT, Wire.ANTHROPIC_MESSAGES, Wire.GEMINI
RESPONSES = Wire.OPENAI_RESPONSES
BEDROCK = Wire.BEDROCK_CONVERSE
_COUNTS = st.integers(0, 10**7)


@pytest.mark.parametrize(
    ("raw", "usage"),
    [
        ({"prompt_tokens": 5, "completion_tokens": 3}, Usage(input=5, output=3)),
        (
            {
                "prompt_tokens": 100,
                "completion_tokens": 50,
                "prompt_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 30},
                "completion_tokens_details": {"reasoning_tokens": 40},
            },
            Usage(input=10, cache_read=60, cache_write_5m=30, output=10, reasoning=40),
        ),
        (
            {
                "prompt_tokens": 5,
                "completion_tokens": 3,
                "prompt_tokens_details": None,
                "completion_tokens_details": {"reasoning_tokens": None},
            },
            Usage(input=5, output=3),
        ),
        (  # reasoning beside the completion, as the total shows
            {
                "prompt_tokens": 5,
                "completion_tokens": 3,
                "total_tokens": 18,
                "completion_tokens_details": {"reasoning_tokens": 10},
            },
            Usage(input=5, output=3, reasoning=10),
        ),
    ],
)
def test_openai_meters(raw: dict[str, Any], usage: Usage):
    assert CODECS[OPENAI].decode_usage(raw) == usage


@pytest.mark.parametrize(
    ("raw", "usage"),
    [
        ({"input_tokens": 5, "output_tokens": 3}, Usage(input=5, output=3)),
        (
            {
                "input_tokens": 5,
                "cache_creation_input_tokens": 30,
                "cache_read_input_tokens": 60,
                "output_tokens": 3,
            },
            Usage(input=5, cache_read=60, cache_write_5m=30, output=3),
        ),
        (
            {
                "input_tokens": 5,
                "cache_creation_input_tokens": 30,
                "cache_creation": {
                    "ephemeral_1h_input_tokens": 20,
                    "ephemeral_5m_input_tokens": 10,
                },
                "output_tokens": 3,
                "output_tokens_details": {"thinking_tokens": 2},
            },
            Usage(input=5, cache_write_5m=10, cache_write_1h=20, output=1, reasoning=2),
        ),
    ],
)
def test_anthropic_meters(raw: dict[str, Any], usage: Usage):
    assert CODECS[ANTHROPIC].decode_usage(raw) == usage


@pytest.mark.parametrize(
    ("raw", "usage"),
    [
        ({"input_tokens": 5, "output_tokens": 3}, Usage(input=5, output=3)),
        (
            {
                "input_tokens": 100,
                "input_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 30},
                "output_tokens": 50,
                "output_tokens_details": {"reasoning_tokens": 40},
                "total_tokens": 150,
            },
            Usage(input=10, cache_read=60, cache_write_5m=30, output=10, reasoning=40),
        ),
    ],
)
def test_responses_meters(raw: dict[str, Any], usage: Usage):
    assert CODECS[RESPONSES].decode_usage(raw) == usage


@pytest.mark.parametrize(
    ("raw", "usage"),
    [
        ({"promptTokenCount": 5}, Usage(input=5)),  # zeros are left out
        (
            {
                "promptTokenCount": 100,
                "cachedContentTokenCount": 60,
                "toolUsePromptTokenCount": 25,
                "candidatesTokenCount": 10,
                "thoughtsTokenCount": 40,
                "totalTokenCount": 175,
                "trafficType": "ON_DEMAND",
            },
            Usage(input=65, cache_read=60, output=10, reasoning=40),
        ),
    ],
)
def test_gemini_meters(raw: dict[str, Any], usage: Usage):
    assert CODECS[GEMINI].decode_usage(raw) == usage


@pytest.mark.parametrize(
    ("raw", "usage"),
    [
        (
            {"inputTokens": 5, "outputTokens": 3, "totalTokens": 8},
            Usage(input=5, output=3),
        ),
        (
            {
                "inputTokens": 5,
                "outputTokens": 3,
                "cacheReadInputTokens": 60,
                "cacheWriteInputTokens": 30,
                "cacheDetails": [
                    {"ttl": "1h", "inputTokens": 20},
                    {"ttl": "5m", "inputTokens": 10},
                ],
            },
            Usage(input=5, cache_read=60, cache_write_5m=10, cache_write_1h=20, output=3),
        ),
    ],
)
def test_converse_meters(raw: dict[str, Any], usage: Usage):
    assert CODECS[BEDROCK].decode_usage(raw) == usage


@pytest.mark.parametrize("wire", [OPENAI, ANTHROPIC, RESPONSES, GEMINI, BEDROCK])
@pytest.mark.parametrize("broken", [-1, 1.5, 3.0, True, "7", [], {}])
def test_absurd_counts_are_no_usage(wire: Wire, broken: Any):
    names = (
        "prompt_tokens", "completion_tokens", "input_tokens", "output_tokens",
        "promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount",
        "inputTokens", "outputTokens", "cacheReadInputTokens", "cacheWriteInputTokens",
    )  # fmt: skip
    for name in names:
        whole = dict.fromkeys(names, 5)
        is_read = CODECS[wire].decode_usage(whole | {name: 4}) != CODECS[wire].decode_usage(whole)

        found = CODECS[wire].decode_usage(whole | {name: broken})

        assert (found is None) is is_read


@pytest.mark.parametrize(
    ("wire", "raw"),
    [
        (OPENAI, None),
        (OPENAI, []),
        (OPENAI, {}),
        (OPENAI, {"prompt_tokens": 5}),
        (OPENAI, {"prompt_tokens": 5, "completion_tokens": 1, "prompt_tokens_details": 7}),
        (
            OPENAI,
            {
                "prompt_tokens": 5,
                "completion_tokens": 1,
                "prompt_tokens_details": {"cached_tokens": 6},
            },
        ),
        (
            OPENAI,
            {
                "prompt_tokens": 5,
                "completion_tokens": 1,
                "completion_tokens_details": {"reasoning_tokens": 2},
            },
        ),
        (
            OPENAI,
            {
                "prompt_tokens": 5,
                "completion_tokens": 1,
                "prompt_tokens_details": {"cached_tokens": -1},
            },
        ),
        (RESPONSES, None),
        (RESPONSES, {"input_tokens": 5}),
        (
            RESPONSES,
            {
                "input_tokens": 5,
                "output_tokens": 1,
                "input_tokens_details": {"cached_tokens": 6},
            },
        ),
        (
            RESPONSES,
            {
                "input_tokens": 5,
                "output_tokens": 1,
                "output_tokens_details": {"reasoning_tokens": 2},
            },
        ),
        (ANTHROPIC, {"input_tokens": 5}),
        (
            ANTHROPIC,
            {
                "input_tokens": 5,
                "output_tokens": 1,
                "output_tokens_details": {"thinking_tokens": 2},
            },
        ),
        (
            ANTHROPIC,
            {
                "input_tokens": 5,
                "output_tokens": 1,
                "cache_creation_input_tokens": 1,
                "cache_creation": {"ephemeral_5m_input_tokens": 2},
            },
        ),
        (ANTHROPIC, {"input_tokens": 5, "output_tokens": 1, "cache_creation": [1]}),
        (BEDROCK, {"inputTokens": 5}),
        (BEDROCK, {"inputTokens": 5, "outputTokens": 1, "cacheDetails": [7]}),
        (BEDROCK, {"inputTokens": 5, "outputTokens": 1, "cacheDetails": "x"}),
        (
            BEDROCK,
            {
                "inputTokens": 5,
                "outputTokens": 1,
                "cacheWriteInputTokens": 1,
                "cacheDetails": [{"ttl": "1h", "inputTokens": 2}],
            },
        ),
        (GEMINI, {"candidatesTokenCount": 5}),
        (GEMINI, {"promptTokenCount": 5, "cachedContentTokenCount": 6}),
    ],
)
def test_absent_and_contradicting_meters_are_no_usage(wire: Wire, raw: Any):
    assert CODECS[wire].decode_usage(raw) is None


@pytest.mark.parametrize(
    ("wire", "name", "body"),
    [
        (OPENAI, "usage", {"choices": [{"message": {"content": "a"}}]}),
        (ANTHROPIC, "usage", {"content": []}),
        (GEMINI, "usageMetadata", {"candidates": []}),
        (BEDROCK, "usage", {"output": {"message": {"content": []}}}),
    ],
)
@pytest.mark.parametrize(("raw", "reported"), [({"x": -1}, True), ({}, False), (None, False)])
def test_absurd_usage_is_told_from_none(
    wire: Wire, name: str, body: dict[str, Any], raw: Any, reported: bool
):
    response = CODECS[wire].decode_response(body | {name: raw})

    assert response.usage is None
    assert response.usage_reported is reported


@given(counts=st.tuples(*[_COUNTS] * 6))
def test_anthropic_usage_returns_whole(counts: tuple[int, ...]):
    usage = Usage(
        input=counts[0], cache_read=counts[1], cache_write_5m=counts[2],
        cache_write_1h=counts[3], output=counts[4], reasoning=counts[5],
    )  # fmt: skip
    codec = CODECS[ANTHROPIC]

    assert codec.decode_usage(codec.encode_usage(usage, price=price)) == usage


@given(counts=st.tuples(*[_COUNTS] * 5), wire=st.sampled_from([OPENAI, RESPONSES]))
def test_openais_usage_returns_whole(counts: tuple[int, ...], wire: Wire):
    usage = Usage(
        input=counts[0], cache_read=counts[1], cache_write_5m=counts[2],
        output=counts[3], reasoning=counts[4],
    )  # fmt: skip
    codec = CODECS[wire]

    encoded = codec.encode_usage(usage, price=price)

    assert codec.decode_usage(encoded) == usage
    assert encoded["total_tokens"] == usage.total
    assert encoded["cost"] == 0.00125


@given(counts=st.tuples(*[_COUNTS] * 4))
def test_gemini_usage_returns_whole(counts: tuple[int, ...]):
    usage = Usage(input=counts[0], cache_read=counts[1], output=counts[2], reasoning=counts[3])
    codec = CODECS[GEMINI]

    encoded = codec.encode_usage(usage, price=price)

    assert codec.decode_usage(encoded) == usage
    assert encoded["totalTokenCount"] == usage.total
    assert encoded["cost"] == 0.00125


@given(counts=st.tuples(*[_COUNTS] * 5))
def test_converse_usage_returns_whole(counts: tuple[int, ...]):
    usage = Usage(
        input=counts[0], cache_read=counts[1], cache_write_5m=counts[2],
        cache_write_1h=counts[3], output=counts[4],
    )  # fmt: skip
    codec = CODECS[BEDROCK]

    encoded = codec.encode_usage(usage, price=price)

    assert codec.decode_usage(encoded) == usage
    assert encoded["totalTokens"] == usage.total
    assert encoded["cost"] == 0.00125
