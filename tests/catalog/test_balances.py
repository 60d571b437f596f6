"""Balances at providers: each shape as its page records it, odd answers over a socket, what staff and routing are told."""

import datetime
import json
from dataclasses import replace

import httpx
import pytest
import structlog
from django.contrib.auth import get_user_model
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from apps.catalog import tasks
from apps.catalog.models import CatalogEpoch, Provider, UpstreamBalance
from apps.catalog.providers.balances import BalanceUnreadable, read
from apps.catalog.providers.registry import PROVIDERS
from apps.catalog.providers.spec import BalanceFeed
from apps.catalog.selectors import load_catalog, read_balances
from apps.catalog.services import balances
from apps.common import clock
from tests.catalog.listing_server import list_server
from tests.sandbox.process import start_sandbox

DOLLAR = 10**9

# As the pages in rows/balances.py show them.
RECORDED = {
    "openrouter": ({"data": {"total_credits": 100.5, "total_usage": 25.75}}, 74_750_000_000, "USD"),
    "deepseek": (
        {
            "is_available": True,
            "balance_infos": [
                {"currency": "CNY", "total_balance": "110.00", "granted_balance": "10.00", "topped_up_balance": "100.00"}
            ],
        },
        110 * DOLLAR,
        "CNY",
    ),
    "moonshot": (
        {
            "code": 0,
            "data": {"available_balance": 49.58894, "voucher_balance": 46.58893, "cash_balance": 3.00001},
            "scode": "0x0",
            "status": True,
        },
        49_588_940_000,
        "USD",
    ),
    "nano-gpt": (
        {"usd_balance": "129.46956147", "nano_balance": "26.71801147", "nanoDepositAddress": "nano_1gx385"},
        129_469_561_470,
        "USD",
    ),
    "novita": (
        {
            "availableBalance": "1000000",
            "cashBalance": "800000",
            "creditLimit": "200000",
            "pendingCharges": "0",
            "outstandingInvoices": "0",
        },
        100 * DOLLAR,
        "USD",
    ),
    "poe": ({"current_point_balance": 295_932_027}, 295_932_027 * DOLLAR, "points"),
    "sandbox": ({"data": {"total_credits": 100, "total_usage": 0.25}}, 99_750_000_000, "USD"),
    "siliconflow": (
        {
            "code": 20000,
            "message": "OK",
            "status": True,
            "data": {"id": "u", "balance": "0.88", "status": "normal", "chargeBalance": "88.00", "totalBalance": "88.88"},
        },
        88_880_000_000,
        "USD",
    ),
    "siliconflow-china": (
        {"code": 20000, "status": True, "data": {"balance": "0.88", "chargeBalance": "88.00", "totalBalance": "88.88"}},
        88_880_000_000,
        "CNY",
    ),
    "vercel-ai-gateway": ({"balance": "95.50", "total_used": "4.50"}, 95_500_000_000, "USD"),
}  # fmt: skip


def feed_at(slug: str) -> BalanceFeed:
    feed = PROVIDERS[slug].balance
    assert feed is not None
    return feed


def test_every_row_with_a_balance_has_a_recorded_answer():
    assert {slug for slug, spec in PROVIDERS.items() if spec.balance} == RECORDED.keys()


@pytest.mark.parametrize("slug", RECORDED)
def test_answer_is_read_as_the_providers_page_shows_it(slug):
    body, amount, currency = RECORDED[slug]

    found = read(feed_at(slug), json.dumps(body).encode())

    assert (found.amount, found.currency, found.is_spent) == (amount, currency, False)
    assert feed_at(slug).docs.startswith("https://")


@pytest.mark.parametrize(
    ("slug", "body", "amount", "is_spent"),
    [
        ("openrouter", {"data": {"total_credits": 5, "total_usage": 5}}, 0, True),
        ("openrouter", {"data": {"total_credits": 5, "total_usage": 5.1}}, -100_000_000, True),
        ("vercel-ai-gateway", {"balance": "0.0000000001"}, 0, True),  # less than is counted
        ("vercel-ai-gateway", {"balance": "0.000000001"}, 1, False),
        ("deepseek", {"is_available": False, "balance_infos": [{"currency": "USD", "total_balance": "3"}]}, 3 * DOLLAR, True),
        ("deepseek", {"balance_infos": [{"currency": "USD", "total_balance": "0"}]}, 0, True),
        (
            "deepseek",
            {"is_available": True, "balance_infos": [{"currency": "CNY", "total_balance": "0.00"}, {"currency": "USD", "total_balance": "7"}]},
            7 * DOLLAR,
            False,
        ),
    ],
)  # fmt: skip
def test_account_is_spent_when_nothing_is_left_or_the_provider_says_so(
    slug, body, amount, is_spent
):
    found = read(feed_at(slug), json.dumps(body).encode())

    assert (found.amount, found.is_spent) == (amount, is_spent)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"<html>", b"null", b"[]", b"7", b"{}", b'{"data": null}', b'{"data": {"total_credits": null, "total_usage": 0}}',
        b'{"data": {"total_credits": "many", "total_usage": 0}}', b'{"data": {"total_credits": true, "total_usage": 0}}',
        b'{"data": {"total_credits": NaN, "total_usage": 0}}', b'{"data": {"total_credits": "Infinity", "total_usage": 0}}',
        b'{"data": {"total_credits": 1e400, "total_usage": 0}}', b'{"data": {"total_credits": 1e10, "total_usage": 0}}',
        b'{"data": [1, 2]}', b"\xff", b"[" * 100_000,
    ],
)  # fmt: skip
def test_odd_answer_is_unreadable_and_no_balance(body):
    with pytest.raises(BalanceUnreadable):
        read(feed_at("openrouter"), body)


@pytest.mark.parametrize("infos", [[], None, {}, [{}], [{"total_balance": "1"}], [{"total_balance": "1", "currency": 7}]])  # fmt: skip
def test_odd_list_of_accounts_is_unreadable(infos):
    with pytest.raises(BalanceUnreadable):
        read(feed_at("deepseek"), json.dumps({"balance_infos": infos}).encode())


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["data", "total_credits", "total_usage", "balance_infos", "currency", "total_balance"]), inner, max_size=3)))  # fmt: skip
def test_no_answer_raises_anything_else(answer):
    for slug in ("openrouter", "deepseek", "novita"):
        try:
            found = read(feed_at(slug), json.dumps(answer).encode())
        except BalanceUnreadable:
            continue
        assert isinstance(found.amount, int)


@pytest.fixture
def server():
    with list_server() as running:
        yield running


@pytest.fixture
def account(db, empty_catalogue, server, monkeypatch, settings):
    """Vercel's row at a server of the test's own; ``account()`` reads it again, some time later."""
    monkeypatch.setenv("VERCEL_AI_GATEWAY_API_KEY", "s3cret")
    settings.LOW_UPSTREAM_BALANCE = 10 * DOLLAR
    Provider.objects.create(
        slug="vercel-ai-gateway", name="V", wire="openai_chat", base_url=server.url
    )
    server.body = {"balance": "95.50"}

    def later(**units) -> UpstreamBalance:
        UpstreamBalance.objects.update(attempted_at=clock.now() - datetime.timedelta(**units))
        balances.read_due()
        return UpstreamBalance.objects.get()

    balances.read_due()
    return later


def is_spent() -> bool:
    return load_catalog().providers["vercel-ai-gateway"].is_spent


def test_balance_is_asked_for_with_our_key_and_kept(account, server):
    row = UpstreamBalance.objects.get()

    assert (row.amount, row.currency, row.is_low, row.error) == (95_500_000_000, "USD", False, "")
    assert row.read_at is not None
    assert row.words == "95.50 USD"
    ((path, _, headers),) = server.asked
    assert path == "/v1/credits"
    assert headers["authorization"] == "Bearer s3cret"
    assert read_balances() == [("vercel-ai-gateway", "USD", 95_500_000_000)]


def test_balance_is_read_once_an_hour_whatever_the_number_of_workers(account, server):
    assert balances.read_due() == 0
    tasks.read_balances()
    assert len(server.asked) == 1

    account(hours=1)
    assert len(server.asked) == 2


def test_low_balance_is_said_once_and_its_recovery_once(account, server):
    with structlog.testing.capture_logs() as logs:
        for amount in ("9.99", "9.00", "0.01", "10.00", "50.00"):
            server.body = {"balance": amount}
            account(hours=1)

    assert [(event["event"], event["log_level"]) for event in logs] == [
        ("balance.low", "warning"), ("balance.recovered", "info")
    ]  # fmt: skip
    assert logs[0]["balance"] == "9.99 USD"
    assert logs[0]["provider"] == "vercel-ai-gateway"


def test_routing_is_told_when_the_account_is_empty_and_when_it_is_not(account, server):
    assert not is_spent()
    epoch = CatalogEpoch.objects.get().value
    server.body = {"balance": "12.34"}
    account(hours=1)
    assert CatalogEpoch.objects.get().value == epoch, "an amount is no reason to load the catalogue"

    server.body = {"balance": "0"}
    account(hours=1)
    assert is_spent()
    assert CatalogEpoch.objects.get().value > epoch
    server.body = {"balance": "5"}
    account(hours=1)

    assert not is_spent()


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"status": 401}, "It was answered with status 401."),
        ({"status": 302}, "It was answered with status 302."),
        ({"status": 500}, "It was answered with status 500."),
        ({"body": b"<html>"}, "The answer is not JSON."),
        ({"body": {"balance": None}}, "'/balance' is no amount."),
        ({"body": {"credits": 1}}, "There is no '/balance' in the answer."),
        ({"body": b" " * 70_000}, "The answer has no end."),
    ],
)
def test_row_says_what_was_wrong_and_keeps_what_was_known(account, server, change, error):
    for name, value in change.items():
        setattr(server, name, value)

    with structlog.testing.capture_logs() as logs:
        row = account(hours=1)

    assert (row.error, row.amount) == (error, 95_500_000_000)
    assert [(e["event"], e["reason"]) for e in logs] == [("balance.unreadable", error)]
    server.status, server.body = 200, {"balance": "1"}
    assert account(hours=1).error == ""


def test_row_says_so_when_nobody_answers(account):
    Provider.objects.update(base_url="http://127.0.0.1:9/v1")

    assert account(hours=1).error == "It could not be fetched: NewConnectionError."


def test_empty_account_is_not_believed_for_ever_when_nobody_tells(account, server):
    server.body = {"balance": "0"}
    account(hours=1)
    server.status = 500
    account(hours=1)
    assert is_spent()

    UpstreamBalance.objects.update(read_at=clock.now() - datetime.timedelta(hours=7))
    account(hours=1)

    assert not is_spent()


def test_nobody_is_asked_without_a_key_or_when_switched_off(account, server):
    Provider.objects.update(enabled=False)
    account(hours=1)
    assert len(server.asked) == 1
    assert balances.read_now("vercel-ai-gateway").error == "Not asked: disabled."


def test_key_goes_nowhere_else_when_the_operator_named_an_address(account, server):
    """NanoGPT tells its balance beside its API, at an address of its own."""
    row = Provider(slug="nano-gpt", wire="openai_chat")
    assert balances.feed_of(row) is feed_at("nano-gpt")
    row.base_url = server.url
    assert balances.feed_of(row) is None
    assert balances.feed_of(Provider(slug="of-my-own", wire="openai_chat")) is None


def test_key_is_sent_as_the_feed_says_when_that_differs_from_requests(account, server, monkeypatch):
    monkeypatch.setenv("NANO_GPT_API_KEY", "other")
    spec = PROVIDERS["nano-gpt"]
    own = replace(spec, balance=replace(feed_at("nano-gpt"), path="/check-balance"))
    monkeypatch.setattr(balances, "spec_of", lambda slug, wire: own)
    Provider.objects.create(slug="nano-gpt", name="N", wire="openai_chat", base_url=server.url)
    server.body = RECORDED["nano-gpt"][0]

    row = balances.read_now("nano-gpt")

    assert row.words == "129.46 USD"
    path, _, headers = server.asked[-1]
    assert (server.methods[-1], path) == ("POST", "/v1/check-balance")
    assert headers["x-api-key"] == "other"
    assert "authorization" not in headers


@pytest.mark.parametrize(
    ("amount", "currency", "is_low"),
    [
        ("10", "USD", False), ("9.99", "USD", True), ("70", "CNY", False), ("69.99", "CNY", True),
        ("1", "points", False), ("0", "points", True),
    ],
)  # fmt: skip
def test_threshold_in_dollars_is_compared_by_rough_rates(
    account, server, monkeypatch, amount, currency, is_low
):
    spec = PROVIDERS["vercel-ai-gateway"]
    own = replace(spec, balance=replace(feed_at("vercel-ai-gateway"), currency=currency))
    monkeypatch.setattr(balances, "spec_of", lambda slug, wire: own)
    server.body = {"balance": amount}

    assert account(hours=1).is_low is is_low


def test_sandbox_tells_its_balance_over_its_own_socket(db, empty_catalogue, settings):
    with start_sandbox() as sandbox:
        settings.SANDBOX_URL = sandbox.base_url
        Provider.objects.create(slug="sandbox", name="S", wire="openai_chat", is_sandbox=True)
        address = f"{sandbox.base_url}/v1/credits"

        assert balances.read_now("sandbox").words == "100.00 USD"
        httpx.post(address, json={"total_usage": 100.5}, verify=False).raise_for_status()
        assert balances.read_now("sandbox").words == "-0.50 USD"
        assert Provider.objects.get().is_spent
        httpx.post(address, json={"status": 503}, verify=False).raise_for_status()
        assert balances.read_now("sandbox").error == "It was answered with status 503."
        sandbox.reset()
        assert balances.read_now("sandbox").words == "100.00 USD"
        assert not Provider.objects.get().is_spent


def test_staff_see_balances_and_read_them_now(account, server, client, settings, tmp_path):
    settings.STATIC_ROOT = tmp_path  # WhiteNoise warns when nobody has run collectstatic
    client.force_login(get_user_model().objects.create_superuser("dave@example.com", "pw"))
    server.body = {"balance": "3.21"}

    answer = client.post(
        reverse("admin:catalog_upstreambalance_changelist"),
        {"action": "read_now", "_selected_action": ["vercel-ai-gateway"]},
        follow=True,
    )

    assert "vercel-ai-gateway: 3.21 USD" in [str(m) for m in answer.context["messages"]]
    page = client.get(reverse("admin:catalog_provider_changelist")).content.decode()
    assert "3.21 USD" in page
