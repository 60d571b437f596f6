"""Coupons in any order of events: counters, redemptions and credit agree, and nothing is given twice."""

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from apps.billing.models import Coupon, CouponRedemption
from apps.billing.services import coupons
from apps.billing.services.verification import verify
from apps.common.errors import CodeRefused, NotFound
from tests.billing.promotions import make_coupon, make_person

PEOPLE = st.integers(0, 3)
COUPONS = st.integers(0, 2)


class Redeeming(RuleBasedStateMachine):
    """Four people, three coupons, and a model of who has redeemed what."""

    @initialize(uses=st.lists(st.integers(1, 3), min_size=3, max_size=3))
    def begin(self, uses):
        self.people = [make_person() for _ in range(4)]
        self.coupons = [make_coupon(max_uses=most, amount=most * 7) for most in uses]
        self.redeemed: set[tuple[int, int]] = set()
        self.off: set[int] = set()

    @rule(person=PEOPLE, number=COUPONS)
    def redeem(self, person, number):
        coupon = self.coupons[number]
        uses = sum(1 for _, redeemed in self.redeemed if redeemed == number)
        if number in self.off:
            expected = "not_found"
        elif (person, number) in self.redeemed:
            expected = "code_already_redeemed"
        elif uses == coupon.max_uses:
            expected = "code_used_up"
        else:
            expected = "done"
            self.redeemed.add((person, number))
        try:
            coupons.redeem(self.people[person].organization_id, code=coupon.code)
            found = "done"
        except (CodeRefused, NotFound) as refused:
            found = refused.code
        assert found == expected

    @rule(number=COUPONS, is_active=st.booleans())
    def switch(self, number, is_active):
        Coupon.objects.filter(pk=self.coupons[number].pk).update(is_active=is_active)
        (self.off.discard if is_active else self.off.add)(number)

    @invariant()
    def counters_redemptions_and_credit_agree(self):
        if not hasattr(self, "people"):
            return
        for number, coupon in enumerate(self.coupons):
            uses = sum(1 for _, redeemed in self.redeemed if redeemed == number)
            assert Coupon.objects.get(pk=coupon.pk).used == uses
            assert CouponRedemption.objects.filter(coupon=coupon).count() == uses
        for person, books in enumerate(self.people):
            given = sum(self.coupons[n].amount for who, n in self.redeemed if who == person)
            assert books.buckets == (0, given, 0)

    def teardown(self):
        assert verify().problems == ()


def test_books_agree_whatever_is_redeemed_in_whatever_order(db):
    run_state_machine_as_test(
        Redeeming,
        settings=settings(
            max_examples=8,
            stateful_step_count=12,
            deadline=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
