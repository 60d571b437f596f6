"""``Idempotency-Key``: sent again, a request is answered again; it is neither run nor charged a second time."""

import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from apps.inference import idempotency, runtime
from apps.inference.answer_store import LocalAnswerStore, RedisAnswerStore
from apps.inference.operations import JSON, SURFACES, Surface
from tests.inference.test_disconnect import LONG, RawClient, is_asked, is_stopped, wait_for
from tests.surfaces import Surface as Chat
from tests.surfaces import check_error, read_answer

BILLED = [surface for surface in SURFACES if surface.is_billed]
FILES = {
    "transcriptions": {"file": ("a.mp3", b"ID3 sound", "audio/mpeg")},
    "image_edits": {"image": ("a.png", b"\x89PNG\r\n\x1a\n picture", "image/png")},
}


def with_key(key: str = "") -> dict[str, str]:
    return {"idempotency-key": key or uuid.uuid4().hex}


def post(
    client: httpx.Client, surface: Surface, headers: dict[str, str], *, stream: bool = False
) -> httpx.Response:
    """The surface's example, at the sandbox's own models."""
    path = surface.paths[0]
    if "{model}" in path:
        path = surface.paths[1] if stream else path
        return client.post(
            path.format(model="sandbox/gemini"), json=dict(surface.example), headers=headers
        )
    body = {**surface.example, **({"stream": True} if stream else {})}
    if surface.read_form is not None:
        fields = {name: str(value).lower() for name, value in body.items()}
        fields["model"] = body["model"]
        return client.post(path, data=fields, files=FILES[surface.name], headers=headers)
    return client.post(path, json=body, headers=headers)


def check_replayed(first: httpx.Response, second: httpx.Response) -> None:
    assert first.status_code == second.status_code == 200, (first.text, second.text)
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"
    assert second.content == first.content
    for name in ("content-type", "x-request-id", "x-gatewayz-provider", "x-gatewayz-model"):
        assert second.headers[name] == first.headers[name]
    assert second.headers["x-ratelimit-limit-requests"]


@pytest.mark.parametrize(
    ("surface", "stream"),
    [
        (surface, stream)
        for surface in BILLED
        for stream in (False, True)
        if not stream or set(surface.answers) - {JSON}
    ],
    ids=lambda value: value.name if isinstance(value, Surface) else "stream" if value else "whole",
)
def test_answer_is_given_again_and_charged_once_when_the_request_is_sent_again(
    gateway, customer, upstream, surface, stream
):
    client = gateway.client(customer)
    headers = with_key()

    answers = [post(client, surface, headers, stream=stream) for _ in range(3)]

    for again in answers[1:]:
        check_replayed(answers[0], again)
    (record,) = customer.settled(requests=1)
    assert record.id == answers[0].headers["x-request-id"]
    assert upstream.stats()["requests"] == 1


@pytest.mark.parametrize("surface", list(Chat), ids=str)
def test_stream_is_replayed_as_a_stream_when_it_was_one(gateway, customer, make_model, surface):
    client = gateway.client(customer)
    body = surface.body(make_model("echo+chunks=20+text=10"), stream=True)
    headers = with_key()
    first = client.post(surface.path, json=body, headers=headers)
    spent = customer.settled(requests=1)[0].charged
    left = customer.balance.total

    with client.stream("POST", surface.path, json=body, headers=headers) as second:
        content = second.read()

    assert spent > 0
    assert second.headers["content-type"].startswith("text/event-stream")
    assert "content-length" not in second.headers
    assert content == first.content
    assert read_answer(second, content).is_finished
    assert customer.balance.total == left


@pytest.mark.parametrize("surface", list(Chat), ids=str)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_conflict_is_told_when_the_first_request_is_under_way(
    gateway, customer, make_model, upstream, surface, stream
):
    client = gateway.client(customer)
    body = surface.body(make_model("echo+ttft=1500"), stream=stream)
    headers = with_key()
    with ThreadPoolExecutor() as pool:
        first = pool.submit(client.post, surface.path, json=body, headers=headers)
        wait_for(lambda: is_asked(upstream), within=2)

        second = client.post(surface.path, json=body, headers=headers)
        other = client.post(
            surface.path, json=surface.body("sandbox/echo", text="Other"), headers=headers
        )

    answer = read_answer(second, second.content)
    assert second.status_code == 409
    assert check_error(answer, surface)["code"] == "idempotency_in_flight"
    assert second.headers["retry-after"] == "1"
    assert second.headers["x-should-retry"] == "true"
    assert other.status_code == 422
    check_replayed(first.result(), client.post(surface.path, json=body, headers=headers))
    assert upstream.stats()["requests"] == 1
    assert len(customer.settled(requests=1)) == 1


@pytest.mark.parametrize("surface", list(Chat), ids=str)
def test_header_is_named_when_the_key_comes_with_another_body(gateway, customer, upstream, surface):
    client = gateway.client(customer)
    headers = with_key()
    first = client.post(surface.path, json=surface.body("sandbox/echo"), headers=headers)

    second = client.post(
        surface.path, json=surface.body("sandbox/echo", text="Bye"), headers=headers
    )

    assert (first.status_code, second.status_code) == (200, 422)
    error = check_error(read_answer(second, second.content), surface)
    assert (error["code"], error["param"]) == ("idempotency_mismatch", "idempotency-key")
    assert second.headers["x-should-retry"] == "false"
    assert upstream.stats()["requests"] == 1


def test_body_is_the_same_when_only_its_fields_stand_in_another_order(gateway, customer):
    client = gateway.client(customer)
    headers = with_key()
    body = Chat.CHAT.body("sandbox/echo")
    first = client.post(Chat.CHAT.path, json=body, headers=headers)

    again = client.post(Chat.CHAT.path, json=dict(reversed(body.items())), headers=headers)

    check_replayed(first, again)


@pytest.mark.parametrize(
    "told", ["echo+status=503", "echo+status=400", "echo+empty"], ids=["down", "rejected", "empty"]
)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_request_runs_again_when_it_failed_and_nothing_was_charged(
    gateway, customer, make_model, upstream, told, stream
):
    client = gateway.client(customer)
    body = Chat.CHAT.body(make_model(told), stream=stream)
    headers = with_key()

    answers = [client.post(Chat.CHAT.path, json=body, headers=headers) for _ in range(2)]

    assert all(answer.status_code >= 400 for answer in answers)
    assert all("idempotent-replayed" not in answer.headers for answer in answers)
    assert answers[0].headers["x-request-id"] != answers[1].headers["x-request-id"]
    assert [record.charged for record in customer.settled(requests=2)] == [0, 0]


def test_request_runs_when_it_was_refused_for_want_of_credit_before(
    gateway, make_customer, make_model
):
    customer = make_customer(credit_usd="0")
    client = gateway.client(customer)
    body = Chat.CHAT.body(make_model("echo"))
    headers = with_key()

    answers = [client.post(Chat.CHAT.path, json=body, headers=headers) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [402, 402]


@pytest.mark.parametrize("told", ["cut=2", "malformed=2"])
def test_request_runs_again_when_the_answer_broke(gateway, customer, make_model, upstream, told):
    client = gateway.client(customer)
    body = Chat.CHAT.body(make_model(f"echo+chunks=5+text=10+{told}"), stream=True)
    headers = with_key()

    answers = [client.post(Chat.CHAT.path, json=body, headers=headers) for _ in range(2)]

    for answer in answers:
        assert read_answer(answer, answer.content).error
        assert "idempotent-replayed" not in answer.headers
    assert upstream.stats()["requests"] >= 2
    assert [record.charged for record in customer.settled(requests=2)] == [0, 0]


class KeyedClient(RawClient):
    """A socket whose request carries a key."""

    def __init__(self, gateway, customer, surface, body, *, key: str) -> None:
        keyed = type(customer)(
            customer.organization_id,
            customer.key,
            f"{customer.secret}\r\nidempotency-key: {key}",
        )
        super().__init__(gateway, keyed, surface, body)


@pytest.mark.parametrize("surface", list(Chat), ids=str)
@pytest.mark.parametrize("reset", [False, True], ids=["close", "reset"])
def test_answer_is_finished_and_charged_once_when_the_client_leaves_and_asks_again(
    gateway, customer, make_model, upstream, surface, reset
):
    told = "echo+chunks=40+text=10+interval=25"
    body = surface.body(make_model(told), stream=True)
    leaving = KeyedClient(gateway, customer, surface, body, key="key-1")
    leaving.read_until(b"Hello")

    leaving.leave(reset=reset)

    client = gateway.client(customer)
    early = client.post(surface.path, json=body, headers=with_key("key-1"))
    (record,) = customer.settled(requests=1)
    again = client.post(surface.path, json=body, headers=with_key("key-1"))
    assert early.status_code == 409
    assert (record.outcome, record.usage_source) == ("completed", "provider")
    assert again.headers["idempotent-replayed"] == "true"
    assert again.headers["x-request-id"] == record.id
    assert read_answer(again, again.content).is_finished
    assert upstream.stats()["requests"] == 1
    assert len(customer.records()) == 1


def test_host_is_stopped_when_a_client_without_a_key_leaves(
    gateway, customer, make_model, upstream
):
    body = Chat.CHAT.body(make_model(LONG), stream=True)
    leaving = RawClient(gateway, customer, Chat.CHAT, body)
    leaving.read_until(b"Hello")

    leaving.leave()

    wait_for(lambda: is_stopped(upstream), within=1)


@pytest.mark.parametrize("key", ["", "k" * 256, "schlüssel", "tab\there"])
@pytest.mark.parametrize("surface", list(Chat), ids=str)
def test_header_is_named_when_the_key_is_none(gateway, customer, upstream, surface, key):
    response = gateway.client(customer).post(
        surface.path,
        json=surface.body("sandbox/echo"),
        headers=[(b"idempotency-key", key.encode("latin-1"))],
    )

    assert response.status_code == 400
    error = check_error(read_answer(response, response.content), surface)
    assert (error["code"], error["param"]) == ("invalid_value", "idempotency-key")
    assert upstream.stats()["requests"] == 0


def test_longest_key_is_taken(gateway, customer):
    client = gateway.client(customer)
    headers = with_key("~ " + "k" * 252 + "!")

    answers = [
        client.post(Chat.CHAT.path, json=Chat.CHAT.body("sandbox/echo"), headers=headers)
        for _ in range(2)
    ]

    check_replayed(*answers)


def test_keys_of_others_and_of_other_paths_are_other_keys(
    gateway, customer, make_customer, upstream
):
    headers = with_key("the same for all")
    client = gateway.client(customer)
    answers = [
        client.post(Chat.CHAT.path, json=Chat.CHAT.body("sandbox/echo"), headers=headers),
        client.post(Chat.MESSAGES.path, json=Chat.MESSAGES.body("sandbox/echo"), headers=headers),
        gateway.client(make_customer()).post(
            Chat.CHAT.path, json=Chat.CHAT.body("sandbox/echo"), headers=headers
        ),
    ]

    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert upstream.stats()["requests"] == 3


def test_replays_are_not_counted_against_limits(gateway, make_customer):
    client = gateway.client(make_customer(requests_per_minute=1))
    headers = with_key()

    answers = [
        client.post(Chat.CHAT.path, json=Chat.CHAT.body("sandbox/echo"), headers=headers)
        for _ in range(4)
    ]

    assert [answer.status_code for answer in answers] == [200] * 4


def test_conflict_is_told_when_the_answer_was_too_long_to_be_kept(
    gateway, customer, make_model, upstream, settings
):
    settings.LARGEST_KEPT_ANSWER = 10
    client = gateway.client(customer)
    body = Chat.CHAT.body(make_model("echo"))
    headers = with_key()
    first = client.post(Chat.CHAT.path, json=body, headers=headers)

    second = client.post(Chat.CHAT.path, json=body, headers=headers)

    assert (first.status_code, second.status_code) == (200, 409)
    error = check_error(read_answer(second, second.content), Chat.CHAT)
    assert error["code"] == "idempotency_not_kept"
    assert second.headers["x-should-retry"] == "false"
    assert upstream.stats()["requests"] == 1


def test_request_runs_again_when_its_answer_is_too_old(gateway, customer, upstream, settings):
    settings.IDEMPOTENCY_KEPT_SECONDS = 0.2
    client = gateway.client(customer)
    headers = with_key()
    body = Chat.CHAT.body("sandbox/echo")
    first = client.post(Chat.CHAT.path, json=body, headers=headers)
    time.sleep(0.3)

    second = client.post(Chat.CHAT.path, json=body, headers=headers)

    assert second.status_code == 200
    assert second.headers["x-request-id"] != first.headers["x-request-id"]
    assert upstream.stats()["requests"] == 2


def test_key_stays_taken_when_the_request_takes_longer_than_its_lease(
    gateway, customer, make_model, upstream, monkeypatch
):
    monkeypatch.setattr(idempotency, "LEASE_SECONDS", 0.6)
    client = gateway.client(customer)
    body = Chat.CHAT.body(make_model("echo+delay=2000"))
    headers = with_key()
    with ThreadPoolExecutor() as pool:
        first = pool.submit(client.post, Chat.CHAT.path, json=body, headers=headers)
        wait_for(lambda: is_asked(upstream), within=2)
        time.sleep(1.3)

        second = client.post(Chat.CHAT.path, json=body, headers=headers)

    assert (first.result().status_code, second.status_code) == (200, 409)
    check_replayed(first.result(), client.post(Chat.CHAT.path, json=body, headers=headers))


@pytest.fixture
def served():
    """The runtime of the gateway in this process."""
    (found,) = [one for loop, one in runtime._runtimes.items() if loop.is_running()]
    return found


def test_requests_are_served_when_the_store_is_away(
    gateway, customer, upstream, served, monkeypatch
):
    monkeypatch.setattr(
        served, "kept_answers", RedisAnswerStore("redis://127.0.0.1:1/0", prefix="test:")
    )
    client = gateway.client(customer)
    headers = with_key()

    answers = [
        client.post(Chat.CHAT.path, json=Chat.CHAT.body("sandbox/echo"), headers=headers)
        for _ in range(2)
    ]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert len(customer.settled(requests=2)) == 2
    assert upstream.stats()["requests"] == 2


def test_nothing_readable_is_kept(gateway, customer, served, monkeypatch):
    store = LocalAnswerStore(most_entries=10, most_bytes=10**6)
    monkeypatch.setattr(served, "kept_answers", store)
    secret = "a very private sentence"
    body = Chat.CHAT.body("sandbox/echo", text=secret)

    response = gateway.client(customer).post(
        Chat.CHAT.path, json=body, headers=with_key("the-key-itself")
    )

    assert secret in response.text
    kept = json.dumps([(name, value.decode()) for name, (value, _) in store._entries.items()])
    assert len(store._entries) == 1
    for private in (secret, "the-key-itself", "sandbox", response.json()["id"]):
        assert private not in kept
