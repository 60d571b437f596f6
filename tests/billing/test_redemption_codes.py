"""Redemption codes and partner offers: made by staff, good for once, refused with a reason."""

import pytest
from django.db import IntegrityError, transaction

from apps.billing.models import RedemptionBatch, RedemptionCode, TrialTerms
from apps.billing.services import partner_trials, redemption_codes, trials
from apps.billing.services.verification import verify
from apps.common import clock
from apps.common.errors import GatewayzError, InvalidRequest
from tests.billing.promotions import DAY, USD, make_offer, make_person

pytestmark = pytest.mark.django_db


def make_code(**fields):
    _, (code,) = redemption_codes.make_batch(
        name="test", amount=fields.pop("amount", 7 * USD), count=1, **fields
    )
    return code


def refused(work, *args, **kwargs):
    with pytest.raises(GatewayzError) as error:
        work(*args, **kwargs)
    assert error.value.param == "code"
    return error.value.status, error.value.code


def test_codes_of_a_batch_differ_and_are_kept_as_hashes():
    batch, codes = redemption_codes.make_batch(name="fair", amount=USD, count=200)

    assert len(set(codes)) == 200
    assert all(len(code) == 19 for code in codes)
    rows = list(RedemptionCode.objects.filter(batch=batch).values_list("lookup", "last4"))
    assert len(rows) == 200
    plain = {code.replace("-", "") for code in codes}
    assert all(lookup not in plain and len(last4) == 4 for lookup, last4 in rows)


@pytest.mark.parametrize("spelling", [str.lower, str.upper, lambda code: code.replace("-", " ")])
def test_code_gives_its_credit_once(spelling):
    books, other, code = make_person(), make_person(), make_code()

    assert redemption_codes.redeem(books.organization_id, code=spelling(code)).amount == 7 * USD

    for again in (books, other):
        answer = refused(redemption_codes.redeem, again.organization_id, code=code)
        assert answer == (400, "code_already_redeemed")
    assert (books.buckets, other.buckets) == ((0, 7 * USD, 0), (0, 0, 0))
    assert verify().problems == ()


def test_code_that_expired_is_refused_and_stays_unused():
    books, code = make_person(), make_code(valid_until=clock.now() - DAY)

    assert refused(redemption_codes.redeem, books.organization_id, code=code) == (
        400,
        "code_expired",
    )
    assert RedemptionCode.objects.get().redeemed_at is None


@pytest.mark.parametrize("code", ["", "AAAA-AAAA-AAAA-AAAA", "nul\x00"])
def test_unknown_code_is_not_found(code):
    found = refused(redemption_codes.redeem, make_person().organization_id, code=code)

    assert found == (404, "not_found")


def test_code_of_a_batch_that_is_switched_off_is_not_found():
    books, code = make_person(), make_code()
    RedemptionBatch.objects.update(is_active=False)

    assert refused(redemption_codes.redeem, books.organization_id, code=code)[0] == 404


@pytest.mark.parametrize("amount", [0, -1, 1_000 * USD + 1])
def test_batch_of_no_amount_or_too_much_is_refused(amount):
    with pytest.raises(IntegrityError), transaction.atomic():
        make_code(amount=amount)


@pytest.mark.parametrize("count", [0, -1, 1_001])
def test_batch_of_no_codes_or_too_many_is_refused(count):
    with pytest.raises(InvalidRequest) as error:
        redemption_codes.make_batch(name="x", amount=USD, count=count)
    assert error.value.param == "count"


def test_partners_code_begins_a_trial_under_its_terms():
    books, offer = make_person(), make_offer()

    trial = partner_trials.start(books.organization_id, code=offer.code.lower())

    assert trial.offer_id == offer.pk
    assert trial.credit == 20 * USD
    assert trial.ends_at - trial.started_at == 14 * DAY
    assert books.buckets == (0, 20 * USD, 0)
    offer.refresh_from_db()
    assert offer.used == 1


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"valid_until": clock.now() - DAY / 2}, (400, "code_expired")),
        ({"valid_from": clock.now() + DAY}, (400, "code_not_valid_yet")),
        ({"max_uses": 2, "used": 2}, (400, "code_used_up")),
        ({"is_active": False}, (404, "not_found")),
    ],
    ids=["expired", "early", "used up", "off"],
)
def test_offer_that_is_over_begins_no_trial(fields, expected):
    books, offer = make_person(), make_offer(**fields)

    assert refused(partner_trials.start, books.organization_id, code=offer.code) == expected
    assert books.buckets == (0, 0, 0)


def test_offer_whose_terms_are_withdrawn_is_not_found():
    TrialTerms.objects.filter(pk="partner").update(is_offered=False)

    assert refused(partner_trials.find_offer, make_offer().code) == (404, "not_found")


@pytest.mark.parametrize("first_is_partners", [True, False])
def test_trial_and_partner_trial_are_one_between_them(first_is_partners):
    books, offer = make_person(), make_offer()
    begin = [
        lambda: partner_trials.start(books.organization_id, code=offer.code),
        lambda: trials.start(books.organization_id),
    ]
    first, second = begin if first_is_partners else reversed(begin)
    first()

    with pytest.raises(GatewayzError) as error:
        second()

    assert (error.value.status, error.value.code) == (403, "trial_already_used")
    offer.refresh_from_db()
    assert offer.used == int(first_is_partners)
