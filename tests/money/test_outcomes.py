"""What a request costs by how it ended: the table that docs/money.md publishes, row by row."""

import pytest

from apps.common.usage import NOTHING, Usage, UsageSource
from apps.inference.models import Outcome
from apps.inference.outcomes import SPARE_OUTPUT, UNSEEN, bill, final_usage, is_plausible
from apps.inference.relay import Tally

REPORTED = Usage(input=100, cache_read=20, output=30, reasoning=5)
CONTEXT = 8_192


def answer(*, usage=None, text="", reasoning="", finish_reason=""):
    """The tally of an answer that has shown this much so far."""
    tally = Tally(usage=usage, finish_reason=finish_reason)
    if text:
        tally.add_output(text)
    if reasoning:
        tally.add_reasoning(reasoning)
    return tally


WHOLE = answer(usage=REPORTED, text="x" * 400, finish_reason="stop")
WHOLE_WITHOUT_USAGE = answer(text="x" * 400, finish_reason="stop")
PART = answer(text="x" * 80)
PART_WITH_USAGE = answer(usage=REPORTED, text="x" * 80)
SILENCE = answer()
SILENCE_WITH_USAGE = answer(usage=REPORTED)
COUNTED_WHOLE = Usage(input=50, output=100)
COUNTED_PART = Usage(input=50, output=20)

TABLE = [
    ("finished, provider sent usage", Outcome.COMPLETED, WHOLE, REPORTED, UsageSource.PROVIDER),
    (
        "finished, no usage",
        Outcome.COMPLETED,
        WHOLE_WITHOUT_USAGE,
        COUNTED_WHOLE,
        UsageSource.COUNTED,
    ),
    ("client gone after content", Outcome.CLIENT_GONE, PART, COUNTED_PART, UsageSource.COUNTED),
    ("the same, usage sent", Outcome.CLIENT_GONE, PART_WITH_USAGE, REPORTED, UsageSource.PROVIDER),
    ("client gone before content", Outcome.CLIENT_GONE, SILENCE, NOTHING, UsageSource.NONE),
    ("the same, usage sent", Outcome.CLIENT_GONE, SILENCE_WITH_USAGE, NOTHING, UsageSource.NONE),
    ("provider failed before content", Outcome.FAILED, SILENCE, NOTHING, UsageSource.NONE),
    ("the same, usage sent", Outcome.FAILED, SILENCE_WITH_USAGE, NOTHING, UsageSource.NONE),
    ("provider failed after content", Outcome.INTERRUPTED, PART, NOTHING, UsageSource.NONE),
    ("the same, usage sent", Outcome.INTERRUPTED, PART_WITH_USAGE, NOTHING, UsageSource.NONE),
    ("credit used up while streaming", Outcome.STOPPED, PART, COUNTED_PART, UsageSource.COUNTED),
    ("the same, usage sent", Outcome.STOPPED, PART_WITH_USAGE, REPORTED, UsageSource.PROVIDER),
    ("empty answer", Outcome.EMPTY, SILENCE, NOTHING, UsageSource.NONE),
    ("the same, usage sent", Outcome.EMPTY, SILENCE_WITH_USAGE, NOTHING, UsageSource.NONE),
    ("process died", Outcome.LOST, SILENCE, NOTHING, UsageSource.NONE),
]


@pytest.mark.parametrize(
    ("outcome", "tally", "usage", "source"),
    [row[1:] for row in TABLE],
    ids=[f"{row[1]}: {row[0]}" for row in TABLE],
)
def test_bill_is_that_of_the_published_table_when_a_request_ends(outcome, tally, usage, source):
    final, found = final_usage(tally, estimated_input=50, context_length=CONTEXT, most_output=None)

    billed = bill(outcome, tally, usage=final, source=found)

    assert (billed.outcome, billed.usage, billed.source) == (outcome, usage, source)


def test_table_has_a_row_for_every_outcome_when_one_is_added():
    assert {row[1] for row in TABLE} == set(Outcome)


@pytest.mark.parametrize(
    ("usage", "context_length", "plausible"),
    [
        (Usage(), CONTEXT, True),
        (Usage(input=CONTEXT), CONTEXT, True),
        (Usage(input=CONTEXT + 1), CONTEXT, False),
        (Usage(input=CONTEXT - 1, cache_read=2), CONTEXT, False),
        (Usage(output=CONTEXT), CONTEXT, True),
        (Usage(output=CONTEXT, reasoning=1), CONTEXT, False),
        (Usage(input=UNSEEN), None, True),
        (Usage(input=UNSEEN + 1), None, False),
        (Usage(output=UNSEEN + 1), None, False),
    ],
)
def test_usage_is_plausible_when_within_the_context(usage, context_length, plausible):
    assert is_plausible(usage, context_length=context_length) is plausible


def test_usage_is_counted_when_the_provider_claims_the_impossible():
    tally = answer(usage=Usage(input=10**12, output=1), text="x" * 400)

    found = final_usage(tally, estimated_input=50, context_length=CONTEXT, most_output=None)

    assert found == (COUNTED_WHOLE, UsageSource.COUNTED)


@pytest.mark.parametrize(
    ("text", "reasoning", "most_output", "output", "reasoned"),
    [
        ("x" * 400, "", 100, 100, 0),
        ("x" * 400, "", 99, 99, 0),
        ("x" * 400, "x" * 40, 60, 50, 10),
        ("x" * 400, "x" * 400, 60, 0, 60),
        ("x" * 400, "x" * 400, None, 100, 100),
    ],
)
def test_counted_output_stays_within_max_tokens_when_the_text_is_longer(
    text, reasoning, most_output, output, reasoned
):
    usage, source = final_usage(
        answer(text=text, reasoning=reasoning),
        estimated_input=50,
        context_length=CONTEXT,
        most_output=most_output,
    )

    assert (usage, source) == (
        Usage(input=50, output=output, reasoning=reasoned),
        UsageSource.COUNTED,
    )


def test_counted_output_stays_within_max_tokens_of_each_choice_when_there_are_several():
    usage, _ = final_usage(
        answer(text="x" * 4_000),
        estimated_input=50,
        context_length=CONTEXT,
        most_output=100,
        choices=3,
    )

    assert usage.output == 300


def test_output_may_fill_the_context_of_each_choice_when_there_are_several():
    usage = Usage(output=2 * CONTEXT)

    assert is_plausible(usage, context_length=CONTEXT, choices=2)
    assert not is_plausible(usage, context_length=CONTEXT, choices=1)


def test_reported_output_is_believed_when_beyond_max_tokens():
    """Reasoning counts towards no provider's limit in the same way; only what we count ourselves is cut."""
    usage, source = final_usage(
        WHOLE, estimated_input=50, context_length=CONTEXT, most_output=REPORTED.output - 1
    )

    assert (usage, source) == (REPORTED, UsageSource.PROVIDER)


def test_output_beyond_what_the_client_allowed_is_not_believed():
    usage = Usage(output=4 * 100 + SPARE_OUTPUT)
    assert is_plausible(usage, context_length=128_000, most_output=100)
    more = Usage(output=usage.output + 1)
    assert not is_plausible(more, context_length=128_000, most_output=100)
    assert is_plausible(more, context_length=128_000, most_output=100, choices=2)


def test_input_beyond_what_the_body_can_hold_is_not_believed_where_the_context_is_unknown():
    assert is_plausible(Usage(input=UNSEEN + 4000), context_length=None, body_bytes=1000)
    assert not is_plausible(Usage(input=UNSEEN + 4001), context_length=None, body_bytes=1000)
