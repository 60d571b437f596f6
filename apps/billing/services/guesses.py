"""Guessing codes: whoever names too many that do not exist, or are another's, has to wait.

Coupons are words that people remember, so they could be found by trying.
"""

import datetime
from typing import Protocol, TypeVar

from django.conf import settings
from django.db import transaction

from apps.billing.models import CodeGuesses
from apps.common import clock
from apps.common.errors import CodeRefused, NotFound, RateLimited

WINDOW = datetime.timedelta(hours=1)

T_co = TypeVar("T_co", covariant=True)


class TakesCode(Protocol[T_co]):
    def __call__(self, organization_id: int, /, *, code: str) -> T_co: ...


def attempt(use: TakesCode[T_co], organization_id: int, *, code: str) -> T_co:
    """What ``use`` does with the code. Raises what it raises, and RateLimited after too many wrong ones."""
    _require_patience(organization_id)
    try:
        return use(organization_id, code=code)
    except NotFound:
        _count(organization_id)
        raise
    except CodeRefused as refused:
        if refused.code == "code_not_yours":
            _count(organization_id)
        raise


def _require_patience(organization_id: int) -> None:
    found = CodeGuesses.objects.filter(pk=organization_id).first()
    if found is None or found.wrong < settings.WRONG_CODES_PER_HOUR:
        return
    left = found.since + WINDOW - clock.now()
    if left > datetime.timedelta():
        raise RateLimited(
            f"More than {settings.WRONG_CODES_PER_HOUR} codes were wrong within an hour.",
            param="code",
            retry_after_ms=int(left.total_seconds() * 1000),
        )


@transaction.atomic
def _count(organization_id: int) -> None:
    now = clock.now()
    found, _ = CodeGuesses.objects.select_for_update().get_or_create(
        pk=organization_id, defaults={"since": now}
    )
    if found.since + WINDOW <= now:
        found.since, found.wrong = now, 0
    found.wrong += 1
    found.save()
