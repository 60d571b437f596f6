"""Keys on a gateway that is serving: revoked, switched off, test keys."""

import threading
import time

import httpx
import pytest

from apps.accounts.models import Organization
from apps.catalog.models import PriceSource, Provider
from apps.catalog.services import offers
from apps.common.money import usd_to_nano
from apps.keys import services as keys
from apps.keys.models import Environment
from tests.gateway import Customer, Gateway
from tests.hosting import publish
from tests.surfaces import SURFACES, Surface, ask, check_error


class Traffic:
    """One request after another in a thread, with the times at its start and end and the status of each."""

    def __init__(self, client: httpx.Client, body: dict[str, object]) -> None:
        self.seen: list[tuple[float, float, int]] = []
        self._client, self._body = client, body
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        while not self._stop.is_set():
            started = time.monotonic()
            response = self._client.post(Surface.CHAT.path, json=self._body)
            self.seen.append((started, time.monotonic(), response.status_code))

    def wait_for(self, number: int, *, since: float = 0.0) -> None:
        """Until so many requests that began after this moment are answered."""
        deadline = time.monotonic() + 20
        while sum(started > since for started, *_ in [*self.seen]) < number:
            assert time.monotonic() < deadline, "the gateway answers no more"
            time.sleep(0.02)

    def __enter__(self) -> "Traffic":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


def end_by_revoking(customer: Customer) -> None:
    keys.revoke(customer.key)


def end_by_switching_the_organisation_off(customer: Customer) -> None:
    organization = Organization.objects.get(pk=customer.organization_id)
    organization.is_active = False
    organization.save()


@pytest.mark.alone
@pytest.mark.parametrize("end", [end_by_revoking, end_by_switching_the_organisation_off])
def test_key_is_dead_within_a_second_while_requests_flow(gateway: Gateway, customer, end):
    body = Surface.CHAT.body("sandbox/echo")

    with Traffic(gateway.client(customer), body) as traffic:
        traffic.wait_for(3)
        asked = time.monotonic()
        end(customer)
        ended = time.monotonic()
        traffic.wait_for(3, since=ended + 1)

    before = [status for _, answered, status in traffic.seen if answered < asked]
    late = [status for started, _, status in traffic.seen if started > ended + 1]
    assert len(before) > 2
    assert set(before) == {200}
    assert len(late) > 2
    assert set(late) == {401}


def test_key_works_at_once_when_it_was_just_issued(gateway: Gateway, customer):
    ask(gateway.client(customer), Surface.CHAT, Surface.CHAT.body("sandbox/echo"))
    issued = keys.issue(customer.organization_id, name="second")

    answer = ask(
        gateway.client(Customer(customer.organization_id, issued.key, issued.secret)),
        Surface.CHAT,
        Surface.CHAT.body("sandbox/echo"),
    )

    assert answer.status == 200


@pytest.fixture
def tester(make_customer) -> Customer:
    """A test key of an organisation without any credit."""
    found: Customer = make_customer(credit_usd="0", environment=Environment.TEST)
    return found


@pytest.mark.parametrize("streamed", [False, True], ids=["json", "stream"])
@pytest.mark.parametrize("surface", SURFACES, ids=str)
@pytest.mark.parametrize("model", ["sandbox/echo", "sandbox/claude"])
def test_test_key_is_served_for_nothing_when_it_asks_the_sandbox(
    gateway, tester, surface, model, streamed
):
    answer = ask(gateway.client(tester), surface, surface.body(model, stream=streamed))

    assert answer.text == "You said: Hello there"
    (record,) = tester.settled(requests=1)
    assert (record.outcome, record.charged, record.cost) == ("completed", 0, 0)
    assert (record.input_tokens, record.output_tokens) == (3, 6)
    if not streamed:
        assert answer.usage["cost"] == 0


@pytest.mark.parametrize("surface", SURFACES, ids=str)
def test_test_key_is_refused_when_no_sandbox_serves_the_model(
    gateway, tester, make_model, upstream, surface
):
    answer = ask(gateway.client(tester), surface, surface.body(make_model("echo")))

    # Our own message may speak of the sandbox here, so the check of an envelope is not for it.
    (body,) = answer.events
    assert (answer.status, body["error"]["code"]) == (403, "permission_denied")
    assert body["error"]["param"] == "model"
    assert upstream.stats()["requests"] == 0
    assert tester.records() == []


def test_test_key_passes_real_hosts_by_when_the_sandbox_serves_the_model_too(
    gateway, tester, make_model, upstream
):
    model = make_model("echo+words=7")
    amounts = offers.Amounts.of(input=usd_to_nano("1"), output=usd_to_nano("2"))
    stand_in = offers.offer(
        Provider.objects.get(pk="sandbox"), model_id=model, upstream_model="echo", priority=9
    )
    offers.post_price(stand_in, amounts, source=PriceSource.MANUAL)
    publish()

    answer = ask(gateway.client(tester), Surface.CHAT, Surface.CHAT.body(model))

    assert answer.headers["x-gatewayz-provider"] == "sandbox"
    assert upstream.stats()["by_model"] == {"echo": 1}


def test_live_key_pays_when_it_asks_the_sandbox(gateway, make_customer):
    customer = make_customer(credit_usd="0")

    answer = ask(gateway.client(customer), Surface.CHAT, Surface.CHAT.body("sandbox/echo"))

    assert check_error(answer, Surface.CHAT)["code"] == "insufficient_credits"


def test_read_route_tells_the_key_without_its_secret(gateway, customer):
    response = gateway.client(customer).get("/v1/key")

    found = response.json()["data"]
    assert found["label"] == f"gw_live_…{customer.key.last4}"
    assert found["environment"] == "live"
    assert customer.secret not in response.text


def test_read_route_tells_the_keys_tag_and_what_its_requests_may_cost(gateway, make_customer):
    plain, limited = (
        gateway.client(make_customer(**options)).get("/v1/key").json()["data"]
        for options in ({}, {"max_cost": 250_000_000, "tag": "team"})
    )

    assert (plain["limits"]["max_cost"], plain["tag"]) == (None, "")
    assert limited["limits"]["max_cost"] == 0.25
    assert (limited["limits"]["max_cost_nano_usd"], limited["tag"]) == (250_000_000, "team")


def test_read_route_is_refused_when_the_key_is_revoked(gateway, customer):
    keys.revoke(customer.key)

    response = gateway.client(customer).get("/v1/key")

    assert response.status_code == 401
    assert response.json()["error"]["code"] == "api_key_revoked"
