"""Cover: how far a stream is paid for, and how a hold grows with it.

A hold covers the expected answer. When a stream becomes longer, as much again is set aside before it goes on; when there
is no credit for that, it ends there with an error in band, and what was delivered is charged.
"""

from collections.abc import Awaitable, Callable
from typing import Protocol

from apps.billing.services import rating
from apps.billing.services.values import Extension
from apps.common.errors import BudgetExceeded, CostLimitReached, GatewayzError, InsufficientCredits
from apps.common.usage import Usage
from apps.inference.planner import Target
from apps.inference.relay import Tally
from apps.inference.tokens import BYTES_PER_TOKEN

LEAST_STEP = 256
"""Tokens: a hold of less would be asked for again at once."""

USED_UP = "is used up. What was answered so far is charged."


class AnswerStopped(Exception):
    """The answer ends here, for a reason of ours that is not the host's: ``client_error``."""

    def __init__(self, client_error: GatewayzError) -> None:
        super().__init__(client_error.message)
        self.client_error = client_error


class Ledger(Protocol):
    def extend(
        self, request_id: str, organization_id: int, amount: int
    ) -> Awaitable[Extension]: ...


class Cover:
    def __init__(
        self,
        ledger: Ledger,
        *,
        request_id: str,
        organization_id: int,
        output_tokens: int,
        input_tokens: int = 0,
        most_output: Callable[[Target], int] | None = None,
    ) -> None:
        """``output_tokens`` is what the hold covers already, ``input_tokens`` decides at which tier it goes on, and
        ``most_output`` is what the request's ``max_cost`` pays for."""
        self._most_output = most_output
        self._ledger = ledger
        self._request_id = request_id
        self._organization_id = organization_id
        self._input_tokens = input_tokens
        self._step = max(output_tokens, LEAST_STEP)
        self.until = output_tokens * BYTES_PER_TOKEN
        """Bytes of output."""

    async def grow(self, tally: Tally, target: Target) -> None:
        """Cover what has been said and as much again as at first. Raises AnswerStopped."""
        said = tally.output_bytes + tally.reasoning_bytes
        most = None if self._most_output is None else self._most_output(target) * BYTES_PER_TOKEN
        if most is not None and said > most:
            raise AnswerStopped(
                CostLimitReached("'max_cost' is reached. What was answered so far is charged.")
            )
        tokens = -(-(said - self.until) // BYTES_PER_TOKEN) + self._step
        reported = tally.usage.total_input if tally.usage else 0
        rates = target.rates.at(max(reported, self._input_tokens))
        amount = rating.quote(Usage(output=tokens), rates)
        if amount:
            found = await self._ledger.extend(self._request_id, self._organization_id, amount)
            if found is Extension.NO_CREDIT:
                raise AnswerStopped(InsufficientCredits(f"The credit {USED_UP}"))
            if found is Extension.NO_BUDGET:
                raise AnswerStopped(BudgetExceeded(f"The budget {USED_UP}"))
        self.until += tokens * BYTES_PER_TOKEN
        if most is not None:
            self.until = min(self.until, most)
