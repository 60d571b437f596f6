"""Holds that grow with their streams: what is delivered is always covered, and a stream that is not ends honestly."""

import pytest

from apps.billing.models import Hold
from apps.catalog.providers.spec import Wire
from apps.keys.models import Environment
from tests.gateway import make_customer
from tests.hosting import Host
from tests.inference.test_disconnect import RawClient, wait_for
from tests.surfaces import LANES, Surface, ask, check_error, name_lane

all_lanes = pytest.mark.parametrize("lane", LANES, ids=name_lane)
WORDS = 400


def dear(told: str, wire: Wire = Wire.OPENAI_CHAT) -> Host:
    """A thousandth of a dollar for a token of output."""
    return Host(told, wire, input_usd="0", output_usd="1000")


@pytest.fixture
def short_holds(settings):
    """Holds cover a hundred tokens at first."""
    settings.EXPECTED_OUTPUT_TOKENS = 100


@all_lanes
def test_stream_that_is_longer_than_expected_is_delivered_whole(
    short_holds, gateway, make_model, lane
):
    surface, wire = lane
    customer = make_customer(credit_usd="10")
    model = make_model(dear(f"long+words={WORDS}", wire))

    answer = ask(
        gateway.client(customer), surface, surface.body(model, stream=True, max_tokens=10_000)
    )

    assert answer.is_finished
    assert len(answer.text.split()) == WORDS
    (record,) = customer.settled(requests=1)
    assert record.outcome == "completed"
    assert record.charged == record.cost > 100 * 10**6
    assert customer.balance.total == 10 * 10**9 - record.charged


@all_lanes
def test_stream_ends_when_the_credit_does_and_costs_what_was_delivered(
    short_holds, gateway, make_model, upstream, lane
):
    surface, wire = lane
    customer = make_customer(credit_usd="0.15")
    model = make_model(dear(f"long+words={WORDS}+interval=2", wire))

    answer = ask(
        gateway.client(customer), surface, surface.body(model, stream=True, max_tokens=10_000)
    )

    assert answer.status == 200
    assert not answer.is_finished
    assert check_error(answer, surface)["code"] == "insufficient_credits"
    assert answer.events[-1].get("error"), "the last record is the error"
    (record,) = customer.settled(requests=1)
    assert (record.outcome, record.error_code, record.usage_source) == (
        "stopped",
        "insufficient_credits",
        "counted",
    )
    delivered = -(-len(answer.text.encode()) // 4)
    assert record.cost == delivered * 10**6
    assert record.charged == min(record.cost, 150 * 10**6)
    assert customer.balance.total == 150 * 10**6 - record.charged
    assert customer.balance.held == 0
    assert not Hold.objects.filter(organization_id=customer.organization_id).exists()
    assert [attempt["fault"] for attempt in record.attempts] == [""]
    assert upstream.stats()["requests"] == 1


def test_hold_grows_while_it_streams(short_holds, gateway, make_model):
    customer = make_customer(credit_usd="10")
    model = make_model(dear("echo+chunks=60+text=40+interval=30"))
    client = RawClient(
        gateway, customer, Surface.CHAT, Surface.CHAT.body(model, stream=True, max_tokens=10_000)
    )

    def held() -> int:
        return sum(
            Hold.objects.filter(organization_id=customer.organization_id).values_list(
                "amount", flat=True
            )
        )

    wait_for(lambda: held() == 100 * 10**6, within=5)
    wait_for(lambda: held() > 300 * 10**6, within=10)
    assert held() == customer.balance.held
    client.leave()
    (record,) = customer.settled(requests=1)
    assert record.outcome == "client_gone"
    assert customer.balance.held == 0


def test_two_streams_share_what_is_left(short_holds, gateway, make_model):
    """$0.30 for two streams of some $0.70 each: together they are charged no more than there is."""
    customer = make_customer(credit_usd="0.3")
    model = make_model(dear(f"long+words={WORDS}+interval=2"))
    body = Surface.CHAT.body(model, stream=True, max_tokens=10_000)
    clients = [RawClient(gateway, customer, Surface.CHAT, body) for _ in range(2)]
    for client in clients:
        client.read_until(b"insufficient_credits")
        client.leave()

    records = customer.settled(requests=2)

    assert {record.outcome for record in records} == {"stopped"}
    assert sum(record.charged for record in records) <= 300 * 10**6
    assert customer.balance.total == 300 * 10**6 - sum(record.charged for record in records)
    assert all(record.charged > 90 * 10**6 for record in records)


def test_test_key_streams_as_long_as_it_likes(short_holds, gateway, settings):

    customer = make_customer(credit_usd="0", environment=Environment.TEST)
    body = Surface.CHAT.body("sandbox/long+words=400", stream=True, max_tokens=10_000)

    answer = ask(gateway.client(customer), Surface.CHAT, body)

    assert answer.is_finished
    assert len(answer.text.split()) == WORDS
