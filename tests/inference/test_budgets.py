"""Budgets on the hot path: what they refuse, what they stop, and that nobody pays or is asked for a refusal."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from apps.accounts.models import User
from apps.billing.models import Budget, BudgetAlert, BudgetWindow, Period
from apps.billing.services import budgets
from apps.billing.services.verification import verify
from apps.common import clock
from apps.common.ids import new_id
from tests.inference.test_cover import dear, short_holds
from tests.surfaces import Surface, ask, check_error

__all__ = ["short_holds"]

CENT = 10**7


def limit(customer, amount, **fields) -> Budget:
    wanted: Any = {"period": Period.MONTH, "is_hard": True, "alerts": [50, 80, 100]} | fields
    return budgets.make(customer.organization_id, amount=amount, **wanted)


def window_of(budget) -> BudgetWindow:
    return BudgetWindow.objects.get(budget=budget)


@pytest.mark.parametrize("whose", ["organisation", "key", "member"])
def test_request_without_room_in_a_budget_is_refused(
    gateway, make_model, make_customer, upstream, whose
):
    member = User.objects.create_user(f"{new_id('u')}@example.com")
    customer = make_customer(created_by_id=member.pk)
    subjects = {"key": {"api_key_id": customer.key.pk}, "member": {"member_id": member.pk}}
    budget = limit(customer, 5 * CENT, **subjects.get(whose, {}))
    model = make_model(dear("echo"))

    answer = ask(gateway.client(customer), Surface.CHAT, Surface.CHAT.body(model, max_tokens=60))

    assert answer.status == 402
    assert answer.headers["x-should-retry"] == "false"
    error = check_error(answer, Surface.CHAT)
    assert error["code"] == "budget_exceeded"
    assert error["limit_usd"] == 0.05
    assert error["resets_at"]
    assert "$0.05" in error["message"]
    assert upstream.stats()["requests"] == 0
    assert customer.balance.held == 0
    assert (window_of(budget).spent, window_of(budget).held) == (0, 0)


def test_budget_of_somebody_else_limits_nobody(gateway, make_customer, customer):
    limit(customer, 1, api_key_id=customer.key.pk + 1)
    limit(customer, 1, member_id=1)
    limit(make_customer(), 1)

    answer = ask(gateway.client(customer), Surface.CHAT, Surface.CHAT.body("sandbox/echo"))

    assert answer.status == 200


def test_changes_are_in_force_with_the_next_request(gateway, make_model, customer):
    model, client = make_model(dear("echo")), gateway.client(customer)
    body = Surface.CHAT.body(model, max_tokens=20)
    assert ask(client, Surface.CHAT, body).status == 200
    budget = limit(customer, CENT)
    assert ask(client, Surface.CHAT, body).status == 402
    budgets.change(budget, amount=50 * CENT, is_hard=True, alerts=[])
    assert ask(client, Surface.CHAT, body).status == 200
    budgets.change(budget, amount=1, is_hard=False, alerts=[])
    assert ask(client, Surface.CHAT, body).status == 200
    budgets.change(budget, amount=1, is_hard=True, alerts=[])
    assert ask(client, Surface.CHAT, body).status == 402
    budgets.end(budget)
    assert ask(client, Surface.CHAT, body).status == 200
    records = customer.settled(requests=4)
    assert verify(customer.organization_id).problems == ()
    assert len(records) == 4


def test_budget_counts_what_was_spent_before_it_was_made(gateway, make_model, customer):
    model, client = make_model(dear("echo")), gateway.client(customer)
    body = Surface.CHAT.body(model, max_tokens=20)
    ask(client, Surface.CHAT, body)
    (before,) = customer.settled(requests=1)

    budget = limit(customer, 100 * CENT)
    ask(client, Surface.CHAT, body)

    records = customer.settled(requests=2)
    assert before.charged > 0
    assert window_of(budget).spent == sum(record.charged for record in records)
    assert window_of(budget).held == 0


def test_stream_ends_when_the_budget_does(short_holds, gateway, make_model, customer):
    budget = limit(customer, 15 * CENT, api_key_id=customer.key.pk)
    model = make_model(dear("long+words=400+interval=2"))

    answer = ask(
        gateway.client(customer),
        Surface.CHAT,
        Surface.CHAT.body(model, stream=True, max_tokens=10_000),
    )

    assert not answer.is_finished
    assert check_error(answer, Surface.CHAT)["code"] == "budget_exceeded"
    (record,) = customer.settled(requests=1)
    assert (record.outcome, record.error_code) == ("stopped", "budget_exceeded")
    assert record.cost == -(-len(answer.text.encode()) // 4) * 10**6
    assert window_of(budget).spent == record.charged
    assert window_of(budget).held == 0


def test_budget_is_never_exceeded_when_many_ask_at_once(gateway, make_model, make_customer):
    """500 requests of $0.02 against a budget for 37 of them."""
    customer = make_customer(credit_usd="100")
    budget = limit(customer, 37 * 2 * CENT)
    model, client = make_model(dear("echo")), gateway.client(customer)
    body = Surface.CHAT.body(model, "word " * 40, max_tokens=20)

    with ThreadPoolExecutor(40) as threads:
        statuses = list(
            threads.map(lambda _: client.post(Surface.CHAT.path, json=body).status_code, range(500))
        )

    served = statuses.count(200)
    assert set(statuses) == {200, 402}
    records = customer.settled(requests=served)
    window = window_of(budget)
    assert served >= 37
    assert window.held == 0
    assert window.spent == sum(record.charged for record in records) <= budget.amount
    assert verify(customer.organization_id).problems == ()


def test_each_percentage_is_told_once(gateway, make_model, customer):
    model, client = make_model(dear("echo")), gateway.client(customer)
    budget = limit(customer, 1, is_hard=False)
    ask(client, Surface.CHAT, Surface.CHAT.body(model, max_tokens=20))
    customer.settled(requests=1)

    def mine():
        return [t.percent for t in budgets.tell_alerts(clock.now()) if t.budget == budget]

    assert mine() == [100]  # past all three at once
    assert mine() == []
    assert BudgetAlert.objects.filter(window__budget=budget).count() == 3
