"""Cover: how far a stream is paid for, and how a hold grows with it.

A hold covers the expected answer. When a stream becomes longer, as much again is set aside before it goes on; when there
is no credit for that, it ends there with an error in band, and what was delivered is charged.
"""

from collections.abc import Awaitable
from typing import Protocol

from apps.billing.services import rating
from apps.common.errors import InsufficientCredits
from apps.common.usage import Usage
from apps.inference.planner import Target
from apps.inference.relay import Tally
from apps.inference.tokens import BYTES_PER_TOKEN

LEAST_STEP = 256
"""Tokens: a hold of less would be asked for again at once."""


class AnswerStopped(Exception):
    """The answer ends here, for a reason of ours that is not the host's: ``client_error``."""

    def __init__(self, client_error: InsufficientCredits) -> None:
        super().__init__(client_error.message)
        self.client_error = client_error


class Ledger(Protocol):
    def extend(self, request_id: str, organization_id: int, amount: int) -> Awaitable[bool]: ...


class Cover:
    def __init__(
        self,
        ledger: Ledger,
        *,
        request_id: str,
        organization_id: int,
        output_tokens: int,
        input_tokens: int = 0,
    ) -> None:
        """``output_tokens`` is what the hold covers already; ``input_tokens`` decides at which tier it goes on."""
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
        tokens = -(-(said - self.until) // BYTES_PER_TOKEN) + self._step
        reported = tally.usage.total_input if tally.usage else 0
        rates = target.rates.at(max(reported, self._input_tokens))
        amount = rating.quote(Usage(output=tokens), rates)
        if amount and not await self._ledger.extend(
            self._request_id, self._organization_id, amount
        ):
            raise AnswerStopped(
                InsufficientCredits("The credit is used up. What was answered so far is charged.")
            )
        self.until += tokens * BYTES_PER_TOKEN
