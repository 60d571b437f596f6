"""What the lines of an invoice stand for: exact shares of the period, rounded once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.billing.models import PlanPrice
from apps.billing.services import subscription_invoices
from apps.common import clock
from tests.billing.subscriber import DAY, FEBRUARY, HALF_OF_JANUARY, START


def line(price, start, end, *, amount=1, proration=True):
    return {
        "amount": amount,
        "quantity": 1,
        "period": {"start": start, "end": end},
        "pricing": {"price_details": {"price": price}},
        "parent": {"subscription_item_details": {"proration": proration}},
    }


@pytest.fixture(scope="module")
def prices(django_db_setup, django_db_blocker):
    """Two terms that no test subscribes to."""
    with django_db_blocker.unblock():
        made = [
            PlanPrice.objects.create(
                plan_id=slug,
                price_cents=cents,
                allowance=allowance,
                token=f"of {slug}",
                stripe_id=f"price_of_{slug}",
                created_at=clock.now(),
            )
            for slug, cents, allowance in (("pro", 11, 7), ("team", 13, 10**12 + 1))
        ]
    yield
    with django_db_blocker.unblock():
        for price in made:
            price.delete()


@pytest.mark.django_db
@given(at=st.integers(0, 31 * DAY))
def test_shares_of_all_changes_together_are_the_whole(prices, at):
    """Down to half a nano-dollar, wherever in the period the change is."""
    periods = {FEBRUARY: START}
    up = [
        line("price_of_pro", START + at, FEBRUARY, amount=-1),
        line("price_of_team", START + at, FEBRUARY),
    ]
    down = [
        line("price_of_team", START + at, FEBRUARY, amount=-1),
        line("price_of_pro", START + at, FEBRUARY),
    ]

    up_by, down_by = (subscription_invoices.earned_by(lines, periods) for lines in (up, down))

    exact = (10**12 + 1 - 7) * (31 * DAY - at) / (31 * DAY)
    assert abs(up_by - exact) <= 1
    assert abs(up_by + down_by) <= 1


@pytest.mark.django_db
def test_shares_are_rounded_half_up_once(prices):
    periods = {FEBRUARY: START}
    half = START + HALF_OF_JANUARY

    assert subscription_invoices.earned_by([line("price_of_pro", half, FEBRUARY)], periods) == 4
    both = [line("price_of_pro", half, FEBRUARY)] * 2
    assert subscription_invoices.earned_by(both, periods) == 7
    back = [line("price_of_pro", half, FEBRUARY, amount=-1)]
    assert subscription_invoices.earned_by(back, periods) == -3
    assert (
        subscription_invoices.earned_by(
            [line("price_of_pro", START, FEBRUARY, proration=False)], {}
        )
        == 7
    )
    with pytest.raises(subscription_invoices.Unexplained):
        subscription_invoices.earned_by(back, {})
