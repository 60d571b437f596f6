"""One fake Stripe for this folder's tests, emptied before each and looked through after each.

After a test every object and event that the fake made, and every answer that it gave, must have Stripe's shapes.

fake      the process and its control endpoints
client    the official SDK in front of it, without retries
receiver  an endpoint for webhooks that keeps what it got
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import stripe

from tests.fakes.receiver import Receiver, start_receiver
from tests.fakes.stripe.process import FakeStripe, start_fake_stripe
from tests.fakes.stripe_shapes import problems_of


@pytest.fixture(scope="session")
def fake_process() -> Iterator[FakeStripe]:
    with start_fake_stripe() as process:
        yield process


class NotingClient(stripe.RequestsClient):
    """The SDK's own, keeping the answers."""

    def __init__(self) -> None:
        super().__init__(timeout=10)
        self.answers: list[Any] = []

    def request(  # type: ignore[override] # as in the SDK's own class, which differs from its base
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: Any = None,
    ) -> tuple[bytes, int, Mapping[str, str]]:
        body, status, answered = super().request(method, url, headers, post_data)
        if status == 200:
            self.answers.append(json.loads(body))
        return body, status, answered


@pytest.fixture
def fake(fake_process: FakeStripe, http_client: NotingClient) -> Iterator[FakeStripe]:
    fake_process.reset()
    http_client.answers.clear()
    yield fake_process
    made = [one for table in fake_process.objects().values() for one in table]
    problems = [problem for one in made + http_client.answers for problem in problems_of(one)]
    assert problems == []


@pytest.fixture(scope="session")
def http_client() -> Iterator[NotingClient]:
    client = NotingClient()
    yield client
    client.close()


@pytest.fixture
def client(fake: FakeStripe, http_client: NotingClient) -> stripe.StripeClient:
    return stripe.StripeClient(
        "sk_test_fake",
        base_addresses={"api": fake.url},
        http_client=http_client,
        max_network_retries=0,
    )


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with start_receiver() as started:
        yield started
