"""Budgets as their organisation makes, sees, changes and ends them; and as nobody else does."""

import pytest

from apps.accounts.models import Membership, Organization, User
from apps.billing.models import BudgetWindow
from apps.common.ids import new_id

PATH = "/v1/user/budgets"
MONTH = {"amount_usd": 25, "period": "month"}


@pytest.fixture
def client(gateway, customer):
    return gateway.client(customer)


def error_of(answer, status):
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    return error["param"], error["code"]


def test_budget_is_told_with_what_is_left(client, customer):
    made = client.post(PATH, json=MONTH).json()["data"]

    window = BudgetWindow.objects.filter(budget=made["id"])
    window.update(spent=3 * 10**9, held=10**9)
    (found,) = client.get(PATH).json()["data"]
    told_apart = client.get(f"{PATH}/{made['id']}").json()["data"]
    told_to_the_key = client.get("/v1/key/budgets").json()["data"]
    window.update(spent=0, held=0)  # as the journal has it
    assert (found["spent"], found["held"], found["remaining"]) == (3.0, 1.0, 21.0)
    assert found["subject"] == "organization"
    assert found["alerts"] == [50, 80, 100]
    assert found["is_hard"] is True
    assert found["starts_at"] < found["resets_at"]
    assert told_apart == found
    assert told_to_the_key == [found]


def test_budget_is_changed_and_ended(client):
    made = client.post(PATH, json=MONTH).json()["data"]
    address = f"{PATH}/{made['id']}"

    changed = client.put(address, json={"amount_usd": 0.5, "is_hard": False, "alerts": [90]})

    assert changed.json()["data"]["amount_nano_usd"] == 500_000_000
    assert changed.json()["data"]["alerts"] == [90]
    assert client.get(address).json()["data"]["is_hard"] is False
    assert client.delete(address).json() == {"id": made["id"], "deleted": True}
    assert client.get(PATH).json()["data"] == []
    assert error_of(client.delete(address), 404) == ("budget_id", "not_found")


def test_budget_of_a_key_and_of_a_member(client, customer):
    user = User.objects.create_user(f"{new_id('u')}@example.com")
    Membership.objects.create(
        user=user, organization=Organization.objects.get(pk=customer.organization_id)
    )

    key = client.post(PATH, json=MONTH | {"api_key_id": customer.key.pk})
    member = client.post(PATH, json=MONTH | {"member_id": user.pk})

    assert key.json()["data"]["subject"] == "key"
    assert member.json()["data"]["subject"] == "member"
    assert [b["subject"] for b in client.get("/v1/key/budgets").json()["data"]] == ["key"]


def test_stranger_sees_none_of_it(gateway, client, make_customer, customer):
    made = client.post(PATH, json=MONTH).json()["data"]
    stranger = gateway.client(make_customer())
    address = f"{PATH}/{made['id']}"

    assert stranger.get(PATH).json()["data"] == []
    assert error_of(stranger.get(address), 404) == ("budget_id", "not_found")
    assert error_of(stranger.put(address, json={"amount_usd": 1}), 404) == (
        "budget_id",
        "not_found",
    )
    assert error_of(stranger.delete(address), 404) == ("budget_id", "not_found")
    assert error_of(stranger.post(PATH, json=MONTH | {"api_key_id": customer.key.pk}), 400) == (
        "api_key_id",
        "invalid_value",
    )
    assert client.get(address).json()["data"]["amount"] == 25


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"period": "month"}, "amount_usd"),
        (MONTH | {"amount_usd": 0}, "amount_usd"),
        (MONTH | {"amount_usd": -1}, "amount_usd"),
        (MONTH | {"amount_usd": 1e-12}, "amount_usd"),
        (MONTH | {"amount_usd": "25"}, "amount_usd"),
        (MONTH | {"period": "year"}, "period"),
        (MONTH | {"alerts": [101]}, "alerts[0]"),
        (MONTH | {"alerts": list(range(1, 20))}, "alerts"),
        (MONTH | {"member_id": 2**62}, "member_id"),
        (MONTH | {"member_id": 1, "api_key_id": 1}, "member_id"),
        (MONTH | {"limit": 1}, "limit"),
    ],
    ids=str,
)
def test_bad_input_is_refused_by_name(client, body, param):
    assert error_of(client.post(PATH, json=body), 400)[0] == param
    assert client.get(PATH).json()["data"] == []
