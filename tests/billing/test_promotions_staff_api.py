"""The staff API of promotions: what staff may make, change and see, and what is named when it is wrong."""

import json

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission

from apps.accounts.identities import is_disposable
from apps.accounts.models import Organization
from apps.billing.models import AccountKind, Coupon, RedemptionCode, Trial
from apps.billing.services import coupons, partner_trials, redemption_codes, referrals, trials
from apps.billing.services.verification import verify
from tests.billing.promotions import DAY, USD, make_coupon, make_offer, make_person

pytestmark = pytest.mark.django_db
NEW_COUPON = {"code": "WELCOME5", "amount_usd": "5", "valid_from": "2026-01-01T00:00:00Z", "max_uses": 100}  # fmt: skip


@pytest.fixture
def staff(client):
    client.force_login(get_user_model().objects.create_superuser("dave@example.com", "pw"))

    def ask(method, path, body=None, **query):
        return client.generic(
            method,
            path,
            b"" if body is None else json.dumps(body),
            content_type="application/json",
            query_params=query,
        )

    return ask


def error_of(response):
    error = response.json()["error"]
    assert error["request_id"] == response["x-request-id"]
    return response.status_code, error["code"], error["param"]


def test_coupon_is_made_read_changed_and_deleted(staff):
    made = staff("POST", "/admin/coupons", {**NEW_COUPON, "code": " welcome5 "})
    path = f"/admin/coupons/{made.json()['id']}"

    assert made.status_code == 201
    assert (made.json()["code"], made.json()["amount_usd"]) == ("WELCOME5", "5")
    assert Coupon.objects.get().amount == 5 * USD
    changed = staff("PATCH", path, {"amount_usd": "0.000000001", "note": "less"})
    assert changed.json()["amount_usd"] == "0.000000001"
    assert Coupon.objects.get().amount == 1
    assert staff("GET", path).json()["note"] == "less"
    assert staff("DELETE", path).status_code == 204
    assert error_of(staff("GET", path)) == (404, "not_found", None)


@pytest.mark.parametrize(
    ("wrong", "code", "param"),
    [
        ({"amount_usd": "0"}, "invalid_value", "amount_usd"),
        ({"amount_usd": "-5"}, "invalid_value", "amount_usd"),
        ({"amount_usd": "1000.01"}, "invalid_value", "amount_usd"),
        ({"amount_usd": "NaN"}, "invalid_value", "amount_usd"),
        ({"amount_usd": "0.0000000001"}, "invalid_value", "amount_usd"),
        ({"amount_usd": None}, "invalid_value", "amount_usd"),
        ({"code": "ä"}, "invalid_value", "code"),
        ({"code": "TAKEN"}, "invalid_value", "code"),
        ({"code": None}, "invalid_value", "code"),
        ({"max_uses": 0}, "invalid_value", "max_uses"),
        ({"max_uses": 10**30}, "invalid_value", "max_uses"),
        ({"credit_days": 0}, "invalid_value", "credit_days"),
        ({"valid_until": "2025-01-01T00:00:00Z"}, "invalid_value", "valid_until"),
        ({"valid_from": "soon"}, "invalid_value", "valid_from"),
        ({"organization": 2**40, "max_uses": 1}, "invalid_value", "organization"),
        ({"organization": "mine"}, "invalid_value", "max_uses"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_field_of_a_coupon_that_is_wrong_is_named(staff, wrong, code, param):
    make_coupon(code="TAKEN")
    if wrong.get("organization") == "mine":
        wrong = {"organization": make_person().organization_id}

    response = staff("POST", "/admin/coupons", {**NEW_COUPON, **wrong})

    assert error_of(response) == (400, code, param)
    assert Coupon.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [({}, "code", "missing_field"), ([], None, "invalid_value"), ("x", None, "invalid_value")],
)
def test_body_that_is_no_coupon_is_refused(staff, body, param, code):
    assert error_of(staff("POST", "/admin/coupons", body)) == (400, code, param)


def test_body_that_is_no_json_is_refused(client, staff):
    wrong = client.post("/admin/coupons", b"{", content_type="application/json")
    form = client.post("/admin/coupons", {"code": "X"})

    assert error_of(wrong) == (400, "invalid_json", None)
    assert error_of(form) == (400, "invalid_request", "content-type")


def test_coupon_that_was_used_is_kept_and_counted(staff):
    coupon = make_coupon(max_uses=3)
    coupons.redeem(make_person().organization_id, code=coupon.code)
    path = f"/admin/coupons/{coupon.pk}"

    assert error_of(staff("DELETE", path)) == (400, "invalid_value", "id")
    numbers = staff("GET", f"{path}/analytics").json()
    assert (numbers["redemptions"], numbers["granted"], numbers["uses_left"]) == (1, 5 * USD, 2)
    assert staff("PATCH", path, {"used": 0}).json()["used"] == 1
    overview = staff("GET", "/admin/coupons/stats/overview").json()
    assert (overview["coupons"], overview["active"], overview["granted"]) == (1, 1, 5 * USD)


def test_coupons_come_in_pages_and_by_filters(staff):
    for number in range(3):
        make_coupon(code=f"SPRING{number}", is_active=number > 0)

    page = staff("GET", "/admin/coupons", page_size=2).json()
    off = staff("GET", "/admin/coupons", is_active="false").json()
    found = staff("GET", "/admin/coupons", search="spring1").json()

    assert (page["count"], len(page["results"]), page["next"] is not None) == (3, 2, True)
    assert [row["code"] for row in off["results"]] == ["SPRING0"]
    assert [row["code"] for row in found["results"]] == ["SPRING1"]
    assert error_of(staff("GET", "/admin/coupons", organization="x")) == (
        400,
        "invalid_value",
        "organization",
    )
    assert error_of(staff("GET", "/admin/coupons", page="9"))[:2] == (404, "not_found")


def test_codes_of_a_batch_are_told_once(staff):
    made = staff("POST", "/admin/redemption-batches", {"name": "fair", "amount_usd": "2.5", "count": 3})  # fmt: skip
    batch = made.json()

    assert made.status_code == 201
    assert len(set(batch["codes"])) == 3
    path = f"/admin/redemption-batches/{batch['id']}"
    redemption_codes.redeem(make_person().organization_id, code=batch["codes"][0])
    again = staff("GET", path).json()
    assert "codes" not in again
    assert (again["codes_made"], again["codes_redeemed"]) == (3, 1)
    assert staff("PATCH", path, {"is_active": False}).json()["is_active"] is False
    assert staff("PATCH", path, {"amount_usd": "900"}).json()["amount_usd"] == "2.5"
    assert error_of(staff("DELETE", path))[:2] == (405, "method_not_allowed")


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"count": 0}, "count"),
        ({"count": 1001}, "count"),
        ({"amount_usd": "0"}, "amount_usd"),
        ({"amount_usd": "-1"}, "amount_usd"),
        ({"amount_usd": "1001"}, "amount_usd"),
        ({"name": ""}, "name"),
        ({"valid_until": "never"}, "valid_until"),
    ],
)
def test_field_of_a_batch_that_is_wrong_is_named(staff, wrong, param):
    body = {"name": "fair", "amount_usd": "2.5", "count": 3, **wrong}

    assert error_of(staff("POST", "/admin/redemption-batches", body)) == (
        400,
        "invalid_value",
        param,
    )
    assert not RedemptionCode.objects.exists()


def test_trial_is_extended_and_ended(staff):
    books = make_person()
    trial = trials.start(books.organization_id)
    path = f"/admin/trials/{trial.pk}"

    extended = staff("POST", f"{path}/extend", {"days": 4})
    assert extended.status_code == 200
    assert Trial.objects.get().ends_at == trial.ends_at + 4 * DAY
    assert error_of(staff("POST", f"{path}/extend", {"days": 0})) == (400, "invalid_value", "days")
    assert error_of(staff("POST", f"{path}/extend", {})) == (400, "missing_field", "days")
    assert staff("POST", f"{path}/expire").json()["end_reason"] == "staff"
    assert books.buckets == (0, 0, 0)
    assert error_of(staff("POST", f"{path}/expire")) == (400, "invalid_value", "id")
    (row,) = staff("GET", "/admin/trials", end_reason="staff").json()["results"]
    assert (row["organization"], row["credit_usd"]) == (books.organization_id, "10")
    assert error_of(staff("POST", "/admin/trials/999999/expire"))[:2] == (404, "not_found")
    assert verify().problems == ()


def test_trials_are_counted(staff):
    paying = make_person()
    for books in (paying, make_person()):
        trials.start(books.organization_id)
    paying.grant(AccountKind.PURCHASED, USD)
    trials.end(Trial.objects.get(organization_id=paying.organization_id).pk)

    assert staff("GET", "/admin/trials/analytics").json() == {
        "started": 2,
        "running": 1,
        "ended": {"staff": 1},
        "converted": 1,
        "granted": 20 * USD,
    }


def test_partner_offer_is_made_and_counted(staff):
    made = staff(
        "POST",
        "/admin/partner-offers",
        {"code": "redbeard", "partner": "Red", "terms": "partner", "valid_from": "2026-01-01T00:00:00Z"},
    )  # fmt: skip
    assert (made.status_code, made.json()["code"]) == (201, "REDBEARD")
    partner_trials.start(make_person().organization_id, code="REDBEARD")
    path = f"/admin/partner-offers/{made.json()['id']}"

    assert staff("GET", f"{path}/analytics").json()["started"] == 1
    assert error_of(staff("DELETE", path)) == (400, "invalid_value", "id")
    wrong = {"valid_until": "2025-01-01T00:00:00Z"}
    assert error_of(staff("PATCH", path, wrong)) == (400, "invalid_value", "valid_until")
    used = make_offer(max_uses=5, used=3)
    few = staff("PATCH", f"/admin/partner-offers/{used.pk}", {"max_uses": 2})
    assert error_of(few) == (400, "invalid_value", "max_uses")


def test_referrals_are_listed(staff):
    referrer, friend = make_person(), make_person()
    code = referrals.make_code(referrer.organization_id)
    referrals.refer(friend.organization_id, code=code)

    (row,) = staff("GET", "/admin/referrals", status="pending").json()["results"]

    assert (row["code"], row["referrer"], row["organization"], row["reward_usd"]) == (
        code,
        referrer.organization_id,
        friend.organization_id,
        None,
    )
    assert staff("GET", "/admin/referrals", status="completed").json()["count"] == 0
    assert error_of(staff("GET", "/admin/referrals", status="odd")) == (
        400,
        "invalid_value",
        "status",
    )


def test_plan_is_assigned(staff):
    organization = make_person().organization_id

    answer = staff("POST", "/admin/assign-plan", {"organization": organization, "plan": "team"})

    assert answer.status_code == 200
    assert Organization.objects.get(pk=organization).plan_id == "team"


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ({"organization": "own", "plan": "nobody"}, "invalid_value", "plan"),
        ({"organization": 2**40, "plan": "team"}, "invalid_value", "organization"),
        ({"organization": 0, "plan": "team"}, "invalid_value", "organization"),
        ({"organization": 2**70, "plan": "team"}, "invalid_value", "organization"),
        ({"plan": "team"}, "missing_field", "organization"),
        ({"organization": "own"}, "missing_field", "plan"),
    ],
)
def test_plan_is_not_assigned_when_something_is_wrong(staff, body, code, param):
    own = make_person().organization_id
    if body.get("organization") == "own":
        body = {**body, "organization": own}

    assert error_of(staff("POST", "/admin/assign-plan", body)) == (400, code, param)
    assert Organization.objects.get(pk=own).plan_id == "dev"


def test_rule_of_a_domain_is_made_and_changed(staff):
    made = staff("POST", "/admin/email-domain-rules", {"domain": "bad.example", "verdict": "deny"})
    assert made.status_code == 201
    assert is_disposable("x@bad.example")

    staff("PATCH", "/admin/email-domain-rules/bad.example", {"verdict": "allow"})
    assert not is_disposable("x@bad.example")
    assert staff("DELETE", "/admin/email-domain-rules/bad.example").status_code == 204
    for wrong in ("nodots", "UPPER.example", "a b.example", ""):
        response = staff("POST", "/admin/email-domain-rules", {"domain": wrong})
        assert error_of(response) == (400, "invalid_value", "domain")


@pytest.mark.parametrize(
    ("codename", "method", "path", "status"),
    [
        ("view_coupon", "GET", "/admin/coupons", 200),
        ("view_coupon", "POST", "/admin/coupons", 403),
        ("add_coupon", "GET", "/admin/coupons", 403),
        ("add_coupon", "POST", "/admin/coupons", 400),
        ("view_trial", "POST", "/admin/trials/{trial}/expire", 403),
        ("add_trial", "POST", "/admin/trials/{trial}/expire", 403),
        ("change_trial", "POST", "/admin/trials/{trial}/expire", 200),
        ("add_organization", "POST", "/admin/assign-plan", 403),
        ("change_organization", "POST", "/admin/assign-plan", 400),
        ("add_redemptionbatch", "POST", "/admin/redemption-batches", 400),
    ],
)
def test_each_permission_opens_what_it_names(client, codename, method, path, status):
    trial = trials.start(make_person().organization_id)
    user = get_user_model().objects.create_user("erin@example.com", "pw", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename=codename))
    client.force_login(user)

    response = client.generic(
        method, path.format(trial=trial.pk), b"{}", content_type="application/json"
    )

    assert response.status_code == status


def test_host_that_is_not_ours_is_refused_in_the_envelope(client, settings):
    settings.ALLOWED_HOSTS = ["gateway.example"]

    response = client.get("/admin/coupons", headers={"host": "elsewhere.example"})

    assert error_of(response) == (400, "invalid_request", None)
