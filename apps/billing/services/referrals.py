"""Referrals: whoever brings an organisation that buys gets credit, and so does that organisation.

    make_code           the organisation's own code, eight letters
    refer               an organisation says who brought it, before it has bought anything
    complete_referral   the payments code calls it when a purchase is credited; the first that is large enough earns
    give_earned         both sides' credit, each side in a transaction of its own and exactly once
    forfeit             the purchase went back
    take_forfeited      both sides' credit, as far as it has not been spent

Credit is given, and taken, after the purchase's transaction: two balances are never locked together, so that nobody waits in a circle.
What a process that died has not done, the job of every minute does.
"""

from dataclasses import dataclass

import structlog
from django.db import IntegrityError, transaction
from django.db.models import Count, F, Q

from apps.accounts.identities import identity_of
from apps.accounts.selectors import owner_of, share_a_member
from apps.billing.models import Balance, Referral, ReferralCode, ReferralStatus, ReferralTerms
from apps.billing.selectors import has_purchased
from apps.billing.services import codes, ledger
from apps.common import clock
from apps.common.errors import CodeRefused

log = structlog.get_logger(__name__)

LETTERS = 8
GIVEN = (ReferralStatus.EARNED, ReferralStatus.COMPLETED)


@dataclass(frozen=True, slots=True)
class ReferralStats:
    """Amounts are nano-USD; ``code`` is None until one is made."""

    code: str | None
    used: int
    max_uses: int
    pending: int
    completed: int
    earned: int
    reward: int
    least_purchase: int


def terms() -> ReferralTerms:
    return ReferralTerms.objects.get()


def make_code(organization_id: int) -> str:
    """The code that the organisation has from now on; the same one when it had one."""
    kept, _ = ReferralCode.objects.get_or_create(
        organization_id=organization_id,
        defaults={"code": codes.make(LETTERS), "max_uses": terms().max_uses},
    )
    return kept.code


def find_code(organization_id: int, *, code: str) -> ReferralCode:
    """Somebody else's code that the organisation may use now. Raises NotFound, CodeRefused."""
    found = ReferralCode.objects.filter(code=codes.clean(code)).first()
    if found is None:
        raise codes.not_found("referral")
    owner = owner_of(organization_id)
    if found.organization_id == organization_id or _is_one_person(organization_id, found):
        raise codes.refuse("own_code", "This code is your own; it brings others.")
    identity = identity_of(owner.email) if owner else ""
    before = Q(organization_id=organization_id)
    if identity:
        before |= Q(identity=identity)
    if Referral.objects.filter(before).exists():
        raise _referred()
    if has_purchased(organization_id):
        raise codes.refuse(
            "referral_too_late", "A referral must be told before the first purchase."
        )
    if Referral.objects.filter(
        code__organization_id=organization_id, organization_id=found.organization_id
    ).exists():
        raise codes.refuse("own_code", "You brought this organisation; it cannot have brought you.")
    if found.used >= found.max_uses:
        raise codes.refuse("code_used_up", "This code was used as often as it may be.")
    return found


@transaction.atomic
def refer(organization_id: int, *, code: str) -> Referral:
    """Raises NotFound, CodeRefused; then nothing is written."""
    found = find_code(organization_id, code=code)
    left = ReferralCode.objects.filter(pk=found.pk, used__lt=F("max_uses"))
    if not left.update(used=F("used") + 1):
        raise codes.refuse("code_used_up", "This code was used as often as it may be.")
    owner = owner_of(organization_id)
    referral = Referral(
        code=found,
        organization_id=organization_id,
        identity=identity_of(owner.email) if owner else "",
    )
    try:
        with transaction.atomic():
            referral.save(force_insert=True)
    except IntegrityError as error:
        raise _referred() from error
    return referral


def complete_referral(organization_id: int, *, purchase_nano_usd: int, reference: str) -> bool:
    """To be called with every purchase that was credited, in its transaction or after it. Whether this one earned.

    ``reference`` is that of the purchase's entry. The credit follows when the transaction is committed.
    """
    in_force = terms()
    if purchase_nano_usd < in_force.least_purchase:
        return False
    pending = Referral.objects.filter(
        organization_id=organization_id, status=ReferralStatus.PENDING
    )
    earned = pending.update(
        status=ReferralStatus.EARNED,
        reward=in_force.reward,
        purchase_reference=reference,
        earned_at=clock.now(),
        updated_at=clock.now(),
    )
    if earned:
        transaction.on_commit(give_earned, robust=True)
    return bool(earned)


def give_earned() -> int:
    """Give the credit of every referral that has earned it; how many there were."""
    waiting = Referral.objects.filter(status=ReferralStatus.EARNED).select_related("code")
    found = list(waiting.order_by("pk"))
    for referral in found:
        _give(referral)
    return len(found)


def _give(referral: Referral) -> None:
    assert referral.reward is not None
    for side, organization_id in _sides(referral).items():
        with transaction.atomic():
            # Forfeiting waits for this lock, or is seen here.
            row = Referral.objects.select_for_update().get(pk=referral.pk)
            if row.status != ReferralStatus.EARNED:
                return
            ledger.grant_promo(
                organization_id,
                amount=referral.reward,
                reference=_reference(referral, side),
                memo="Referral credit",
            )
    Referral.objects.filter(pk=referral.pk, status=ReferralStatus.EARNED).update(
        status=ReferralStatus.COMPLETED, updated_at=clock.now()
    )
    log.info("referral.completed", referral=referral.pk)


def least_purchase() -> int:
    """Nano-USD that a purchase must keep to have earned."""
    return terms().least_purchase


def has_been_spent(purchase_reference: str) -> bool:
    """Whether either side has less promo credit left than it was given for this purchase. It never expires, so it is spent last."""
    earned = Referral.objects.filter(purchase_reference=purchase_reference, status__in=GIVEN)
    for referral in earned.select_related("code"):
        assert referral.reward is not None
        balances = Balance.objects.filter(pk__in=_sides(referral).values())
        if any(min(one.promo, one.available) < referral.reward for one in balances):
            return True
    return False


def forfeit(purchase_reference: str) -> None:
    """The purchase went back, in the caller's transaction and before it locks a balance. The credit follows it later."""
    earned = Referral.objects.filter(purchase_reference=purchase_reference, status__in=GIVEN)
    if earned.update(status=ReferralStatus.FORFEITED, updated_at=clock.now()):
        transaction.on_commit(take_forfeited, robust=True)


def take_forfeited() -> int:
    """Take the credit of every referral whose purchase went back; how many there were."""
    waiting = Referral.objects.filter(status=ReferralStatus.FORFEITED).select_related("code")
    found = list(waiting.order_by("pk"))
    for referral in found:
        for side, organization_id in _sides(referral).items():
            ledger.move_expiry(
                organization_id, reference=_reference(referral, side), expires_at=clock.now()
            )
        Referral.objects.filter(pk=referral.pk).update(
            status=ReferralStatus.WITHDRAWN, updated_at=clock.now()
        )
        log.info("referral.withdrawn", referral=referral.pk)
    return len(found)


def _sides(referral: Referral) -> dict[str, int]:
    """The organisations that get credit."""
    return {"referrer": referral.code.organization_id, "referred": referral.organization_id}


def _reference(referral: Referral, side: str) -> str:
    return f"referral:{referral.pk}:{side}"


def stats_of(organization_id: int) -> ReferralStats:
    in_force = terms()
    kept = ReferralCode.objects.filter(organization_id=organization_id).first()
    made = Referral.objects.filter(code__organization_id=organization_id)
    counts = dict(made.order_by().values_list("status").annotate(number=Count("pk")))
    rewards = made.filter(status=ReferralStatus.COMPLETED).values_list("reward", flat=True)
    pending = counts.get(ReferralStatus.PENDING, 0) + counts.get(ReferralStatus.EARNED, 0)
    return ReferralStats(
        code=kept.code if kept else None,
        used=kept.used if kept else 0,
        max_uses=kept.max_uses if kept else in_force.max_uses,
        pending=pending,
        completed=counts.get(ReferralStatus.COMPLETED, 0),
        earned=sum(reward or 0 for reward in rewards),
        reward=in_force.reward,
        least_purchase=in_force.least_purchase,
    )


def _is_one_person(organization_id: int, code: ReferralCode) -> bool:
    if share_a_member(organization_id, code.organization_id):
        return True
    here, there = owner_of(organization_id), owner_of(code.organization_id)
    return (
        here is not None
        and there is not None
        and identity_of(here.email) == identity_of(there.email)
    )


def _referred() -> CodeRefused:
    return codes.refuse("already_referred", "You have said before who brought you.")
