"""Coalescing: the same request sent by many at once is asked of a provider once, and charged once."""

from concurrent.futures import Future, ThreadPoolExecutor

import httpx
import pytest

from tests.hosting import slug_of
from tests.inference.test_disconnect import RawClient, is_asked, wait_for
from tests.surfaces import Json, Surface, read_answer

both_ways = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
on_both_surfaces = pytest.mark.parametrize("surface", list(Surface), ids=str)

FOLLOWERS = 4
ON = {"x-gatewayz-coalesce": "on"}


def ask_together(
    client: httpx.Client, surface: Surface, body: Json, upstream, headers: dict[str, str]
) -> list[httpx.Response]:
    """The first answer is that of the request that was first; the others were sent while it was under way."""
    with ThreadPoolExecutor(FOLLOWERS + 1) as pool:

        def send() -> "Future[httpx.Response]":
            return pool.submit(client.post, surface.path, json=body, headers=headers)

        first = send()
        wait_for(lambda: is_asked(upstream), within=2)
        others = [send() for _ in range(FOLLOWERS)]
        return [answer.result() for answer in (first, *others)]


@both_ways
@on_both_surfaces
def test_provider_is_asked_and_charged_for_once_when_many_ask_the_same_at_once(
    gateway, customer, make_model, upstream, surface, stream
):
    client = gateway.client(customer)
    body = surface.body(make_model("echo+delay=700+chunks=5+text=10"), stream=stream)

    leader, *followers = ask_together(client, surface, body, upstream, ON)

    assert upstream.stats()["requests"] == 1
    first = read_answer(leader, leader.content)
    assert "x-gatewayz-coalesced" not in leader.headers
    ids = {leader.headers["x-request-id"]}
    for response in followers:
        answer = read_answer(response, response.content)
        assert response.status_code == 200
        assert response.headers["x-gatewayz-coalesced"] == "true"
        assert "x-gatewayz-cache" not in response.headers
        assert (answer.text, answer.is_finished) == (first.text, True)
        assert response.headers["x-request-id"] in response.text
        ids.add(response.headers["x-request-id"])
    records = customer.settled(requests=FOLLOWERS + 1)
    assert {record.id for record in records} == ids
    assert [record.id for record in records if record.charged] == [leader.headers["x-request-id"]]
    assert sum(record.cached for record in records) == FOLLOWERS


def test_each_is_asked_for_itself_when_nobody_wants_it_otherwise(
    gateway, customer, make_model, upstream
):
    client = gateway.client(customer)
    body = Surface.CHAT.body(make_model("echo+delay=300"))

    answers = ask_together(client, Surface.CHAT, body, upstream, {"x-gatewayz-cache": "on"})

    assert upstream.stats()["requests"] == FOLLOWERS + 1
    assert [answer.status_code for answer in answers] == [200] * (FOLLOWERS + 1)


def test_each_is_asked_for_itself_when_they_differ(gateway, customer, make_model, upstream):
    client = gateway.client(customer)
    model = make_model("echo+delay=300")
    with ThreadPoolExecutor() as pool:
        sent = [
            pool.submit(
                client.post,
                Surface.CHAT.path,
                json=Surface.CHAT.body(model, text=text),
                headers=ON,
            )
            for text in ("one", "two")
        ]
        answers = [one.result() for one in sent]

    assert upstream.stats()["requests"] == 2
    assert not any("x-gatewayz-coalesced" in answer.headers for answer in answers)


@pytest.mark.parametrize(
    "limit", [{"provider": {"only": [slug_of(1)]}}, {"models": ["sandbox/claude"]}], ids=str
)
def test_nobody_waits_for_a_host_that_it_may_not_ask(
    gateway, customer, make_model, upstream, limit
):
    client = gateway.client(customer)
    body = Surface.CHAT.body(make_model("echo+delay=400", "echo+delay=401"))
    with ThreadPoolExecutor() as pool:
        first = pool.submit(client.post, Surface.CHAT.path, json=body, headers=ON)
        wait_for(lambda: is_asked(upstream), within=2)
        other = pool.submit(client.post, Surface.CHAT.path, json=body | limit, headers=ON)
        answers = [first.result(), other.result()]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert upstream.stats()["requests"] == 2
    assert not any("x-gatewayz-coalesced" in answer.headers for answer in answers)


@both_ways
def test_each_runs_on_its_own_when_the_first_fails(gateway, customer, make_model, upstream, stream):
    client = gateway.client(customer)
    model = make_model("echo+delay=700+status=400+first=1")

    leader, *followers = ask_together(
        client, Surface.CHAT, Surface.CHAT.body(model, stream=stream), upstream, ON
    )

    assert leader.status_code == 400
    assert [answer.status_code for answer in followers] == [200] * FOLLOWERS
    assert upstream.stats()["requests"] == FOLLOWERS + 1
    records = customer.settled(requests=FOLLOWERS + 1)
    assert len([record for record in records if record.charged]) == FOLLOWERS


def test_each_runs_on_its_own_when_the_first_breaks(gateway, customer, make_model, upstream):
    client = gateway.client(customer)
    model = make_model("echo+delay=500+chunks=5+cut=2+first=1")

    leader, *followers = ask_together(
        client, Surface.CHAT, Surface.CHAT.body(model, stream=True), upstream, ON
    )

    assert read_answer(leader, leader.content).error
    for response in followers:
        assert read_answer(response, response.content).is_finished
        assert "x-gatewayz-coalesced" not in response.headers


def test_others_are_served_when_the_client_of_the_first_leaves(
    gateway, customer, make_model, upstream
):
    body = Surface.CHAT.body(make_model("echo+delay=400"), stream=True)
    keyed = type(customer)(
        customer.organization_id, customer.key, f"{customer.secret}\r\nx-gatewayz-coalesce: on"
    )
    first = RawClient(gateway, keyed, Surface.CHAT, body)
    wait_for(lambda: is_asked(upstream), within=2)
    with ThreadPoolExecutor() as pool:
        client = gateway.client(customer)
        second = pool.submit(client.post, Surface.CHAT.path, json=body, headers=ON)

        first.leave()

        answer = second.result()

    assert read_answer(answer, answer.content).is_finished
    assert "x-gatewayz-coalesced" not in answer.headers
    assert upstream.stats()["requests"] == 2


def test_answer_is_cached_too_when_both_are_wanted(gateway, customer, make_model, upstream):
    client = gateway.client(customer)
    body = Surface.CHAT.body(make_model("echo+delay=400"))
    both = ON | {"x-gatewayz-cache": "on"}

    ask_together(client, Surface.CHAT, body, upstream, both)
    later = client.post(Surface.CHAT.path, json=body, headers=both)

    assert later.headers["x-gatewayz-cache"] == "hit"
    assert upstream.stats()["requests"] == 1
