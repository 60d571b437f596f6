"""Referrals: who may use whose code, and that both sides get their credit exactly once."""

import pytest

from apps.accounts.models import Membership, Organization, Role, User
from apps.billing.models import AccountKind, Referral, ReferralCode, ReferralTerms
from apps.billing.services import ledger, referrals
from apps.billing.services.verification import verify
from apps.common.errors import GatewayzError
from tests.billing.promotions import USD, books_of, make_person, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def referrer():
    return make_person()


@pytest.fixture
def code(referrer):
    return referrals.make_code(referrer.organization_id)


@pytest.fixture
def purchase(django_capture_on_commit_callbacks):
    def buy(books, dollars=10, reference="stripe:1"):
        with django_capture_on_commit_callbacks(execute=True):
            return referrals.complete_referral(
                books.organization_id, purchase_nano_usd=dollars * USD, reference=reference
            )

    return buy


def refused(books, code):
    with pytest.raises(GatewayzError) as error:
        referrals.refer(books.organization_id, code=code)
    assert error.value.param == "code"
    return error.value.status, error.value.code


def test_code_has_eight_letters_and_stays_the_same(referrer, code):
    assert len(code) == 8
    assert referrals.make_code(referrer.organization_id) == code


def test_both_sides_get_their_credit_with_the_first_large_purchase(referrer, code, purchase):
    friend = make_person()
    referrals.refer(friend.organization_id, code=code.lower())

    assert purchase(friend, 9) is False
    assert purchase(friend, 10) is True
    assert purchase(friend, 10) is False
    assert purchase(friend, 500) is False

    assert referrer.buckets == friend.buckets == (0, 10 * USD, 0)
    assert referrals.give_earned() == 0
    referral = Referral.objects.get(organization_id=friend.organization_id)
    assert (referral.status, referral.purchase_reference) == ("completed", "stripe:1")
    assert verify().problems == ()


def test_credit_is_given_by_the_job_when_the_process_died_after_the_purchase(referrer, code):
    friend = make_person()
    referrals.refer(friend.organization_id, code=code)
    referrals.complete_referral(
        friend.organization_id, purchase_nano_usd=10 * USD, reference="stripe:1"
    )
    assert referrer.buckets == (0, 0, 0)

    assert referrals.give_earned() == 1
    assert referrals.give_earned() == 0
    assert referrer.buckets == friend.buckets == (0, 10 * USD, 0)


def test_half_given_referral_is_finished_and_nothing_is_given_twice(referrer, code):
    friend = make_person()
    referral = referrals.refer(friend.organization_id, code=code)
    referrals.complete_referral(
        friend.organization_id, purchase_nano_usd=10 * USD, reference="stripe:1"
    )
    ledger.grant_promo(
        referrer.organization_id, amount=10 * USD, reference=f"referral:{referral.pk}:referrer", memo=""
    )  # fmt: skip

    referrals.give_earned()

    assert referrer.buckets == friend.buckets == (0, 10 * USD, 0)


def test_purchase_of_somebody_whom_nobody_brought_earns_nothing(referrer, code, purchase):
    assert purchase(make_person(), 100) is False
    assert referrer.buckets == (0, 0, 0)


def test_terms_are_the_row(referrer, code, purchase):
    ReferralTerms.objects.update(reward=3 * USD, least_purchase=50 * USD)
    friend = make_person()
    referrals.refer(friend.organization_id, code=code)

    assert purchase(friend, 49) is False
    assert purchase(friend, 50) is True
    assert friend.buckets == (0, 3 * USD, 0)


def test_own_code_is_refused(referrer, code):
    assert refused(referrer, code) == (400, "own_code")


def test_code_of_another_organisation_of_the_same_person_is_refused():
    user = make_user("a.b@gmail.com")
    code = referrals.make_code(books_of(user).organization_id)
    second = Organization.objects.create(name="second")
    Membership.objects.create(user=user, organization=second, role=Role.OWNER)
    spelt = make_person("ab+x@gmail.com")

    with pytest.raises(GatewayzError) as error:
        referrals.refer(second.pk, code=code)
    assert error.value.code == "own_code"
    assert refused(spelt, code) == (400, "own_code")


def test_code_of_an_organisation_with_a_common_member_is_refused(referrer, code):
    friend = make_person()
    member = User.objects.get(memberships__organization_id=friend.organization_id)
    Membership.objects.create(
        user=member, organization_id=referrer.organization_id, role=Role.VIEWER
    )

    assert refused(friend, code) == (400, "own_code")


def test_two_organisations_do_not_bring_each_other(referrer, code):
    friend = make_person()
    referrals.refer(friend.organization_id, code=code)

    assert refused(referrer, referrals.make_code(friend.organization_id)) == (400, "own_code")


def test_credit_is_not_given_when_the_purchase_went_back_before(referrer, code, monkeypatch):
    friend = make_person()
    referrals.refer(friend.organization_id, code=code)
    monkeypatch.setattr(referrals, "give_earned", lambda: 0)  # the process died
    referrals.complete_referral(
        friend.organization_id, purchase_nano_usd=10 * USD, reference="stripe:1"
    )
    referral = Referral.objects.select_related("code").get()

    referrals.forfeit("stripe:1")
    referrals._give(referral)  # another process had read it before
    assert referrals.take_forfeited() == 1
    assert referrals.take_forfeited() == 0

    assert Referral.objects.get().status == "withdrawn"
    assert (referrer.buckets, friend.buckets) == ((0, 0, 0), (0, 0, 0))


def test_organisation_is_brought_once(code):
    friend = make_person()
    referrals.refer(friend.organization_id, code=code)
    other = referrals.make_code(make_person().organization_id)

    assert refused(friend, code) == (400, "already_referred")
    assert refused(friend, other) == (400, "already_referred")


def test_person_is_brought_once(code):
    referrals.refer(make_person("a.b@gmail.com").organization_id, code=code)

    assert refused(make_person("ab+2@gmail.com"), code) == (400, "already_referred")


def test_code_is_refused_after_the_first_purchase(code):
    friend = make_person()
    friend.grant(AccountKind.PURCHASED, USD)

    assert refused(friend, code) == (400, "referral_too_late")


def test_code_is_good_for_ten(referrer, code):
    for _ in range(10):
        referrals.refer(make_person().organization_id, code=code)

    assert refused(make_person(), code) == (400, "code_used_up")
    assert ReferralCode.objects.get(code=code).used == 10
    assert referrals.stats_of(referrer.organization_id).pending == 10


def test_unknown_code_is_not_found():
    assert refused(make_person(), "NOBODY00") == (404, "not_found")


def test_statistics_are_the_organisations_own(referrer, code, purchase):
    friend, waiting = make_person(), make_person()
    for books in (friend, waiting):
        referrals.refer(books.organization_id, code=code)
    purchase(friend)

    found = referrals.stats_of(referrer.organization_id)

    assert (found.code, found.used, found.max_uses) == (code, 2, 10)
    assert (found.pending, found.completed, found.earned) == (1, 1, 10 * USD)
    assert referrals.stats_of(friend.organization_id).completed == 0
    assert referrals.stats_of(friend.organization_id).code is None
