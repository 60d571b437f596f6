"""Many requests against little credit, on one process and on two, and a process that is killed in the middle."""

import asyncio
import json
import signal
import time
from collections import Counter
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from django.conf import settings

from apps.billing.services.rating import quote
from apps.catalog.selectors import catalog
from apps.common.money import NANO_PER_USD
from apps.common.usage import Usage
from tests.gateway import Gateway
from tests.installation import Installation, Web, make_installation
from tests.sandbox.process import start_sandbox

CHAT = {
    "model": "sandbox/echo+delay=30",
    "max_tokens": 100,
    "messages": [{"role": "user", "content": "Hello there, what does this cost?"}],
}
CONCURRENT = 500
COVERED = 37

Answer = tuple[int, dict[str, Any]]
"""Status and content."""


async def ask_all(
    urls: list[str], secret: str, *, number: int, body: dict[str, Any]
) -> Counter[int]:
    """``number`` requests at once over all the web processes; how often each status came."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
    headers = {"authorization": f"Bearer {secret}"}
    async with httpx.AsyncClient(limits=limits, headers=headers, timeout=60) as client:

        async def ask(n: int) -> int:
            response = await client.post(f"{urls[n % len(urls)]}/v1/chat/completions", json=body)
            return response.status_code

        return Counter(await asyncio.gather(*(ask(n) for n in range(number))))


def hold_of(body: dict[str, Any]) -> int:
    """Nano-USD that one such request sets aside."""
    model = catalog.get().resolve(body["model"])
    assert model is not None
    text = sum(len(message["content"]) for message in body["messages"])
    return quote(Usage(input=-(-text // 4), output=body["max_tokens"]), model.offerings[0].rates)


def test_charges_exactly_what_was_served_when_500_requests_meet_credit_for_37(
    gateway: Gateway, make_customer
):
    # Every answer comes 300 ms after its request, so all holds are placed before the first is released.
    body = {**CHAT, "model": "sandbox/echo+delay=1500"}
    credit = hold_of(body) * COVERED
    customer = make_customer(credit_usd=f"{credit / 1e9:.9f}")

    statuses = asyncio.run(ask_all([gateway.url], customer.secret, number=CONCURRENT, body=body))

    records = customer.settled(requests=statuses[200], within=20)
    assert set(statuses) == {200, 402}
    assert statuses[200] == len(records) >= COVERED
    assert all(record.charged == record.cost > 0 for record in records)
    balance = customer.balance
    assert balance.total == credit - sum(record.charged for record in records) >= 0
    assert balance.held == 0


PREPARE = """
import json
from apps.accounts.models import Organization
from apps.billing.services import ledger
from apps.keys import services as keys
organization = Organization.objects.create(name="test")
ledger.grant_promo(organization.pk, amount={credit}, reference="test", memo="")
key = keys.issue(organization.pk, name="test", requests_per_minute=10**6, tokens_per_minute=10**9, concurrency=10**4)
print(json.dumps([organization.pk, key.secret]))
"""

READ = """
import json
from apps.billing.models import Balance, Hold
from apps.billing.services.verification import verify
from apps.inference.models import RequestRecord
balance = Balance.objects.get(pk={organization})
print(json.dumps({{
    "total": balance.total, "held": balance.held, "holds": Hold.objects.count(),
    "outcomes": list(RequestRecord.objects.values_list("outcome", flat=True)),
    "charged": list(RequestRecord.objects.values_list("charged", flat=True)),
    "problems": verify().problems,
}}))
"""


@pytest.fixture
def sandbox():
    with start_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
def installation(tmp_path, django_db_setup, sandbox):
    """Its own database; two web processes where PostgreSQL and Redis make that possible."""
    with make_installation(
        tmp_path,
        database_url=settings.DATABASE_URL if not settings.EMBEDDED else "",
        redis_url=settings.REDIS_URL,
        SANDBOX="true",
        SANDBOX_URL=sandbox.base_url,
        HOLD_LEASE_SECONDS="2",
        MAX_IN_FLIGHT="10000",
    ) as installation:
        yield installation


def start_webs(installation: Installation) -> list[Web]:
    return [installation.start_web() for _ in range(1 if settings.EMBEDDED else 2)]


def read_until_at_rest(installation: Installation, organization: int) -> dict[str, Any]:
    deadline = time.monotonic() + 20
    while True:
        found: dict[str, Any] = installation.ask(READ.format(organization=organization))
        if not found["holds"] or time.monotonic() > deadline:
            return found


def test_never_overspends_when_web_processes_share_one_balance(installation, gateway):
    webs = start_webs(installation)
    body = {**CHAT, "model": "sandbox/echo+delay=1500"}
    credit = hold_of(body) * COVERED
    organization, secret = installation.ask(PREPARE.format(credit=credit))

    statuses = asyncio.run(ask_all([web.url for web in webs], secret, number=CONCURRENT, body=body))

    found = read_until_at_rest(installation, organization)
    assert set(statuses) == {200, 402}
    assert found["outcomes"] == ["completed"] * statuses[200]
    assert statuses[200] >= COVERED
    assert found["total"] == credit - sum(found["charged"]) >= 0
    assert found["held"] == found["holds"] == 0
    assert found["problems"] == []


OFFER = """
import json
from apps.catalog.services import offers, providers
from apps.common.money import usd_to_nano
amounts = offers.Amounts.of(input=usd_to_nano("10"), output=usd_to_nano("100"))
offering = providers.add_provider(
    "acme", model="acme/dear", amounts=amounts, base_url="{base_url}/v1", wire="openai_chat",
    upstream_model="echo+delay=300",
)
providers.set_api_key(offering.provider, "a-key-that-the-host-takes")
print(json.dumps(offering.pk))
"""
DEAR_HOLD = 3_000_000
"""Nano-USD: more than 20 tokens of output and the prompt cost there."""
CROWD = 2_000


async def ask_together(urls: list[str], secret: str, *, number: int, body: bytes) -> list[Answer]:
    """Each request on a connection of its own, all of them sent before the first answer is read."""
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n"
        f"authorization: Bearer {secret}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    ).encode()
    connections = []
    for n in range(number):
        address = urlsplit(urls[n % len(urls)])
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        connections.append((reader, writer))
        writer.write(head + body)

    async def read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Answer:
        raw = await asyncio.wait_for(reader.read(), 60)
        writer.close()
        start, _, content = raw.partition(b"\r\n\r\n")
        return int(start.split()[1]), json.loads(content)

    return await asyncio.gather(*(read(*connection) for connection in connections))


def test_one_dollar_is_never_exceeded_by_2000_requests_at_once(installation, sandbox):
    """It covers the holds of a quarter of them, and the costs of less than half."""
    installation.ask(OFFER.format(base_url=sandbox.base_url))
    organization, secret = installation.ask(PREPARE.format(credit=NANO_PER_USD))
    urls = [web.url for web in start_webs(installation)]
    body = json.dumps({**CHAT, "model": "acme/dear", "max_tokens": 20}).encode()

    answers = asyncio.run(ask_together(urls, secret, number=CROWD, body=body))

    statuses = Counter(status for status, _ in answers)
    told = [
        round(answer["usage"]["cost"] * NANO_PER_USD) for status, answer in answers if status == 200
    ]
    found = read_until_at_rest(installation, organization)
    assert set(statuses) == {200, 402}
    assert found["outcomes"] == ["completed"] * statuses[200]
    assert sorted(found["charged"]) == sorted(told)
    assert 0 < sum(told) <= NANO_PER_USD
    assert found["total"] == NANO_PER_USD - sum(told)
    assert found["held"] == found["holds"] == 0
    assert found["problems"] == []

    # What is left is spent by whoever asks first, and then nothing more.
    while 200 in dict(asyncio.run(ask_together(urls, secret, number=50, body=body))):
        pass
    found = read_until_at_rest(installation, organization)
    assert 0 <= found["total"] == NANO_PER_USD - sum(found["charged"]) < DEAR_HOLD
    assert found["problems"] == []


BUDGET = """
import json
from apps.billing.services import budgets
budget = budgets.make({organization}, period=budgets.Period.MONTH, amount={amount}, is_hard=True, alerts=[])
print(json.dumps(budget.pk))
"""

READ_WINDOW = """
import json
from apps.billing.models import BudgetWindow
window = BudgetWindow.objects.get(budget={budget})
print(json.dumps([window.spent, window.held]))
"""


def test_hard_budget_is_never_exceeded_when_web_processes_share_it(installation, gateway):
    """500 requests at once over every process, against a budget for 37 of them and credit for all."""
    webs = start_webs(installation)
    body = {**CHAT, "model": "sandbox/echo+delay=1500"}
    cost = hold_of(body)
    amount = cost * COVERED
    organization, secret = installation.ask(PREPARE.format(credit=cost * CONCURRENT * 2))
    budget = installation.ask(BUDGET.format(organization=organization, amount=amount))

    statuses = asyncio.run(ask_all([web.url for web in webs], secret, number=CONCURRENT, body=body))

    found = read_until_at_rest(installation, organization)
    spent, held = installation.ask(READ_WINDOW.format(budget=budget))
    assert set(statuses) == {200, 402}
    assert statuses[200] >= COVERED
    assert found["outcomes"] == ["completed"] * statuses[200]
    assert 0 < spent == sum(found["charged"]) <= amount
    assert held == found["held"] == found["holds"] == 0
    assert found["problems"] == []

    # What is left is spent by whoever asks first, whichever process it asks, and then nothing more.
    while asyncio.run(ask_all([web.url for web in webs], secret, number=100, body=CHAT))[200]:
        pass
    read_until_at_rest(installation, organization)
    spent, held = installation.ask(READ_WINDOW.format(budget=budget))
    assert amount - cost < spent <= amount
    assert held == 0


def test_loses_no_settled_request_when_a_web_process_is_killed(installation, gateway):
    webs = start_webs(installation)
    credit = 10**10
    organization, secret = installation.ask(PREPARE.format(credit=credit))
    answered: list[float] = []

    async def ask_and_kill() -> None:
        headers = {"authorization": f"Bearer {secret}"}
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(headers=headers, timeout=30, limits=limits) as client:
            whole = await asyncio.gather(
                *(client.post(f"{webs[0].url}/v1/chat/completions", json=CHAT) for _ in range(50))
            )
            answered.extend(response.json()["usage"]["cost"] for response in whole)
            # What the client can look up is settled.
            for response in whole:
                found = await client.get(
                    f"{webs[0].url}/v1/generation", params={"id": response.json()["id"]}
                )
                assert found.status_code == 200
            slow = [
                asyncio.create_task(
                    client.post(
                        f"{webs[0].url}/v1/chat/completions",
                        json={**CHAT, "model": "sandbox/echo+delay=20000"},
                    )
                )
                for _ in range(20)
            ]
            await asyncio.sleep(1)
            webs[0].kill()
            died = await asyncio.gather(*slow, return_exceptions=True)
            assert all(isinstance(error, httpx.HTTPError) for error in died)

    asyncio.run(ask_and_kill())
    time.sleep(2.5)  # the lease of the dead process
    installation.ask(
        "import json; from apps.inference.sweep import sweep; print(json.dumps(sweep()))"
    )

    found = read_until_at_rest(installation, organization)
    assert sorted(found["outcomes"]) == ["completed"] * 50 + ["lost"] * 20
    assert sum(found["charged"]) == round(sum(answered) * 1e9)
    assert found["total"] == credit - sum(found["charged"])
    assert found["held"] == found["holds"] == 0
    assert found["problems"] == []


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/messages"])
def test_a_stopping_process_says_so_in_its_streams_and_charges_nothing(installation, gateway, path):
    """After its patience a server cancels what still runs: that is no client that went away."""
    web = installation.start_web()
    organization, secret = installation.ask(PREPARE.format(credit=10**10))
    body = {
        **CHAT,
        "model": "sandbox/long+chunks=200+interval=100",
        "stream": True,
        "max_tokens": 900,
    }
    headers = {"authorization": f"Bearer {secret}"}
    received = ""

    with httpx.stream("POST", web.url + path, json=body, headers=headers, timeout=30) as answer:
        for text in answer.iter_text():
            if not received:
                web.process.send_signal(signal.SIGTERM)
            received += text
    web.process.wait(timeout=20)

    assert "service_unavailable" in received
    assert "[DONE]" not in received
    assert "message_stop" not in received
    found = read_until_at_rest(installation, organization)
    assert (found["outcomes"], found["charged"]) == (["interrupted"], [0])
    assert (found["total"], found["held"]) == (10**10, 0)
