"""Budgets in the back office: the rules of the API hold, every change is in force at once, and windows stay."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.urls import reverse

from apps.accounts.models import Membership
from apps.billing.models import Budget, BudgetWindow
from apps.billing.services import budgets
from apps.common import clock
from apps.keys import services as keys
from tests.billing.promotions import make_person

USD = 10**9


def url(page, *args):
    return reverse(f"admin:billing_budget_{page}", args=args)


def form_of(books, **fields):
    plain = {
        "organization": books.organization_id, "api_key_id": "", "member_id": "", "period": "month", "amount": "12.5",
        "is_hard": "on", "alerts": "[50, 100]",
    }  # fmt: skip
    return plain | fields


def make(books, **fields):
    wanted: Any = {"period": budgets.Period.DAY, "amount": USD, "is_hard": True, "alerts": [50]}
    return budgets.make(books.organization_id, **(wanted | fields))


def version_of(books):
    return books.balance.budget_version or 0


@pytest.mark.parametrize("whose", ["organisation", "key", "member"])
def test_budget_is_made_in_dollars(staff, books, whose):
    key = keys.issue(books.organization_id, name="a key").key
    member = Membership.objects.get(organization_id=books.organization_id).user_id
    subject = {"key": {"api_key_id": key.pk}, "member": {"member_id": member}}.get(whose, {})
    before = version_of(books)

    answer = staff.post(url("add"), form_of(books, **subject))

    assert answer.status_code == 302
    budget = Budget.objects.get()
    assert (budget.organization_id, budget.period, budget.amount) == (
        books.organization_id,
        "month",
        12_500_000_000,
    )
    assert (budget.is_hard, budget.alerts) == (True, [50, 100])
    assert budget.api_key_id == subject.get("api_key_id")
    assert budget.member_id == subject.get("member_id")
    assert version_of(books) == before + 1
    assert LogEntry.objects.get().object_id == str(budget.pk)


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"amount": "0"}, "amount"),
        ({"amount": "-1"}, "amount"),
        ({"amount": "NaN"}, "amount"),
        ({"amount": "1000000001"}, "amount"),
        ({"amount": "0.0000000001"}, "amount"),
        ({"amount": ""}, "amount"),
        ({"period": "year"}, "period"),
        ({"alerts": "[0]"}, "alerts"),
        ({"alerts": "[101]"}, "alerts"),
        ({"alerts": '{"a": 1}'}, "alerts"),
        ({"alerts": "{}"}, "alerts"),
        ({"alerts": "50"}, "alerts"),
        ({"alerts": "nonsense"}, "alerts"),
        ({"organization": "987654321"}, "organization"),
        ({"api_key_id": "987654321"}, "api_key_id"),
        ({"api_key_id": "9" * 30}, "api_key_id"),
        ({"member_id": "987654321"}, "member_id"),
        ({"api_key_id": "1", "member_id": "1"}, "member_id"),
    ],
    ids=str,
)
def test_budget_that_is_wrong_is_not_made(staff, books, wrong, field):
    answer = staff.post(url("add"), form_of(books, **wrong))

    assert answer.status_code == 200
    assert list(answer.context["adminform"].form.errors) == [field]
    assert not Budget.objects.exists()


def test_budget_is_not_made_of_another_organisations_key_or_member(staff, books):
    stranger = make_person()
    key = keys.issue(stranger.organization_id, name="theirs").key
    member = Membership.objects.get(organization_id=stranger.organization_id).user_id

    for name, value in {"api_key_id": key.pk, "member_id": member}.items():
        answer = staff.post(url("add"), form_of(books, **{name: value}))
        assert list(answer.context["adminform"].form.errors) == [name]

    assert not Budget.objects.exists()


def test_no_alerts_are_none(staff, books):
    staff.post(url("add"), form_of(books, alerts=""))

    assert Budget.objects.get().alerts == []


def test_change_is_in_force_at_once_and_leaves_whose_it_is(staff, books):
    budget = make(books)
    before = version_of(books)

    answer = staff.post(
        url("change", budget.pk),
        form_of(
            books, amount="0.000000001", is_hard="", alerts="[]", api_key_id="1", period="week"
        ),
    )

    assert answer.status_code == 302
    budget.refresh_from_db()
    assert (budget.amount, budget.is_hard, budget.alerts) == (1, False, [])
    assert (budget.api_key_id, budget.period) == (None, "day")
    assert version_of(books) == before + 1


def test_page_tells_what_is_spent_and_held(staff, books):
    page = staff.get(url("change", make(books).pk)).content.decode()

    assert "$0.00002145" in page
    assert "$0.001" in page
    assert "$0.99897855" in page


def test_deleting_ends_it_and_keeps_its_windows(staff, books):
    budget = make(books)
    budgets.standing_of(budget, clock.now())
    before = version_of(books)
    asked = staff.get(url("delete", budget.pk)).content.decode()

    answer = staff.post(url("delete", budget.pk), {"post": "yes"})

    assert "organisation, day" in asked
    assert answer.status_code == 302
    budget.refresh_from_db()
    assert budget.ended_at is not None
    assert BudgetWindow.objects.filter(budget=budget).count() == 1
    assert version_of(books) == before + 1
    assert budgets.of(books.organization_id) == []


def test_chosen_budgets_are_ended_together(staff, books):
    mine = [make(books).pk for _ in range(2)]
    other = make(books)

    staff.post(
        url("changelist"),
        {"action": "delete_selected", "_selected_action": mine, "post": "yes"},
    )

    assert budgets.of(books.organization_id) == [other]
    assert Budget.objects.count() == 3


def test_ended_budget_is_only_looked_at(staff, books):
    budget = make(books)
    budgets.end(budget)
    ended_at = budget.ended_at

    assert staff.get(url("change", budget.pk)).status_code == 200
    assert staff.post(url("change", budget.pk), form_of(books, amount="9")).status_code == 403
    assert staff.post(url("delete", budget.pk), {"post": "yes"}).status_code == 403
    budget.refresh_from_db()
    assert (budget.amount, budget.ended_at) == (USD, ended_at)


def test_list_shows_those_in_force_unless_asked(staff, books):
    running, ended = make(books), make(books)
    budgets.end(ended)

    def listed(**query):
        return {row.pk for row in staff.get(url("changelist"), query).context["cl"].result_list}

    assert listed() == {running.pk}
    assert listed(state="ended") == {ended.pk}
    assert listed(state="all") == {running.pk, ended.pk}
    assert "In force" in staff.get(url("changelist")).content.decode()


def test_staff_without_the_permission_may_not(visitor, books):
    support = get_user_model().objects.create_user("erin@example.com", "pw", is_staff=True)
    support.user_permissions.add(Permission.objects.get(codename="view_budget"))
    visitor.force_login(support)
    budget = make(books)

    assert visitor.get(url("change", budget.pk)).status_code == 200
    assert visitor.post(url("add"), form_of(books)).status_code == 403
    assert visitor.post(url("change", budget.pk), form_of(books)).status_code == 403
    assert visitor.post(url("delete", budget.pk), {"post": "yes"}).status_code == 403
    assert Budget.objects.count() == 1
