"""The ``max_cost`` of a request: dollars that it may cost at most, whoever answers it. The lower one of its own and its key's.

Hosts that even the shortest answer would cost more at are not asked, the answer is limited to what it affords at the
dearest of the others, and a stream that goes on beyond that is stopped (cover.py).
"""

from bisect import bisect_right
from typing import Any

from msgspec.structs import replace

from apps.billing.services import rating
from apps.catalog.providers.spec import Operation
from apps.common.errors import InvalidRequest
from apps.common.money import format_usd, usd_to_nano
from apps.inference.context import RequestContext
from apps.inference.limits import LIMITS, WITHIN
from apps.inference.planner import Target
from apps.inference.relay import Body
from apps.inference.requests.forms import Form

MOST_OUTPUT = 2**24
"""Tokens; no answer is longer."""
USUALLY_ALLOWED = 4096
LEAST_USD = 1e-9
MOST_USD = 1_000_000.0
UNLIMITED = frozenset({Operation.CHAT, Operation.COMPLETIONS})
"""Operations whose answers are as long as the client allows."""


def read(form: Form) -> int | None:
    """Of a form; nano-USD. Raises InvalidRequest."""
    dollars = form.number("max_cost", least=LEAST_USD, most=MOST_USD)
    return None if dollars is None else usd_to_nano(repr(dollars))


def lower(asked: int | None, keys: int | None) -> int | None:
    """Of the request and of its key, both nano-USD: a request can only ask for less."""
    if asked is None or keys is None:
        return keys if asked is None else asked
    return min(asked, keys)


def apply(context: RequestContext, body: Body, *, most: int) -> None:
    """Keep the request below ``most`` nano-USD. Raises InvalidRequest when no host can serve it for that."""
    assert context.facts is not None
    facts = context.facts
    is_open = context.surface.operation in UNLIMITED and facts.expected_output is None
    least_output = _least_answer(body) * facts.choices if is_open else facts.expected_output or 0
    least = {target.key: _cost(context, target, least_output) for target in context.targets}
    affordable = tuple(target for target in context.targets if least[target.key] <= most)
    if not affordable:
        assert context.key is not None
        whose = "The key's" if most == context.key.max_cost else "The"
        raise InvalidRequest(
            f"{whose} 'max_cost' of {format_usd(most)} is too low: this request costs at least {format_usd(min(least.values()))}.",
            param="max_cost",
            code="max_cost_too_low",
        )
    context.targets = affordable
    if not is_open:
        return
    length = max(1, min(affordable_output(context, t) for t in affordable) // facts.choices)
    natural = [_longest(target) for target in affordable]
    if facts.max_output_tokens is None and length < max(natural):
        length = min(length, *natural)
    elif facts.max_output_tokens is None or facts.max_output_tokens <= length:
        return
    assert isinstance(body, dict)
    _limit(context, body, length)
    context.facts = replace(facts, max_output_tokens=length)


def affordable_output(context: RequestContext, target: Target) -> int:
    """Tokens of output, of all answers together, that ``max_cost`` pays for at this host."""
    assert context.max_cost is not None
    fitting = bisect_right(
        range(MOST_OUTPUT), context.max_cost, key=lambda tokens: _cost(context, target, tokens)
    )
    return max(0, fitting - 1)


def _cost(context: RequestContext, target: Target, output: int) -> int:
    assert context.facts is not None
    expected = replace(context.facts.units, input=context.estimated_input, output=output)
    return rating.quote(expected, target.rates)


def _least_answer(body: Body) -> int:
    """Tokens; Anthropic's budget for thoughts must be smaller than the limit of the answer."""
    thinking = body.get("thinking") if isinstance(body, dict) else None
    budget = thinking.get("budget_tokens") if isinstance(thinking, dict) else None
    return budget + 1 if isinstance(budget, int) else 1


def _longest(target: Target) -> int:
    """Tokens that this host can be asked for; one whose limit is not known may refuse more than is usual."""
    offering = target.offering
    return offering.max_output_tokens or offering.context_length or USUALLY_ALLOWED


def _limit(context: RequestContext, body: dict[str, Any], length: int) -> None:
    wire = context.surface.wire
    limits = body.setdefault(WITHIN[wire], {}) if wire in WITHIN else body
    names = LIMITS[wire]
    for name in [name for name in names if limits.get(name) is not None] or names[:1]:
        limits[name] = length
