"""What a request costs, by how it ended. Pure; published in docs/money.md, "Outcomes".

finished, provider sent usage        usage × price            provider
finished, no usage                   counted × price          counted
client gone after content            what was produced        provider or counted
client gone before content           nothing                  none
provider failed, before or after     nothing                  none
empty answer                         nothing                  none
"""

from dataclasses import dataclass

from apps.common.usage import NOTHING, Usage, UsageSource
from apps.inference.models import Outcome
from apps.inference.relay import Tally

LARGEST_PLAUSIBLE = 20_000_000
"""Tokens that no request of today's models can have; the bound where the context length is not known."""


@dataclass(frozen=True, slots=True)
class Bill:
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
) -> tuple[Usage, UsageSource]:
    """The provider's usage when it can be true, else our own count, bounded by what the client allowed.

    ``most_output`` holds for each of the ``choices``; ``units`` is what the request itself says that it uses.
    """
    reported = tally.usage
    if reported is not None and is_plausible(
        reported, context_length=context_length, choices=choices
    ):
        return reported, UsageSource.PROVIDER
    counted = tally.counted(input_tokens=estimated_input, units=units)
    if most_output is not None and counted.total_output > most_output * choices:
        reasoning = min(counted.reasoning, most_output * choices)
        output = most_output * choices - reasoning
        counted = Usage(input=counted.input, output=output, reasoning=reasoning)
    return counted, UsageSource.COUNTED


def is_plausible(usage: Usage, *, context_length: int | None, choices: int = 1) -> bool:
    """Whether these meters can belong to one request of a model with this context."""
    bound = context_length or LARGEST_PLAUSIBLE
    return usage.total_input <= bound and usage.total_output <= bound * choices


def bill(outcome: Outcome, tally: Tally, *, usage: Usage, source: UsageSource) -> Bill:
    """The table above."""
    match outcome:
        case Outcome.COMPLETED:
            return Bill(outcome, usage, source)
        case Outcome.CLIENT_GONE if tally.has_content:
            return Bill(outcome, usage, source)
        case _:
            return Bill(outcome, NOTHING, UsageSource.NONE)
