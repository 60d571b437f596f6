"""Coupons: what they give, and a refusal of its own for each reason."""

import datetime

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from apps.accounts.models import Membership, Organization, Role
from apps.billing.models import Coupon, CouponRedemption, CreditLot, JournalEntry
from apps.billing.services import coupons
from apps.billing.services.verification import verify
from apps.common import clock
from apps.common.errors import GatewayzError
from tests.billing.promotions import DAY, USD, books_of, make_coupon, make_person, make_user

pytestmark = pytest.mark.django_db


def refused(organization_id, code):
    """Status and code; nothing is written and the coupon is as it was."""
    before = list(Coupon.objects.values_list("pk", "used"))
    with pytest.raises(GatewayzError) as error:
        coupons.redeem(organization_id, code=code)
    assert list(Coupon.objects.values_list("pk", "used")) == before
    assert error.value.param == "code"
    return error.value.status, error.value.code


def test_coupon_gives_its_credit():
    books, coupon = make_person(), make_coupon(max_uses=3)

    redeemed = coupons.redeem(books.organization_id, code=f" {coupon.code.lower()} ")

    assert (redeemed.code, redeemed.amount, redeemed.expires_at) == (coupon.code, 5 * USD, None)
    assert books.buckets == (0, 5 * USD, 0)
    coupon.refresh_from_db()
    assert coupon.used == 1
    entry = JournalEntry.objects.get(reference=f"coupon:{coupon.pk}:{books.organization_id}")
    assert dict(entry.lines.values_list("account__kind", "amount")) == {
        "promo": 5 * USD,
        "promo_expense": -5 * USD,
    }
    assert verify().problems == ()


def test_credit_expires_after_the_days_that_the_coupon_says():
    books, coupon = make_person(), make_coupon(credit_days=30)

    redeemed = coupons.redeem(books.organization_id, code=coupon.code)

    lot = CreditLot.objects.get(organization_id=books.organization_id)
    assert lot.expires_at == redeemed.expires_at == redeemed.redeemed_at + 30 * DAY


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"valid_until": clock.now() - DAY / 2}, "code_expired"),
        ({"valid_from": clock.now() + DAY}, "code_not_valid_yet"),
        ({"used": 1}, "code_used_up"),
        ({"used": 7, "max_uses": 7}, "code_used_up"),
    ],
    ids=["expired", "early", "used up", "used up by many"],
)
def test_coupon_that_is_over_is_refused(fields, code):
    books, coupon = make_person(), make_coupon(**fields)

    assert refused(books.organization_id, coupon.code) == (400, code)
    assert books.buckets == (0, 0, 0)
    assert not CouponRedemption.objects.exists()


@pytest.mark.parametrize("code", ["NOBODY", "", "nul\x00", "ö" * 9, "x" * 500])
def test_unknown_coupon_is_not_found(code):
    assert refused(make_person().organization_id, code) == (404, "not_found")


def test_coupon_that_is_switched_off_is_not_found():
    coupon = make_coupon(is_active=False)

    assert refused(make_person().organization_id, coupon.code) == (404, "not_found")


def test_coupon_of_another_organisation_is_refused_and_not_shown():
    alice, stranger = make_person(), make_person()
    coupon = make_coupon(organization_id=alice.organization_id)

    assert refused(stranger.organization_id, coupon.code) == (400, "code_not_yours")
    assert coupons.list_offered(stranger.organization_id) == []
    assert [found.code for found in coupons.list_offered(alice.organization_id)] == [coupon.code]
    assert coupons.redeem(alice.organization_id, code=coupon.code).amount == 5 * USD
    assert coupons.list_offered(alice.organization_id) == []


def test_coupon_of_a_user_is_good_where_the_user_is_the_owner():
    user, stranger = make_user(), make_person()
    team = Organization.objects.create(name="team")
    Membership.objects.create(user=user, organization=team, role=Role.ADMIN)
    coupon = make_coupon(user=user)

    assert refused(stranger.organization_id, coupon.code) == (400, "code_not_yours")
    assert refused(team.pk, coupon.code) == (400, "code_not_yours")
    assert [found.code for found in coupons.list_offered(books_of(user).organization_id)]
    assert coupons.redeem(books_of(user).organization_id, code=coupon.code).amount == 5 * USD


def test_public_coupons_are_not_offered_to_those_who_do_not_know_them():
    make_coupon(max_uses=100)

    assert coupons.list_offered(make_person().organization_id) == []


def test_coupon_is_good_for_once():
    books, coupon = make_person(), make_coupon(max_uses=5)
    coupons.redeem(books.organization_id, code=coupon.code)

    assert refused(books.organization_id, coupon.code) == (400, "code_already_redeemed")
    assert books.buckets == (0, 5 * USD, 0)


def test_coupon_is_good_for_once_for_a_person_with_two_organisations():
    user, coupon = make_user("a.b@gmail.com"), make_coupon(max_uses=5)
    coupons.redeem(books_of(user).organization_id, code=coupon.code)
    other = Organization.objects.create(name="other")
    Membership.objects.create(user=user, organization=other, role=Role.OWNER)
    again = make_person("ab+2@gmail.com")

    assert refused(other.pk, coupon.code) == (400, "code_already_redeemed")
    assert refused(again.organization_id, coupon.code) == (400, "code_already_redeemed")


def test_who_redeemed_the_last_one_is_told_so_and_not_that_it_is_used_up():
    books, coupon = make_person(), make_coupon(max_uses=1)
    coupons.redeem(books.organization_id, code=coupon.code)

    assert refused(books.organization_id, coupon.code) == (400, "code_already_redeemed")
    assert refused(make_person().organization_id, coupon.code) == (400, "code_used_up")


def test_history_is_the_organisations_own():
    alice, bob = make_person(), make_person()
    coupon = make_coupon(max_uses=2)
    coupons.redeem(alice.organization_id, code=coupon.code)

    assert [(row.code, row.amount) for row in coupons.list_redeemed(alice.organization_id)] == [
        (coupon.code, 5 * USD)
    ]
    assert coupons.list_redeemed(bob.organization_id) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"amount": 0},
        {"amount": -1},
        {"amount": 1_000 * USD + 1},
        {"max_uses": 0},
        {"used": 2, "max_uses": 1},
        {"valid_until": clock.now() - datetime.timedelta(days=2)},
    ],
    ids=["nothing", "negative", "too much", "no use", "overused", "dates"],
)
def test_database_refuses_coupons_that_make_no_sense(fields):
    with pytest.raises(IntegrityError), transaction.atomic():
        make_coupon(**fields)


@pytest.mark.parametrize("amount", [1, 1_000 * USD])
def test_amounts_at_the_edge_are_taken(amount):
    assert make_coupon(amount=amount).amount == amount


def test_coupon_for_one_has_one_use_and_one_addressee():
    user = make_user()
    organization_id = books_of(user).organization_id
    for fields in (
        {"user": user, "max_uses": 2},
        {"organization_id": organization_id, "max_uses": 2},
        {"user": user, "organization_id": organization_id},
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            make_coupon(**fields)


@pytest.mark.parametrize("code", ["ab", "lower", "SPACE D", "X" * 33, "É123"])
def test_code_that_nobody_can_type_is_refused(code):
    coupon = Coupon(code=code, amount=USD, valid_from=clock.now())

    with pytest.raises(ValidationError) as error:
        coupon.full_clean()
    assert set(error.value.message_dict) == {"code"}
