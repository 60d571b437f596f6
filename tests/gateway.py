"""A gateway in this process, on a real socket, in front of a real sandbox provider; and customers for it."""

import asyncio
import threading
import time
from dataclasses import dataclass, field
from typing import Any

import httpx
import uvicorn

from apps.accounts.models import Organization
from apps.billing.models import Balance, Hold
from apps.billing.services import ledger
from apps.common.ids import new_id
from apps.common.money import usd_to_nano
from apps.inference.models import RequestRecord
from apps.keys import provider_keys
from apps.keys import services as keys
from apps.keys.models import ApiKey
from apps.keys.selectors import known_keys
from gatewayz.server import Protocol
from tests.sandbox.process import SandboxProcess

OWN_SECRET = "own-secret-of-the-customer"


@dataclass(frozen=True, slots=True)
class Gateway:
    url: str
    sandbox: SandboxProcess
    clients: list[httpx.Client] = field(default_factory=list)

    def client(self, customer: "Customer", **options: Any) -> httpx.Client:
        """A client with the customer's key; closed when the test ends."""
        # There is no TLS here, and reading the system's certificates takes 40 ms.
        chosen: dict[str, Any] = {"timeout": 30, "verify": False, "headers": customer.headers}
        client = httpx.Client(base_url=self.url, **chosen | options)
        self.clients.append(client)
        return client

    def close_clients(self) -> None:
        while self.clients:
            self.clients.pop().close()


@dataclass(frozen=True, slots=True)
class Customer:
    """An organisation with credit and a key. Tests that commit get one each, so that they never meet."""

    organization_id: int
    key: ApiKey
    secret: str

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.secret}"}

    def bring_key(self, provider: str, secret: str = OWN_SECRET, **fields: Any) -> None:
        """A key of its own at a provider, seen by the gateway in this process at once."""
        provider_keys.store(self.organization_id, provider=provider, secret=secret, **fields)
        known_keys.check()

    @property
    def balance(self) -> Balance:
        return Balance.objects.get(pk=self.organization_id)

    def records(self) -> list[RequestRecord]:
        return list(RequestRecord.objects.filter(organization_id=self.organization_id))

    def settled(self, *, requests: int, within: float = 10.0) -> list[RequestRecord]:
        """The records once ``requests`` of them are there and nothing is on hold any more."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            records = self.records()
            if (
                len(records) >= requests
                and not Hold.objects.filter(organization_id=self.organization_id).exists()
            ):
                return records
            time.sleep(0.02)
        raise AssertionError(
            f"{len(self.records())} of {requests} requests were settled in {within} s"
        )


def make_customer(*, credit_usd: str = "10", **key_options) -> Customer:
    organization = Organization.objects.create(name=new_id("test"))
    if usd_to_nano(credit_usd):
        ledger.grant_promo(
            organization.pk,
            amount=usd_to_nano(credit_usd),
            reference=f"test:{organization.pk}",
            memo="credit for a test",
        )
    limits = {
        "requests_per_minute": 100_000,
        "tokens_per_minute": 1_000_000_000,
        "concurrency": 10_000,
    }
    issued = keys.issue(organization.pk, name="test", **{**limits, **key_options})
    return Customer(organization.pk, issued.key, issued.secret)


class ServerThread:
    """uvicorn with the project's ASGI application in a thread of this process."""

    def __init__(self) -> None:
        from gatewayz.asgi import (
            application,
        )  # needs Django's settings, which tests may still change

        config = uvicorn.Config(
            application,
            host="127.0.0.1",
            port=0,
            http=Protocol,
            log_config=None,
            lifespan="on",
            timeout_graceful_shutdown=5,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="gateway", daemon=True)

    def _run(self) -> None:
        asyncio.run(self._server.serve())

    def start(self) -> str:
        self._thread.start()
        deadline = time.monotonic() + 20
        while not self._server.started:
            if time.monotonic() > deadline or not self._thread.is_alive():
                raise AssertionError("the gateway did not start")
            time.sleep(0.01)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        return f"http://127.0.0.1:{port}"

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=20)
        assert not self._thread.is_alive(), "the gateway did not stop"
