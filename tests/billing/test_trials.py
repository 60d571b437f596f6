"""Trials: who gets one, what it gives, and that it ends by time, tokens, requests or staff."""

import datetime

import pytest
import time_machine

from apps.accounts.models import Membership, Organization, Role
from apps.billing.models import AccountKind, CreditLot, JournalEntry, Trial, TrialEnd, TrialTerms
from apps.billing.selectors import credit_of, trial_that_ended
from apps.billing.services import ledger, trials
from apps.billing.services.verification import verify
from apps.common import clock
from apps.common.errors import InvalidRequest, TrialRefused
from gatewayz.bootstrap import bootstrap_demo
from tests.billing.books import open_books
from tests.billing.promotions import DAY, USD, books_of, make_person, make_user

pytestmark = pytest.mark.django_db


def refused(organization_id):
    with pytest.raises(TrialRefused) as error:
        trials.start(organization_id)
    assert error.value.message
    return error.value.code


def test_trial_gives_what_the_terms_say():
    books = make_person()

    trial = trials.start(books.organization_id)

    assert (trial.credit, trial.tokens, trial.requests) == (10 * USD, 1_000_000, 10_000)
    assert trial.ends_at - trial.started_at == 3 * DAY
    assert books.buckets == (0, 10 * USD, 0)
    lot = CreditLot.objects.get(organization_id=books.organization_id)
    assert (lot.reference, lot.expires_at) == (trial.reference, trial.ends_at)
    assert verify().problems == ()


def test_a_given_trial_is_limited_by_its_credit_and_its_days_alone():
    books = make_person()

    trial = trials.give(books.organization_id, name="fair", credit=3 * USD, days=20)

    assert books.buckets == (0, 3 * USD, 0)
    assert trial.ends_at - trial.started_at == 20 * DAY
    assert trials.review(trial.pk, tokens=10**9, requests=10**9) is None
    assert refused(books.organization_id) == "trial_already_used"


def test_the_quick_start_is_on_the_trial_whose_credit_it_shows(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    bootstrap_demo(base_url="http://here/v1")
    trial = Trial.objects.get()
    entry = JournalEntry.objects.get(reference=trial.reference)

    assert (trial.credit, entry.memo) == (10 * USD, "Trial credit (quick start)")
    (tmp_path / "demo.json").unlink()
    bootstrap_demo(base_url="http://here/v1")  # another key and password, no other credit
    assert Trial.objects.get() == trial
    assert credit_of(trial.organization_id).promo == 10 * USD


def test_terms_are_the_rows_and_later_changes_leave_trials_alone():
    TrialTerms.objects.filter(pk="standard").update(days=5, credit=2 * USD, tokens=7, requests=3)
    books = make_person()
    trials.start(books.organization_id)
    TrialTerms.objects.filter(pk="standard").update(days=1, credit=USD)

    trial = Trial.objects.get(organization_id=books.organization_id)

    assert (trial.credit, trial.tokens, trial.requests) == (2 * USD, 7, 3)
    assert trial.ends_at - trial.started_at == 5 * DAY


def test_no_trial_begins_when_none_is_offered():
    TrialTerms.objects.filter(pk="standard").update(is_offered=False)

    assert refused(make_person().organization_id) == "permission_denied"


def test_second_trial_of_an_organisation_is_refused_for_good():
    books = make_person()
    trial = trials.start(books.organization_id)

    assert refused(books.organization_id) == "trial_already_used"
    trials.end(trial.pk)
    assert refused(books.organization_id) == "trial_already_used"
    assert books.buckets == (0, 0, 0)
    assert JournalEntry.objects.filter(reference=trial.reference).count() == 1


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("ada.l@gmail.com", "a.dal@gmail.com"),
        ("adal@gmail.com", "adal+2@googlemail.com"),
        ("ada@outlook.com", "ada+2@outlook.com"),
    ],
)
def test_second_trial_of_a_person_is_refused_whatever_the_spelling(first, second):
    trials.start(make_person(first).organization_id)
    again = make_person(second)

    assert refused(again.organization_id) == "trial_already_used"
    assert again.buckets == (0, 0, 0)
    assert not Trial.objects.filter(organization_id=again.organization_id).exists()


def test_second_organisation_of_the_same_owner_gets_no_trial():
    user = make_user()
    trials.start(books_of(user).organization_id)
    other = Organization.objects.create(name="other")
    Membership.objects.create(user=user, organization=other, role=Role.OWNER)

    assert refused(other.pk) == "trial_already_used"


def test_credit_that_was_given_as_a_trial_before_counts_as_one():
    books = make_person()
    ledger.grant_promo(
        books.organization_id,
        amount=USD,
        reference=f"trial:{books.organization_id}",
        memo="Trial credit",
    )

    assert refused(books.organization_id) == "trial_already_used"
    assert not Trial.objects.filter(organization_id=books.organization_id).exists()


def test_unverified_address_gets_no_trial_until_it_is_verified():
    user = make_user(is_verified=False)
    books = books_of(user)

    assert refused(books.organization_id) == "email_not_verified"
    user.email_verified_at = clock.now()
    user.save()
    assert trials.start(books.organization_id).credit == 10 * USD


def test_organisation_without_an_owner_gets_no_trial():
    assert refused(open_books().organization_id) == "email_not_verified"


def test_member_who_is_no_owner_stands_for_nobody():
    organization = Organization.objects.create(name="t")
    Membership.objects.create(user=make_user(), organization=organization, role=Role.ADMIN)

    assert refused(organization.pk) == "email_not_verified"


def test_disposable_address_gets_no_trial():
    assert refused(make_person("x@mailinator.com").organization_id) == "email_not_allowed"


@pytest.mark.parametrize(
    ("tokens", "requests", "reason"),
    [(1_000_000, 1, TrialEnd.TOKENS), (5, 10_000, TrialEnd.REQUESTS), (2_000_000, 99_999, TrialEnd.TOKENS)],
)  # fmt: skip
def test_trial_ends_when_it_is_used_up_and_the_credit_left_is_taken_back(tokens, requests, reason):
    books = make_person()
    trial = trials.start(books.organization_id)
    ledger.settle([books.costs(4 * USD)])

    assert trials.review(trial.pk, tokens=tokens, requests=requests) is reason

    trial.refresh_from_db()
    assert (trial.tokens_used, trial.requests_used) == (tokens, requests)
    assert trial.end_reason == reason
    assert books.buckets == (0, 0, 0)
    assert trial_that_ended(books.organization_id) == trial.ended_at
    assert verify().problems == ()


def test_trial_goes_on_while_something_is_left():
    books = make_person()
    trial = trials.start(books.organization_id)

    assert trials.review(trial.pk, tokens=999_999, requests=9_999) is None

    trial.refresh_from_db()
    assert (trial.tokens_used, trial.requests_used, trial.ended_at) == (999_999, 9_999, None)
    assert books.buckets == (0, 10 * USD, 0)
    assert trial_that_ended(books.organization_id) is None


def test_trial_ends_with_its_last_day():
    books = make_person()
    trial = trials.start(books.organization_id)

    with time_machine.travel(trial.ends_at + datetime.timedelta(seconds=1), tick=False):
        assert trial_that_ended(books.organization_id) == trial.ends_at
        assert trials.review(trial.pk, tokens=0, requests=0) is TrialEnd.TIME
        assert trials.review(trial.pk, tokens=0, requests=0) is None

    trial.refresh_from_db()
    assert (trial.ended_at, trial.end_reason) == (trial.ends_at, "time")
    assert books.buckets == (0, 0, 0)
    assert verify().problems == ()


def test_only_the_trials_credit_is_taken_when_there_is_other_credit():
    books = make_person()
    trial = trials.start(books.organization_id)
    ledger.grant_promo(books.organization_id, amount=USD, reference="test:gift", memo="")

    trials.review(trial.pk, tokens=10**7, requests=0)

    assert books.buckets == (0, USD, 0)
    assert trial_that_ended(books.organization_id) is None
    assert verify().problems == ()


def test_what_is_on_hold_is_left_to_the_request_and_then_taken():
    books = make_person()
    trial = trials.start(books.organization_id)
    request = books.hold(6 * USD)

    trials.end(trial.pk)
    assert books.buckets == (0, 6 * USD, 0)

    ledger.settle([books.costs(2 * USD, request_id=request)])
    ledger.expire_credit(clock.now())
    assert books.buckets == (0, 0, 0)
    assert verify().problems == ()


def test_trial_is_extended_with_its_credit_while_it_runs():
    books = make_person()
    trial = trials.start(books.organization_id)

    longer = trials.extend(trial.pk, days=4)

    assert longer.ends_at == trial.ends_at + 4 * DAY
    with time_machine.travel(trial.ends_at + DAY, tick=False):
        ledger.expire_credit(clock.now())
        assert trials.review(trial.pk, tokens=0, requests=0) is None
    assert books.buckets == (0, 10 * USD, 0)
    with time_machine.travel(longer.ends_at, tick=False):
        ledger.expire_credit(clock.now())
    assert books.buckets == (0, 0, 0)


@pytest.mark.parametrize("days", [0, -1, 366])
def test_extension_of_no_days_or_too_many_is_refused(days):
    trial = trials.start(make_person().organization_id)

    with pytest.raises(InvalidRequest) as error:
        trials.extend(trial.pk, days=days)

    assert (error.value.param, error.value.code) == ("days", "invalid_value")


def test_ended_trial_is_neither_ended_nor_extended_again():
    trial = trials.start(make_person().organization_id)
    trials.end(trial.pk)

    for again in (lambda: trials.end(trial.pk), lambda: trials.extend(trial.pk, days=1)):
        with pytest.raises(InvalidRequest, match="has ended"):
            again()


def test_customer_who_paid_is_not_told_of_a_trial():
    books = make_person()
    trial = trials.start(books.organization_id)
    trials.end(trial.pk)
    books.grant(AccountKind.PURCHASED, USD)
    ledger.settle([books.costs(USD)])

    assert books.buckets == (0, 0, 0)
    assert trial_that_ended(books.organization_id) is None
