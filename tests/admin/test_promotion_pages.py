"""Promotions in the back office: dollars on the pages, nano-dollars in the rows, codes shown once."""

import re

import pytest
from django.urls import reverse

from apps.accounts.models import Plan, User
from apps.billing.models import Coupon, RedemptionBatch, ReferralTerms, TrialTerms
from apps.billing.services import redemption_codes
from tests.billing.promotions import USD, make_coupon, make_person

COUPON = {
    "code": "SPRING", "amount": "12.5", "max_uses": "3", "valid_from_0": "2026-01-01", "valid_from_1": "00:00:00",
    "valid_until_0": "", "valid_until_1": "", "organization": "", "user": "", "credit_days": "", "note": "",
    "is_active": "on",
}  # fmt: skip


def add(model):
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_add")


def change(row):
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def test_coupon_is_made_in_dollars(staff):
    assert staff.post(add(Coupon), COUPON).status_code == 302

    coupon = Coupon.objects.get()
    assert (coupon.code, coupon.amount, coupon.max_uses) == ("SPRING", 12_500_000_000, 3)
    shown = staff.get(change(coupon)).content.decode()
    assert 'value="12.5"' in shown


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"amount": "0"}, "amount"),
        ({"amount": "-1"}, "amount"),
        ({"amount": "1000.01"}, "amount"),
        ({"amount": "NaN"}, "amount"),
        ({"code": "é"}, "code"),
        ({"max_uses": "0"}, "max_uses"),
        ({"valid_until_0": "2025-01-01", "valid_until_1": "00:00:00"}, "__all__"),
    ],
)
def test_coupon_that_is_wrong_is_not_made(staff, wrong, field):
    answer = staff.post(add(Coupon), {**COUPON, **wrong})

    assert answer.status_code == 200
    assert list(answer.context["adminform"].form.errors) == [field]
    assert not Coupon.objects.exists()


def test_used_counter_cannot_be_written(staff):
    coupon = make_coupon(code="SPRING", used=1, max_uses=3)

    assert staff.post(change(coupon), {**COUPON, "used": "0"}).status_code == 302

    coupon.refresh_from_db()
    assert (coupon.used, coupon.amount) == (1, 12_500_000_000)


def test_codes_of_a_batch_are_shown_once_and_work(staff):
    form = {"name": "fair", "amount": "2", "count": "3", "is_active": "on"}
    page = staff.post(add(RedemptionBatch), form)

    codes = re.findall(r"\b(?:[A-Z2-9]{4}-){3}[A-Z2-9]{4}\b", page.content.decode())
    batch = RedemptionBatch.objects.get()
    assert page.status_code == 200
    assert "no-store" in page["cache-control"]
    assert len(codes) == batch.codes.count() == 3
    assert redemption_codes.redeem(make_person().organization_id, code=codes[0]).amount == 2 * USD
    assert codes[1] not in staff.get(change(batch)).content.decode()


def test_amount_of_a_batch_stays(staff):
    batch, _ = redemption_codes.make_batch(name="fair", amount=USD, count=1)

    staff.post(change(batch), {"name": "other", "amount": "900", "is_active": ""})

    batch.refresh_from_db()
    assert (batch.name, batch.amount, batch.is_active) == ("other", USD, False)


def test_terms_are_written_in_dollars(staff):
    terms = TrialTerms.objects.get(pk="standard")
    staff.post(change(terms), {"days": "5", "credit": "7.25", "tokens": "10", "requests": "2", "is_offered": "on"})  # fmt: skip
    staff.post(change(ReferralTerms.objects.get()), {"reward": "3", "least_purchase": "25", "max_uses": "4"})  # fmt: skip

    terms.refresh_from_db()
    assert (terms.days, terms.credit, terms.tokens) == (5, 7_250_000_000, 10)
    assert ReferralTerms.objects.get().least_purchase == 25 * USD
    assert (
        staff.get(reverse("admin:billing_trialterms_delete", args=["standard"])).status_code == 403
    )


def test_plan_is_priced_in_the_back_office(staff):
    plan = Plan.objects.get(pk="pro")
    shown = staff.get(change(plan))
    values = {name: value for name, value in shown.context["adminform"].form.initial.items() if value is not None}  # fmt: skip
    staff.post(change(plan), {**values, "price_cents": "3900", "allowance": "41.5", "features": '["One"]', "is_public": "on"})  # fmt: skip

    plan.refresh_from_db()
    assert (plan.price_cents, plan.allowance, plan.features) == (3900, 41_500_000_000, ["One"])


def test_staff_verify_an_address_by_hand(staff, books):
    alice = User.objects.get(email="alice@example.com")
    page = staff.get(change(alice))

    assert "email_verified_at_0" in page.content.decode()
    assert alice.email_verified_at is None
