"""The retry budget: an outage makes a host's load a fifth larger, not twice as large."""

from apps.inference.retry_budget import MOST_HOSTS, RetryBudget
from tests.surfaces import Surface, ask


def test_a_fifth_more_is_asked_of_a_host_that_always_fails():
    budget, extra = RetryBudget(), 0
    for _ in range(1000):
        budget.earn("host")
        extra += budget.spend("host")

    assert 200 <= extra <= 210


def test_a_host_that_is_rarely_asked_may_be_asked_again():
    budget = RetryBudget()

    assert [budget.spend("host") for _ in range(11)] == [True] * 10 + [False]
    assert budget.spend("another")


def test_hosts_that_nobody_asks_are_forgotten():
    budget = RetryBudget()
    for number in range(MOST_HOSTS + 100):
        budget.earn(str(number))

    assert len(budget._saved) == MOST_HOSTS


def test_load_of_a_failing_host_does_not_double(gateway, customer, make_model, upstream):
    """Both hosts answer 500, which would be asked for again each time; a hundred requests."""
    model = make_model("echo+status=500", "echo+status=502")
    client = gateway.client(customer)

    for _ in range(100):
        assert ask(client, Surface.CHAT, Surface.CHAT.body(model)).status == 503

    calls = upstream.stats()["by_model"]
    assert 100 <= calls["echo+status=500"] <= 131
    assert 100 <= calls["echo+status=502"] <= 131
