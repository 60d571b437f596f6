"""Patience: how long one call waits for its host, by what the answer is and whether somebody else stands by. Pure."""

from math import inf

from django.conf import settings

from apps.catalog.providers.spec import Timeouts
from apps.inference.preferences import Deadlines
from apps.inference.upstream import Waits


def waits_of(
    timeouts: Timeouts,
    asked: Deadlines,
    *,
    stream: bool,
    is_slow: bool,
    may_think: bool,
    is_last: bool,
    most: float = inf,
) -> tuple[Waits, Waits]:
    """With the client's word (``asked``), and without it.

    ``most`` is seconds for the first content, or until a whole answer begins, of a host that has just been down.
    """
    thinking = timeouts.reasoning if may_think and not is_slow else 0.0
    patient = is_last or is_slow
    if patient:
        first_content = max(timeouts.first_content_last, thinking)
    elif stream:
        first_content = max(timeouts.first_content, thinking)
    else:
        # It shows nothing until it is thought and written, so it cannot be judged by a stream's first content.
        whole = max(timeouts.first_content, settings.WHOLE_ANSWER_SECONDS) + thinking
        first_content = min(whole, max(timeouts.first_content_last, thinking))
    idle = timeouts.first_content_last if is_slow else max(timeouts.idle, thinking)
    own = Waits(
        connect=timeouts.connect,
        first_content=min(first_content, most),
        idle=idle,
        total=timeouts.total,
        # Many hosts send the headers at once. Where nobody else stands by, what comes after them may take its time.
        body=inf if patient else min(first_content, most),
        # Nor may it drip for ever where somebody else stands by.
        whole=inf if patient else min(first_content, most) + idle,
    )
    asked_content = asked.first_content if stream else None
    waits = Waits(
        connect=asked.connect or own.connect,
        first_content=min(asked_content or first_content, most),
        idle=asked.idle or own.idle,
        total=asked.total or own.total,
        body=own.body,
        whole=own.whole,
    )
    return waits, own
