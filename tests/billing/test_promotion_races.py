"""Many at once: a code is never good for more than it says, and nothing is given twice."""

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from apps.billing.models import Coupon, CouponRedemption, ReferralCode, Trial
from apps.billing.services import (
    coupons,
    partner_trials,
    redemption_codes,
    referrals,
    trials,
)
from apps.billing.services.verification import verify
from apps.common.errors import GatewayzError
from apps.common.ids import new_id
from tests.billing.promotions import USD, make_coupon, make_offer, make_person

pytestmark = pytest.mark.usefixtures("committed")
MANY = 20


def together(works):
    """All start at once; what each answered, or the code it was refused with."""
    start = threading.Barrier(len(works))

    def run(work):
        start.wait()
        try:
            work()
        except GatewayzError as refused:
            return refused.code
        finally:
            connection.close()
        return "done"

    with ThreadPoolExecutor(len(works)) as threads:
        return sorted(threads.map(run, works))


def test_two_redemptions_of_one_coupon_at_once_are_one():
    for _ in range(5):
        books, coupon = make_person(), make_coupon(max_uses=10)

        def redeem(books=books, coupon=coupon):
            coupons.redeem(books.organization_id, code=coupon.code)

        assert together([redeem, redeem]) == ["code_already_redeemed", "done"]
        assert books.buckets == (0, 5 * USD, 0)
        assert Coupon.objects.get(pk=coupon.pk).used == 1
    assert verify().problems == ()


def test_coupon_is_never_used_more_often_than_it_may_be():
    coupon = make_coupon(max_uses=7)
    people = [make_person() for _ in range(MANY)]

    answers = together(
        [lambda books=books: coupons.redeem(books.organization_id, code=coupon.code) for books in people]
    )  # fmt: skip

    assert answers == ["code_used_up"] * (MANY - 7) + ["done"] * 7
    assert Coupon.objects.get(pk=coupon.pk).used == 7
    assert CouponRedemption.objects.filter(coupon=coupon).count() == 7
    assert sum(books.buckets[1] for books in people) == 7 * 5 * USD
    assert verify().problems == ()


def test_redemption_code_is_good_for_one_of_many():
    _, (code,) = redemption_codes.make_batch(name="race", amount=USD, count=1)
    people = [make_person() for _ in range(MANY)]

    answers = together(
        [lambda books=books: redemption_codes.redeem(books.organization_id, code=code) for books in people]
    )  # fmt: skip

    assert answers == ["code_already_redeemed"] * (MANY - 1) + ["done"]
    assert sum(books.buckets[1] for books in people) == USD


def test_one_person_gets_one_trial_whatever_is_asked_at_once():
    name = new_id("t").replace("_", "")
    people = [make_person(f"{name}+{number}@gmail.com") for number in range(8)]

    answers = together(
        [lambda books=books: trials.start(books.organization_id) for books in itertools.chain(people, people)]
    )  # fmt: skip

    assert answers == ["done"] + ["trial_already_used"] * 15
    assert sum(books.buckets[1] for books in people) == 10 * USD
    ids = [books.organization_id for books in people]
    assert Trial.objects.filter(organization_id__in=ids).count() == 1
    assert verify().problems == ()


def test_offer_is_never_taken_more_often_than_it_may_be():
    offer = make_offer(max_uses=3)
    people = [make_person() for _ in range(MANY)]

    answers = together(
        [lambda books=books: partner_trials.start(books.organization_id, code=offer.code) for books in people]
    )  # fmt: skip

    assert answers == ["code_used_up"] * (MANY - 3) + ["done"] * 3
    offer.refresh_from_db()
    assert offer.used == 3
    assert sum(books.buckets[1] for books in people) == 3 * 20 * USD


def test_referral_code_is_never_used_more_often_than_it_may_be():
    code = referrals.make_code(make_person().organization_id)
    people = [make_person() for _ in range(MANY)]

    answers = together(
        [lambda books=books: referrals.refer(books.organization_id, code=code) for books in people]
    )

    assert answers == ["code_used_up"] * 10 + ["done"] * 10
    assert ReferralCode.objects.get(code=code).used == 10


def test_referral_is_given_once_when_purchases_are_told_at_once():
    referrer, friend = make_person(), make_person()
    referrals.refer(friend.organization_id, code=referrals.make_code(referrer.organization_id))

    def purchase(number):
        return lambda: referrals.complete_referral(
            friend.organization_id, purchase_nano_usd=10 * USD, reference=f"stripe:{number}"
        )

    together([purchase(number) for number in range(8)])

    assert referrer.buckets == friend.buckets == (0, 10 * USD, 0)
    assert verify().problems == ()
