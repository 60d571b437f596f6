"""Credit for bringing somebody goes back with the purchase that earned it."""

import pytest

from apps.billing.models import Referral, ReferralCode
from apps.billing.services import ledger, referrals
from apps.billing.services.values import Settlement
from apps.billing.services.verification import verify
from apps.common.ids import new_id
from tests.billing.promotions import make_person

USD = 1_000_000_000


@pytest.fixture
def friend(shop):
    """Who brought the customer."""
    friend = make_person()
    Referral.objects.create(
        organization_id=shop.customer.organization_id,
        code=ReferralCode.objects.get(code=referrals.make_code(friend.organization_id)),
    )
    return friend


def test_referral_credit_goes_back_with_the_purchase(shop, friend):
    order = shop.buy(amount_usd=10)
    assert (friend.balance.promo, shop.customer.balance.promo) == (10 * USD, 10 * USD)

    shop.post("refund", {"payment_id": order.pk})

    assert (friend.balance.promo, shop.customer.balance.promo) == (0, 0)
    assert Referral.objects.get(code__organization_id=friend.organization_id).status == "withdrawn"
    assert shop.is_sound()
    assert verify(friend.organization_id).problems == ()


def test_referral_credit_stays_when_enough_of_the_purchase_does(shop, friend):
    order = shop.buy(amount_usd=25)

    shop.post("refund", {"payment_id": order.pk, "amount_usd": 10})
    assert friend.balance.promo == 10 * USD
    shop.post("refund", {"payment_id": order.pk, "amount_usd": 10})

    assert friend.balance.promo == 0


def test_referral_credit_goes_back_with_a_disputed_purchase(shop, friend):
    order = shop.buy(amount_usd=10)

    shop.fake.control("disputes", payment_intent=order.intent_id)
    shop.deliver()

    assert (friend.balance.promo, shop.customer.balance.promo) == (0, 0)


def test_purchase_is_not_refunded_when_its_referral_credit_was_spent(shop, friend):
    order = shop.buy(amount_usd=10)
    settlement = Settlement(new_id("gen"), friend.organization_id, 1)
    assert ledger.settle([settlement]) == [1]

    answer = shop.call("POST", "refund", {"payment_id": order.pk})

    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (400, "payment_id")
    assert "referral credit" in error["message"]
    assert friend.balance.promo == 10 * USD - 1
    assert shop.purchased == 10 * USD
