"""A customer who subscribes at the fake Stripe. Its clock stands at 1 January 2040: a month of 31 days, long after any test."""

import datetime
from dataclasses import dataclass
from typing import Any

from apps.accounts.models import Organization
from apps.billing.models import JournalEntry, Subscription
from apps.billing.services import ledger
from tests.billing.stripe_shop import Shop

USD = 1_000_000_000
START = 2_208_988_800
DAY = 86_400
FEBRUARY = START + 31 * DAY
MARCH = FEBRUARY + 29 * DAY
HALF_OF_JANUARY = 31 * DAY // 2


@dataclass(frozen=True, slots=True)
class Subscriber:
    shop: Shop

    @property
    def row(self) -> Subscription:
        """The latest."""
        mine = Subscription.objects.filter(organization_id=self.shop.customer.organization_id)
        return mine.latest("pk")

    @property
    def plan(self) -> str | None:
        """That gives the organisation its limits."""
        return Organization.objects.get(pk=self.shop.customer.organization_id).plan_id

    @property
    def allowance(self) -> int:
        return self.shop.customer.balance.allowance

    def begin(self, plan: str = "pro", **options: Any) -> dict[str, Any]:
        return self.shop.post("subscription-checkout", {"plan": plan}, **options)

    def pay(self, page: dict[str, Any], **how: Any) -> None:
        self.shop.pay(page, **how)

    def subscribe(self, plan: str = "pro", **how: Any) -> Subscription:
        """Ordered, paid, and told of."""
        self.pay(self.begin(plan), **how)
        assert set(self.shop.deliver()) == {200}
        assert self.row.status == "active"
        return self.row

    def change(self, how: str, **body: Any) -> dict[str, Any]:
        return self.shop.post(f"subscription/{how}", body)

    def refused(self, how: str, **body: Any) -> tuple[int, str, str | None]:
        answer = self.shop.call("POST", f"subscription/{how}", body)
        error = answer.json()["error"]
        return answer.status_code, error["code"], error["param"]

    def pass_time(self, seconds: int) -> None:
        self.shop.fake.control("clock", advance=seconds)

    def expire(self, now: datetime.datetime) -> None:
        """What the job does, to this customer alone."""
        ledger._expire_credit_of(self.shop.customer.organization_id, now)

    def at_stripe(self) -> dict[str, Any]:
        found = self.shop.fake.objects()["subscription"]
        return next(one for one in found if one["id"] == self.row.stripe_id)

    def invoices(self) -> list[dict[str, Any]]:
        """At Stripe, the oldest first."""
        found = self.shop.fake.objects()["invoice"]
        return [one for one in found if one["customer"] == self.at_stripe()["customer"]]

    def entries(self) -> list[dict[str, int]]:
        """The lines of each entry about a subscription, the oldest first."""
        mine = JournalEntry.objects.filter(
            organization_id=self.shop.customer.organization_id, kind="subscription"
        )
        return [
            dict(entry.lines.values_list("account__kind", "amount"))
            for entry in mine.order_by("pk")
        ]
