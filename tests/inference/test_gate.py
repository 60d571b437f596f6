"""The gate: a full process says so at once, and what is left at the top belongs to the larger plans."""

import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.accounts.models import Organization, Plan
from apps.common.errors import Overloaded
from apps.inference import runtime
from apps.inference.gate import Gate
from apps.keys.selectors import known_keys
from tests.gateway import Customer, Gateway, make_customer
from tests.inference.test_disconnect import RawClient, wait_for
from tests.surfaces import SURFACES, Surface, ask, check_error

on_both_surfaces = pytest.mark.parametrize("surface", SURFACES, ids=str)
SLOW = "echo+ttft=20000"


def on_plan(slug: str) -> Customer:
    found = make_customer()
    Organization.objects.filter(pk=found.organization_id).update(plan=slug)
    known_keys.check()
    return found


def in_use() -> int:
    return sum(running.gate.in_use for running in runtime._runtimes.values())


@pytest.fixture
def fill(gateway: Gateway, settings) -> Iterator[Callable[[Customer, str, int], None]]:
    """Requests that take long, until the test ends; the process serves ten at a time."""
    settings.MAX_IN_FLIGHT = 10
    wait_for(lambda: in_use() == 0, within=10)
    clients: list[RawClient] = []

    def take(customer: Customer, model: str, number: int) -> None:
        body = Surface.CHAT.body(model, stream=True)
        settle()
        clients.extend(RawClient(gateway, customer, Surface.CHAT, body) for _ in range(number))
        settle()

    def settle() -> None:
        """A request leaves a moment after its client has the answer."""
        wait_for(lambda: in_use() == len(clients), within=10)

    yield take
    for client in clients:
        client.leave()
    wait_for(lambda: in_use() == 0, within=10)


@pytest.mark.alone
@on_both_surfaces
def test_says_at_once_that_it_is_full_and_asks_and_charges_nothing(
    gateway, make_model, upstream, fill, surface
):
    customer, slow, quick = make_customer(), make_model(SLOW), make_model("echo")
    fill(customer, slow, 8)  # Dev may use eight of ten
    started = time.monotonic()

    answer = ask(gateway.client(customer), surface, surface.body(quick))

    assert time.monotonic() - started < 2
    assert answer.status == 503
    assert check_error(answer, surface)["code"] == "overloaded"
    assert answer.headers["x-should-retry"] == "true"
    assert 1000 <= int(answer.headers["retry-after-ms"]) <= 2000
    assert answer.headers["retry-after"] in {"1", "2"}
    assert "echo" not in upstream.stats()["by_model"]
    assert customer.records() == []


def test_plans_with_a_larger_part_are_still_let_in(gateway, make_model, fill):
    slow, quick = make_model(SLOW), make_model("echo")
    dev, pro, enterprise = (on_plan(slug) for slug in ("dev", "pro", "enterprise"))

    def status(customer: Customer) -> int:
        return ask(gateway.client(customer), Surface.CHAT, Surface.CHAT.body(quick)).status

    fill(dev, slow, 8)
    assert [status(customer) for customer in (dev, pro, enterprise)] == [503, 200, 200]
    fill(pro, slow, 1)
    assert [status(customer) for customer in (dev, pro, enterprise)] == [503, 503, 200]
    fill(enterprise, slow, 1)
    assert [status(customer) for customer in (dev, pro, enterprise)] == [503, 503, 503]


@pytest.mark.parametrize("told", ["echo", "echo+status=500", "echo+cut=2", "echo+empty"])
def test_room_comes_back_however_a_request_ends(gateway, customer, make_model, told):
    wait_for(lambda: in_use() == 0, within=10)
    body = Surface.CHAT.body(make_model(told), stream=True)

    ask(gateway.client(customer), Surface.CHAT, body)
    wait_for(lambda: in_use() == 0, within=10)
    assert ask(gateway.client(customer), Surface.CHAT, {"model": 7}).status == 400
    wait_for(lambda: in_use() == 0, within=10)


@given(st.lists(st.sampled_from([80, 90, 95, 100, "leave"]), max_size=300))
def test_nobody_is_let_in_beyond_the_part_of_the_plan(steps):
    gate, inside = Gate(), 0
    room = 1000
    gate.in_use = inside = 790
    for step in steps * 3:
        if step == "leave":
            gate.leave()
            inside -= 1
            continue
        try:
            gate.enter(percent=step)
        except Overloaded:
            assert inside >= room * step / 100
        else:
            assert inside < room * step / 100
            inside += 1
    assert gate.in_use == inside <= room


def test_change_of_a_plan_counts_within_a_second(committed, gateway, customer):
    client = gateway.client(make_customer(requests_per_minute=None))
    Plan.objects.filter(pk="dev").update(requests_per_minute=77)
    try:
        wait_for(
            lambda: client.get("/v1/key").headers["x-ratelimit-limit-requests"] == "77", within=2
        )
    finally:
        Plan.objects.filter(pk="dev").update(requests_per_minute=250)
        known_keys.check()
