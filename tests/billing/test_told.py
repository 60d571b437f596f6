"""What organisations are told by e-mail of their payments, trials and budgets: once each, when it has happened."""

import datetime

import pytest
import time_machine

from apps.accounts.models import Notice
from apps.billing import tasks
from apps.billing.models import AutoTopUp, Balance, BudgetWindow, Period, Referral, ReferralCode
from apps.billing.services import budgets, referrals, trials
from apps.billing.services.ledger_budgets import open_window
from apps.common import clock
from tests.billing.books import open_books
from tests.billing.promotions import USD, make_person


def told(organization_id):
    found = Notice.objects.filter(organization_id=organization_id).order_by("pk")
    return [(notice.kind, notice.facts) for notice in found]


def test_payment_is_told_once_however_often_stripe_tells_of_it(shop):
    order = shop.order(amount_usd=20)
    shop.pay(order)

    shop.deliver(times=3)

    ((kind, facts),) = told(shop.customer.organization_id)
    assert kind == "payment_received"
    assert (facts["order"], facts["paid_cents"], facts["fee_cents"]) == (order["id"], 2100, 100)
    assert facts["credit_nano_usd"] == 20 * USD


def test_first_purchase_of_somebody_referred_gives_both_sides_their_credit(shop):
    friend = make_person()
    Referral.objects.create(
        organization_id=shop.customer.organization_id,
        code=ReferralCode.objects.get(code=referrals.make_code(friend.organization_id)),
    )

    shop.buy(amount_usd=20)
    shop.buy(amount_usd=20)

    assert Referral.objects.get(organization_id=shop.customer.organization_id).status == "completed"
    assert friend.buckets == (0, 10 * USD, 0)
    assert Balance.objects.get(pk=shop.customer.organization_id).promo == 10 * USD
    assert shop.is_sound()


def test_refused_card_is_told_each_time_and_that_it_was_the_last(shop, top_up):
    top_up(card="pm_card_chargeCustomerFail")

    for _ in range(3):
        tasks.top_up()
        shop.deliver()
        AutoTopUp.objects.filter(organization_id=shop.customer.organization_id).update(
            next_attempt_at=clock.now()
        )

    found = told(shop.customer.organization_id)
    assert [kind for kind, _ in found] == ["payment_failed"] * 3
    assert [facts["is_given_up"] for _, facts in found] == [False, False, True]
    assert {facts["what_for"] for _, facts in found} == {"an automatic top-up"}


@pytest.mark.django_db
def test_trial_is_reminded_of_once_on_its_last_day():
    books = make_person()
    trial = trials.start(books.organization_id)
    trials.review(trial.pk, tokens=0, requests=0)
    assert told(books.organization_id) == []

    with time_machine.travel(trial.ends_at - datetime.timedelta(hours=23), tick=False):
        trials.review(trial.pk, tokens=0, requests=0)
        trials.review(trial.pk, tokens=0, requests=0)

    ((kind, facts),) = told(books.organization_id)
    assert (kind, facts["remaining_nano_usd"]) == ("trial_ending", 10 * USD)


@pytest.mark.django_db
def test_each_percentage_of_a_budget_is_told_once():
    books = open_books(purchased=1_000)
    budget = budgets.make(
        books.organization_id, period=Period.MONTH, amount=200, is_hard=True, alerts=[50, 100]
    )
    window = open_window(budget.pk, clock.now())
    BudgetWindow.objects.filter(pk=window.pk).update(spent=100)

    tasks.tell_budget_alerts()
    tasks.tell_budget_alerts()

    ((kind, facts),) = told(books.organization_id)
    assert (kind, facts["percent"], facts["spent_nano_usd"]) == ("budget_reached", 50, 100)
    assert (facts["subject"], facts["window"]) == ("the organisation", "month")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("spending", "wanted"),
    [
        ([200], [100]),
        ([180, 200], [80, 100]),
        ([100, 100, 170, 250, 300], [50, 80, 100]),
        ([90], []),
    ],
)
def test_one_mail_tells_of_all_percentages_that_a_budget_passed_at_once(spending, wanted):
    books = open_books(purchased=1_000)
    budget = budgets.make(
        books.organization_id, period=Period.MONTH, amount=200, is_hard=False, alerts=[50, 80, 100]
    )
    window = open_window(budget.pk, clock.now())
    for spent in spending:
        BudgetWindow.objects.filter(pk=window.pk).update(spent=spent)
        tasks.tell_budget_alerts()

    assert [facts["percent"] for _, facts in told(books.organization_id)] == wanted
    passed = {percent for percent in budget.alerts if spending[-1] * 100 >= percent * 200}
    assert set(window.alerts.values_list("percent", flat=True)) == passed


@pytest.mark.django_db
def test_a_percentage_below_the_one_told_is_not_told_when_it_is_added_later():
    books = open_books(purchased=1_000)
    budget = budgets.make(
        books.organization_id, period=Period.MONTH, amount=200, is_hard=False, alerts=[50]
    )
    window = open_window(budget.pk, clock.now())
    BudgetWindow.objects.filter(pk=window.pk).update(spent=120)
    tasks.tell_budget_alerts()
    budgets.change(budget, amount=200, is_hard=False, alerts=[20, 50])
    tasks.tell_budget_alerts()

    assert [facts["percent"] for _, facts in told(books.organization_id)] == [50]
