"""Own keys: asked first, with the customer's secret; ours only where it is allowed; a fee in place of the price."""

import pytest

from apps.billing.models import JournalEntry
from apps.common.money import divide_half_up
from apps.inference import runtime
from apps.inference.breaker import LocalBreaker, Rules
from apps.inference.models import RequestRecord
from apps.sandbox.keys import BAD_KEY
from tests.gateway import OWN_SECRET
from tests.hosting import Host, seconds, slug_for, slug_of
from tests.surfaces import LANES, Surface, ask, check_error, name_lane

HOUSE_SECRET = "a-key-that-the-host-takes"
both_ways = pytest.mark.parametrize("streamed", [False, True], ids=["json", "stream"])
KEY_HEADERS = ("authorization", "x-api-key", "x-goog-api-key")


def body_of(surface: Surface, model: str, *, streamed: bool, **fields):
    """With usage at the end of a stream, which chat completions tell only when asked."""
    if streamed and surface is Surface.CHAT:
        fields["stream_options"] = {"include_usage": True}
    return surface.body(model, stream=streamed, **fields)


def secrets_seen(upstream) -> list[str]:
    """The keys that the hosts were asked with, the first call first."""
    return [
        next(value for name in KEY_HEADERS if (value := seen["headers"].get(name)))
        for seen in upstream.stats(recent=50)["recent"]
    ]


def bearer(secret: str) -> str:
    return f"Bearer {secret}"


def fee_of(record: RequestRecord, *, input_usd: int = 1, output_usd: int = 2) -> int:
    """Five percent of the whole, rounded once."""
    price = record.input_tokens * input_usd * 1000 + record.output_tokens * output_usd * 1000
    return divide_half_up(price * 5, 100)


@both_ways
@pytest.mark.parametrize("lane", LANES, ids=name_lane)
def test_own_key_is_asked_and_the_fee_charged_on_every_wire(
    gateway, customer, make_model, upstream, lane, streamed
):
    surface, wire = lane
    host = Host("echo", wire=wire)
    model = make_model(host)
    customer.bring_key(slug_for(0, host))

    answer = ask(gateway.client(customer), surface, body_of(surface, model, streamed=streamed))

    assert (answer.status, answer.text, answer.is_finished) == (200, "You said: Hello there", True)
    (seen,) = secrets_seen(upstream)
    assert seen in {OWN_SECRET, bearer(OWN_SECRET)}
    (record,) = customer.settled(requests=1)
    assert (record.is_byok, record.provider, record.outcome) == (
        True,
        slug_for(0, host),
        "completed",
    )
    assert record.charged == record.cost == fee_of(record) > 0
    assert round(answer.usage["cost"] * 1e9) == record.charged
    assert answer.usage["is_byok"] is True
    listed = answer.usage["cost_details"]["upstream_inference_cost"]
    assert round(listed * 1e9) == record.input_tokens * 1000 + record.output_tokens * 2000
    entry = JournalEntry.objects.get(reference=f"settle:{record.id}")
    assert sum(line.amount for line in entry.lines.all() if line.amount > 0) == record.charged
    assert customer.balance.total == 10**10 - record.charged


def test_own_key_goes_before_cheaper_and_better_hosts(gateway, customer, make_model, upstream):
    model = make_model(Host("echo", input_usd="0.01"), Host("echo"), Host("echo", input_usd="9"))
    customer.bring_key(slug_of(2))

    answer = ask(gateway.client(customer), Surface.CHAT, Surface.CHAT.body(model))

    assert answer.headers["x-gatewayz-provider"] == slug_of(2)
    assert secrets_seen(upstream) == [bearer(OWN_SECRET)]


@pytest.mark.parametrize(
    ("wish", "host", "secret"),
    [
        ({"order": [slug_of(1)]}, slug_of(1), HOUSE_SECRET),
        ({"only": [slug_of(1)]}, slug_of(1), HOUSE_SECRET),
        ({"ignore": [slug_of(0)]}, slug_of(1), HOUSE_SECRET),
        ({"sort": "price"}, slug_of(1), HOUSE_SECRET),
        ({"order": [slug_of(0)], "allow_fallbacks": False}, slug_of(0), OWN_SECRET),
        ({"only": [slug_of(0)]}, slug_of(0), OWN_SECRET),
    ],
)
def test_wishes_of_the_request_come_before_own_keys(
    gateway, customer, make_model, upstream, wish, host, secret
):
    model = make_model(Host("echo", input_usd="3"), Host("echo", input_usd="1"))
    customer.bring_key(slug_of(0))

    answer = ask(gateway.client(customer), Surface.CHAT, Surface.CHAT.body(model, provider=wish))

    assert answer.headers["x-gatewayz-provider"] == host
    assert secrets_seen(upstream) == [bearer(secret)]


@both_ways
@pytest.mark.parametrize("surface", list(Surface), ids=str)
def test_our_key_takes_over_at_its_price_when_the_own_one_is_refused(
    gateway, customer, make_model, upstream, surface, streamed
):
    model = make_model("echo", Host("echo", input_usd="5", output_usd="5"))
    customer.bring_key(slug_of(0), BAD_KEY)

    answer = ask(gateway.client(customer), surface, body_of(surface, model, streamed=streamed))

    assert answer.status == 200
    assert secrets_seen(upstream) == [bearer(BAD_KEY), bearer(HOUSE_SECRET)]
    assert answer.headers["x-gatewayz-provider"] == slug_of(0)
    assert answer.usage["is_byok"] is False
    assert "upstream_inference_cost" not in answer.usage["cost_details"]
    (record,) = customer.settled(requests=1)
    assert not record.is_byok
    assert record.charged == record.input_tokens * 1000 + record.output_tokens * 2000
    own, ours = record.attempts
    assert (own["is_byok"], own["status"], own["fault"]) == (True, 401, "status")
    assert ("is_byok" in ours, ours["fault"]) == (False, "")


@both_ways
def test_silent_host_is_not_asked_with_the_other_key(
    gateway, customer, make_model, upstream, streamed
):
    """That it is silent is the host's fault, and not the key's."""
    silent = Host("echo+hang", seconds=seconds(first_content=0.4, first_content_last=0.4))
    model = make_model(silent, "echo")
    customer.bring_key(slug_of(0))

    answer = ask(
        gateway.client(customer), Surface.CHAT, body_of(Surface.CHAT, model, streamed=streamed)
    )

    assert answer.headers["x-gatewayz-provider"] == slug_of(1)
    assert upstream.stats()["by_model"] == {"echo+hang": 1, "echo": 1}
    (record,) = customer.settled(requests=1)
    assert [attempt["fault"] for attempt in record.attempts] == ["timeout", ""]
    assert [bool(attempt.get("is_byok")) for attempt in record.attempts] == [True, False]


def test_host_with_two_keys_has_the_patience_of_the_only_one(
    gateway, customer, make_model, upstream
):
    slow = Host("echo+ttft=900", seconds=seconds(first_content=0.3, first_content_last=5.0))
    model = make_model(slow)
    customer.bring_key(slug_of(0))

    answer = ask(
        gateway.client(customer), Surface.CHAT, body_of(Surface.CHAT, model, streamed=True)
    )

    assert (answer.status, answer.is_finished) == (200, True)
    assert secrets_seen(upstream) == [bearer(OWN_SECRET)]


@pytest.mark.parametrize("surface", list(Surface), ids=str)
def test_our_key_is_never_used_when_the_own_one_may_not_fall_back(
    gateway, customer, make_model, upstream, surface
):
    customer.bring_key(slug_of(0), BAD_KEY, falls_back=False)

    answer = ask(gateway.client(customer), surface, surface.body(make_model("echo")))

    assert secrets_seen(upstream) == [bearer(BAD_KEY)]
    assert answer.status == 403
    error = check_error(answer, surface)
    assert error["code"] == "permission_denied"
    assert slug_of(0) in error["message"]
    (record,) = customer.settled(requests=1)
    assert (record.charged, record.outcome, record.is_byok) == (0, "failed", True)
    assert customer.balance.total == 10**10


def test_other_providers_take_over_when_the_own_key_may_not_fall_back(
    gateway, customer, make_model, upstream
):
    model = make_model("echo", Host("echo", input_usd="5", output_usd="5"))
    customer.bring_key(slug_of(0), BAD_KEY, falls_back=False)

    answer = ask(gateway.client(customer), Surface.CHAT, Surface.CHAT.body(model))

    assert answer.headers["x-gatewayz-provider"] == slug_of(1)
    assert secrets_seen(upstream) == [bearer(BAD_KEY), bearer(HOUSE_SECRET)]
    (record,) = customer.settled(requests=1)
    assert record.charged == record.input_tokens * 5000 + record.output_tokens * 5000
    assert [host["why"] for host in record.route["rejected"]] == ["own_key_only"]


def test_nobody_else_is_asked_when_the_request_allows_no_fallbacks(
    gateway, customer, make_model, upstream
):
    customer.bring_key(slug_of(0), BAD_KEY)
    body = Surface.CHAT.body(make_model("echo", "echo"), provider={"allow_fallbacks": False})

    answer = ask(gateway.client(customer), Surface.CHAT, body)

    assert answer.status == 403
    assert secrets_seen(upstream) == [bearer(BAD_KEY)]


def test_other_organisation_is_asked_for_with_our_key(
    gateway, customer, make_customer, make_model, upstream
):
    other = make_customer()
    model = make_model("echo")
    customer.bring_key(slug_of(0), falls_back=False)

    answer = ask(gateway.client(other), Surface.CHAT, Surface.CHAT.body(model))

    assert answer.usage["is_byok"] is False
    assert secrets_seen(upstream) == [bearer(HOUSE_SECRET)]
    (record,) = other.settled(requests=1)
    assert record.charged == record.input_tokens * 1000 + record.output_tokens * 2000


def test_switched_off_key_is_as_if_it_were_not_there(gateway, customer, make_model, upstream):
    model = make_model("echo")
    customer.bring_key(slug_of(0), falls_back=False, is_active=False)

    answer = ask(gateway.client(customer), Surface.CHAT, Surface.CHAT.body(model))

    assert answer.usage["is_byok"] is False
    assert secrets_seen(upstream) == [bearer(HOUSE_SECRET)]


@pytest.fixture
def breaker(gateway):
    """The gateway's, with the shipped numbers; settings for tests keep breakers closed."""
    (served,) = runtime._runtimes.values()
    former = served.breaker
    rules = Rules(failures=5, share=0.5, least=10, window=60.0, cool_down=15.0, successes=2)
    served.breaker = LocalBreaker(rules)
    yield
    served.breaker = former


def test_breaker_and_health_of_our_host_are_spared_when_a_customers_key_is_refused(
    gateway, customer, make_customer, make_model, breaker
):
    model = make_model("echo+words=3")
    customer.bring_key(slug_of(0), BAD_KEY, falls_back=False)
    client = gateway.client(customer)

    refused = [ask(client, Surface.CHAT, Surface.CHAT.body(model)).status for _ in range(7)]
    other = gateway.client(make_customer())
    answer = ask(other, Surface.CHAT, Surface.CHAT.body(model))
    plan = other.post("/v1/route", json={"request": Surface.CHAT.body(model)}).json()["data"]

    assert refused == [403] * 5 + [503] * 2  # its own breaker has opened
    assert answer.status == 200
    (host,) = plan["candidates"]
    assert (host["requests"], host["error_rate"], host["ailing"]) == (1, 0.0, False)


def test_replaced_key_is_asked_at_once_though_the_former_was_refused(
    gateway, customer, make_model, breaker
):
    body = Surface.CHAT.body(make_model("echo"))
    client = gateway.client(customer)
    customer.bring_key(slug_of(0), BAD_KEY, falls_back=False)
    for _ in range(6):
        ask(client, Surface.CHAT, body)

    customer.bring_key(slug_of(0))

    assert ask(client, Surface.CHAT, body).status == 200
