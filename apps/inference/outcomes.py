"""What a request costs, by how it ended. Pure; published in docs/money.md, "Outcomes".

finished, provider sent usage        usage × price            provider
finished, no usage                   counted × price          counted
client gone after content            what was produced        provider or counted
client gone before content           nothing                  none
credit, budget or max_cost used up   what was delivered       provider or counted
provider failed, before or after     nothing                  none
empty answer                         nothing                  none
"""

import msgspec

from apps.common.usage import NOTHING, Usage, UsageSource
from apps.inference.models import Outcome
from apps.inference.relay import Tally

UNSEEN = 200_000
"""Tokens of input that a body need not show: documents by URL, results of tools that run at the provider. Where the
context length is not known, also the most output that is believed."""
SPARE_OUTPUT = 4096
"""Hosts overshoot a limit a little, and some think beyond it."""


class Bill(msgspec.Struct, frozen=True):
    outcome: Outcome
    usage: Usage
    source: UsageSource


def final_usage(
    tally: Tally,
    *,
    estimated_input: int,
    context_length: int | None,
    most_output: int | None,
    choices: int = 1,
    units: Usage = NOTHING,
    body_bytes: int = 0,
) -> tuple[Usage, UsageSource]:
    """The provider's usage when it can be true, else our own count, bounded by what the client allowed.

    ``most_output`` holds for each of the ``choices``; ``units`` is what the request itself says that it uses.
    """
    reported = tally.usage
    if reported is not None and is_plausible(
        reported,
        context_length=context_length,
        most_output=most_output,
        choices=choices,
        body_bytes=body_bytes,
    ):
        return reported, UsageSource.PROVIDER
    counted = tally.counted(input_tokens=estimated_input, units=units)
    if most_output is not None and counted.total_output > most_output * choices:
        reasoning = min(counted.reasoning, most_output * choices)
        output = most_output * choices - reasoning
        counted = Usage(input=counted.input, output=output, reasoning=reasoning)
    return counted, UsageSource.COUNTED


def is_plausible(
    usage: Usage,
    *,
    context_length: int | None,
    most_output: int | None = None,
    choices: int = 1,
    body_bytes: int = 0,
) -> bool:
    """Whether these meters can belong to one request of ``body_bytes`` that allowed ``most_output`` tokens a choice.

    No token is shorter than a byte; the factors leave room for what a provider counts in its own way.
    """
    input_bound = context_length or 4 * body_bytes + UNSEEN
    output_bound = context_length or UNSEEN
    if most_output is not None:
        output_bound = min(output_bound, 4 * most_output + SPARE_OUTPUT)
    return usage.total_input <= input_bound and usage.total_output <= output_bound * choices


def bill(outcome: Outcome, tally: Tally, *, usage: Usage, source: UsageSource) -> Bill:
    """The table above."""
    match outcome:
        case Outcome.COMPLETED:
            return Bill(outcome, usage, source)
        case Outcome.CLIENT_GONE | Outcome.STOPPED if tally.has_content:
            return Bill(outcome, usage, source)
        case _:
            return Bill(outcome, NOTHING, UsageSource.NONE)
