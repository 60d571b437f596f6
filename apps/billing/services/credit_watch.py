"""The credit watch: tells an organisation by e-mail, once, that its credit is low, and once that it is used up.

Who has paid is told when less than ``LOW_CREDIT`` is left; who only has what was given is told when that is used up. After a
top-up the watch ends, and begins anew the next time.
"""

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef
from django.db.models.lookups import GreaterThanOrEqual, LessThan

from apps.accounts import notices
from apps.accounts.notices import CreditUsedUp, LowBalance
from apps.billing.models import AccountKind, Balance, CreditLevel, CreditWatch, EntryLine
from apps.common import clock

NOTHING = 1_000_000
"""Nano-dollars, a tenth of a cent: less than a request usually costs."""
LEFT = F("allowance") + F("promo") + F("purchased") - F("held")


def watch() -> int:
    """How many organisations were told something."""
    _end_watches()
    watched = CreditWatch.objects.filter(pk=OuterRef("pk"))
    used_up = Balance.objects.filter(
        LessThan(LEFT, NOTHING), _had(), ~Exists(watched.filter(level=CreditLevel.USED_UP))
    )
    told = [_tell(balance, CreditLevel.USED_UP) for balance in used_up]
    low = Balance.objects.filter(
        LessThan(LEFT, settings.LOW_CREDIT), _had(AccountKind.PURCHASED), ~Exists(watched)
    )
    told += [_tell(balance, CreditLevel.LOW) for balance in low]
    return sum(told)


def _end_watches() -> None:
    balance = Balance.objects.filter(pk=OuterRef("pk"))
    enough = balance.filter(GreaterThanOrEqual(LEFT, settings.LOW_CREDIT))
    CreditWatch.objects.filter(Exists(enough)).delete()
    something = balance.filter(GreaterThanOrEqual(LEFT, NOTHING))
    CreditWatch.objects.filter(Exists(something), level=CreditLevel.USED_UP).update(
        level=CreditLevel.LOW
    )


def _had(*kinds: AccountKind) -> Exists:
    """Whether the organisation ever had credit, of this kind."""
    lines = EntryLine.objects.filter(account__organization=OuterRef("pk"), amount__gt=0)
    return Exists(lines.filter(account__kind__in=kinds) if kinds else lines)


@transaction.atomic
def _tell(balance: Balance, level: CreditLevel) -> bool:
    now = clock.now()
    CreditWatch.objects.update_or_create(
        pk=balance.pk, defaults={"level": level.value, "since": now}
    )
    facts = (
        CreditUsedUp()
        if level is CreditLevel.USED_UP
        else LowBalance(
            available_nano_usd=balance.available, threshold_nano_usd=settings.LOW_CREDIT
        )
    )
    reference = f"credit:{balance.pk}:{level.value}:{now:%Y%m%dT%H%M%S}"
    return notices.notify(balance.pk, facts, reference=reference)
