"""A customer who pays at the fake Stripe, over real sockets from end to end."""

from dataclasses import dataclass
from typing import Any

import httpx
import stripe

from apps.billing.models import Order, StripeEvent
from apps.billing.services.verification import verify
from tests.fakes.stripe.process import FakeStripe
from tests.gateway import Customer, Gateway

SECRET = "whsec_of_the_tests"


@dataclass(frozen=True, slots=True)
class Shop:
    gateway: Gateway
    fake: FakeStripe
    customer: Customer

    @property
    def stripe(self) -> stripe.StripeClient:
        """Past the gateway: what staff do in Stripe's dashboard, or a forger would."""
        return stripe.StripeClient(
            "sk_test_fake", base_addresses={"api": self.fake.url}, max_network_retries=0
        )

    def call(self, method: str, path: str, body: Any = None, **options: Any) -> httpx.Response:
        client = self.gateway.client(self.customer)
        return client.request(method, f"/api/stripe/{path}", json=body, **options)

    def post(self, path: str, body: Any, **options: Any) -> dict[str, Any]:
        answer = self.call("POST", path, body, **options)
        assert answer.status_code == 200, answer.text
        return dict(answer.json()["data"])

    def get(self, path: str) -> dict[str, Any]:
        answer = self.call("GET", path)
        assert answer.status_code == 200, answer.text
        return dict(answer.json()["data"])

    def order(self, **asked: Any) -> dict[str, Any]:
        """An open checkout of $10 of credit, if nothing else is asked."""
        return self.post("checkout-session", asked or {"amount_usd": 10})

    def pay(self, order: dict[str, Any], **how: Any) -> None:
        self.fake.control(f"checkout/{order['session_id']}/complete", **how)

    def deliver(self, **how: Any) -> list[int | None]:
        """What the gateway answered to each webhook."""
        return [told["status"] for told in self.fake.deliver(**how)]

    def buy(self, **asked: Any) -> Order:
        """Ordered, paid, and told of."""
        order = self.order(**asked)
        self.pay(order)
        assert set(self.deliver()) == {200}
        found = self.row(order)
        assert found.status == "paid"
        return found

    def row(self, order: dict[str, Any]) -> Order:
        return Order.objects.get(pk=order["id"])

    @property
    def purchased(self) -> int:
        return self.customer.balance.purchased

    def is_sound(self) -> bool:
        return verify(self.customer.organization_id).problems == ()

    def events(self, *kinds: str) -> list[str]:
        return [event["id"] for event in self.fake.events(*kinds)]

    def stored(self, *kinds: str) -> list[StripeEvent]:
        return list(StripeEvent.objects.filter(pk__in=self.events(*kinds)))
