"""The routes of plans, trials, coupons, referrals and redemption codes, asked over HTTP with keys of organisations."""

import orjson
import pytest
import time_machine

from apps.accounts.models import Organization, Plan
from apps.billing.models import AccountKind
from apps.billing.services import ledger, redemption_codes, trials
from apps.common import clock
from apps.keys import services as keys
from gatewayz.unversioned import first_parts
from tests.billing.promotions import (
    DAY,
    USD,
    books_of,
    make_coupon,
    make_offer,
    make_person,
    make_user,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def person():
    return make_person()


@pytest.fixture
def ask(client, person):
    """``ask(method, path, body)`` with the person's key, or with that of ``books``."""

    def send(method, path, body=None, *, books=person):
        secret = keys.issue(books.organization_id, name="t").secret
        headers = {"authorization": f"Bearer {secret}"}
        content = b"" if body is None else orjson.dumps(body)
        return client.generic(
            method, path, content, content_type="application/json", headers=headers
        )

    return send


def data_of(response):
    assert response.status_code == 200, response.content
    return response.json()["data"]


def error_of(response):
    error = response.json()["error"]
    return response.status_code, error["code"], error["param"]


def test_plans_are_shown_to_everybody_in_their_order(client):
    found = data_of(client.get("/v1/plans"))

    assert [(p["slug"], p["price_cents"], p["allowance"]) for p in found] == [
        ("dev", 0, 0),
        ("pro", 2900, 30),
        ("team", 9900, 105),
        ("enterprise", None, 0),
    ]
    assert data_of(client.get("/v1/plans/pro"))["limits"]["requests_per_minute"] == 300
    assert [p["slug"] for p in data_of(client.get("/v1/subscription/plans"))] == ["pro", "team"]


def test_plan_that_is_not_shown_is_found_by_its_organisation_alone(client, ask, person):
    Plan.objects.filter(pk="team").update(is_public=False)
    Organization.objects.filter(pk=person.organization_id).update(plan="team")

    assert error_of(client.get("/v1/plans/team")) == (404, "not_found", "plan")
    assert "team" not in [p["slug"] for p in data_of(client.get("/v1/plans"))]
    assert data_of(ask("GET", "/v1/user/plan"))["slug"] == "team"


@pytest.mark.parametrize("plan", ["nobody", "PRO", "x" * 300])
def test_unknown_plan_is_not_found(client, plan):
    assert error_of(client.get(f"/v1/plans/{plan}")) == (404, "not_found", "plan")


def test_own_plan_entitlements_and_usage_are_told(ask, person):
    person.grant(AccountKind.ALLOWANCE, 3 * USD)

    entitled = data_of(ask("GET", "/v1/user/plan/entitlements"))
    used = data_of(ask("GET", "/v1/user/plan/usage"))

    assert (entitled["plan"], entitled["limits"]["concurrency"]) == ("dev", 10)
    assert entitled["features"]
    assert (used["requests"], used["tokens"], used["spent_nano_usd"]) == (0, 0, 0)
    assert used["allowance_left_nano_usd"] == 3 * USD
    assert used["since"] == clock.now().strftime("%Y-%m-01T00:00:00Z")


def test_trial_begins_is_told_and_ends(ask, person):
    assert data_of(ask("GET", "/v1/trial/status"))["status"] == "none"

    begun = data_of(ask("POST", "/v1/trial/start"))
    ledger.settle([person.costs(4 * USD)])
    now = data_of(ask("GET", "/v1/trial/status"))

    assert (begun["status"], begun["credit"], begun["tokens"]) == ("active", 10, 1_000_000)
    assert now["credit_left_nano_usd"] == 6 * USD
    assert data_of(ask("GET", "/v1/partner-trials/status"))["status"] == "none"
    with time_machine.travel(clock.now() + 4 * DAY, tick=False):
        ended = data_of(ask("GET", "/v1/trial/status"))
    assert (ended["status"], ended["end_reason"]) == ("ended", "time")
    assert (ended["ended_at"], ended["credit_left_nano_usd"]) == (begun["ends_at"], 0)


def test_second_trial_is_refused_in_the_envelope(ask):
    ask("POST", "/v1/trial/start")

    assert error_of(ask("POST", "/v1/trial/start")) == (403, "trial_already_used", None)


@pytest.mark.parametrize(
    ("email", "is_verified", "code"),
    [("", False, "email_not_verified"), ("x@mailinator.com", True, "email_not_allowed")],
)
def test_trial_is_refused_with_the_reason(ask, email, is_verified, code):
    books = books_of(make_user(email, is_verified=is_verified))

    assert error_of(ask("POST", "/v1/trial/start", books=books)) == (403, code, None)


def test_partners_offer_is_told_checked_and_taken(client, ask, person):
    offer = make_offer(max_uses=1)

    told = data_of(client.get(f"/v1/partner-trials/config/{offer.code}"))
    before = data_of(client.get(f"/v1/partner-trials/check/{offer.code}"))
    begun = data_of(ask("POST", "/v1/partner-trials/start", {"code": offer.code}))
    after = data_of(client.get(f"/v1/partner-trials/check/{offer.code}"))

    assert (told["partner"], told["days"], told["credit"]) == ("Acme", 14, 20)
    assert (before["is_open"], after["is_open"], after["reason"]) == (True, False, "code_used_up")
    assert (begun["status"], begun["partner"]) == ("active", "Acme")
    assert data_of(ask("GET", "/v1/partner-trials/status"))["partner"] == "Acme"
    other = make_person()
    assert error_of(ask("POST", "/v1/partner-trials/start", {"code": offer.code}, books=other)) == (
        400,
        "code_used_up",
        "code",
    )


def test_daily_limit_tells_what_was_spent_today(ask, person):
    trials.start(person.organization_id)
    ledger.settle([person.costs(2 * USD)])

    found = data_of(ask("GET", "/v1/partner-trials/daily-limit"))

    assert found == {
        "limit_nano_usd": None,
        "spent_today": 2.0,
        "spent_today_nano_usd": 2 * USD,
    }


@pytest.mark.parametrize("path", ["config", "check"])
@pytest.mark.parametrize("code", ["NOBODY", "%00", "é"])
def test_unknown_partner_code_is_not_found(client, path, code):
    response = client.get(f"/v1/partner-trials/{path}/{code}")

    assert error_of(response) == (404, "not_found", "code")


def test_coupon_is_offered_redeemed_and_remembered(ask, person):
    coupon = make_coupon(organization_id=person.organization_id, credit_days=30)

    offered = data_of(ask("GET", "/v1/coupons/available"))
    redeemed = data_of(ask("POST", "/v1/coupons/redeem", {"code": coupon.code.lower()}))

    assert [(row["code"], row["amount"]) for row in offered] == [(coupon.code, 5)]
    assert (redeemed["amount_nano_usd"], redeemed["code"]) == (5 * USD, coupon.code)
    assert redeemed["expires_at"] > redeemed["redeemed_at"]
    assert data_of(ask("GET", "/v1/coupons/available")) == []
    (row,) = data_of(ask("GET", "/v1/coupons/history"))
    assert (row["code"], row["amount"]) == (coupon.code, 5)
    stranger = make_person()
    assert data_of(ask("GET", "/v1/coupons/history", books=stranger)) == []
    assert error_of(ask("POST", "/v1/coupons/redeem", {"code": coupon.code}, books=stranger)) == (
        400,
        "code_not_yours",
        "code",
    )


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({}, "missing_field", "code"),
        ({"code": ""}, "invalid_value", "code"),
        ({"code": 5}, "invalid_value", "code"),
        ({"code": "x" * 65}, "invalid_value", "code"),
        ({"code": "A", "amount": 5}, "invalid_value", "amount"),
    ],
)
@pytest.mark.parametrize(
    "path",
    [
        "/v1/coupons/redeem",
        "/v1/redemption-codes/redeem",
        "/v1/referral/validate",
        "/v1/referral/apply",
        "/v1/partner-trials/start",
    ],
)
def test_body_that_is_wrong_names_its_field(ask, path, body, code, param):
    assert error_of(ask("POST", path, body)) == (400, code, param)


@pytest.mark.parametrize("code", ["NOBODY", "nul\x00", "ü", "'; --"])
@pytest.mark.parametrize(
    "path", ["/v1/coupons/redeem", "/v1/redemption-codes/redeem", "/v1/referral/apply"]
)
def test_unknown_code_is_not_found(ask, path, code):
    assert error_of(ask("POST", path, {"code": code})) == (404, "not_found", "code")


def test_redemption_code_is_redeemed_once(ask, person):
    _, (code,) = redemption_codes.make_batch(name="t", amount=3 * USD, count=1)

    redeemed = data_of(ask("POST", "/v1/redemption-codes/redeem", {"code": code}))
    again = ask("POST", "/v1/redemption-codes/redeem", {"code": code})

    assert redeemed["amount"] == 3
    assert code not in str(redeemed)
    assert error_of(again) == (400, "code_already_redeemed", "code")
    assert person.buckets == (0, 3 * USD, 0)


def test_referral_from_the_code_to_the_numbers(ask, person):
    friend = make_person()
    assert data_of(ask("GET", "/v1/referral/code"))["code"] is None

    code = data_of(ask("POST", "/v1/referral/generate"))["code"]
    checked = data_of(ask("POST", "/v1/referral/validate", {"code": code}, books=friend))
    assert data_of(ask("GET", "/v1/referral/stats"))["used"] == 0
    applied = data_of(ask("POST", "/v1/referral/apply", {"code": code}, books=friend))

    assert data_of(ask("GET", "/v1/referral/code"))["code"] == code
    assert (checked["is_valid"], checked["reward"], checked["least_purchase"]) == (True, 10, 10)
    assert applied == {"code": code, "status": "pending"}
    numbers = data_of(ask("GET", "/v1/referral/stats"))
    assert (numbers["used"], numbers["max_uses"], numbers["pending"]) == (1, 10, 1)
    own = ask("POST", "/v1/referral/validate", {"code": code})
    assert error_of(own) == (400, "own_code", "code")


def test_whoever_guesses_codes_has_to_wait_an_hour(ask, person, settings):
    settings.WRONG_CODES_PER_HOUR = 3
    coupon, foreign = make_coupon(max_uses=9), make_coupon(organization_id=make_person().organization_id)  # fmt: skip
    for wrong in ("NOBODY", "NOBODY2", foreign.code):
        assert ask("POST", "/v1/coupons/redeem", {"code": wrong}).status_code in {400, 404}

    response = ask("POST", "/v1/coupons/redeem", {"code": coupon.code})
    assert error_of(response) == (429, "rate_limit_exceeded", "code")
    assert 3500 < int(response["retry-after"]) <= 3600
    assert data_of(ask("POST", "/v1/coupons/redeem", {"code": coupon.code}, books=make_person()))
    with time_machine.travel(clock.now() + DAY / 24, tick=False):
        assert data_of(ask("POST", "/v1/coupons/redeem", {"code": coupon.code}))


def test_paths_work_without_the_version_too():
    assert {"plans", "subscription", "trial", "partner-trials", "coupons", "referral", "redemption-codes"} <= first_parts()  # fmt: skip
