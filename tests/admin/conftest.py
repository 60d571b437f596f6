"""A member of staff at the back office, and a row of every table to look at."""

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import BigIntegerField

from apps.accounts import notices
from apps.accounts import services as signup
from apps.accounts.models import EmailDomainRule, Membership
from apps.billing.models import (
    AutoTopUp,
    CodeGuesses,
    CreditLevel,
    CreditWatch,
    InvoiceStatus,
    OrderKind,
    PlanPrice,
    Reversal,
    ReversalKind,
    StripeCustomer,
    StripeEvent,
    Subscription,
    SubscriptionInvoice,
    SubscriptionStatus,
)
from apps.billing.services import (
    budgets,
    coupons,
    ledger,
    orders,
    partner_trials,
    redemption_codes,
    referrals,
)
from apps.catalog.models import (
    Feed,
    ModelAlias,
    PriceProposal,
    PriceTerms,
    UpstreamBalance,
)
from apps.catalog.services import offers, providers
from apps.common import clock
from apps.common.money import usd_to_nano
from apps.inference import recorder
from apps.keys import provider_keys
from apps.keys import services as keys
from apps.monitoring.models import Probe, UsageHour, Watch
from apps.monitoring.services import totals
from tests.billing.books import Books
from tests.billing.promotions import make_coupon, make_offer, make_person
from tests.monitoring.bills import line, take

ATTEMPTS = [
    {"provider": "acme", "model": "large", "fault": "overloaded", "status": 529, "ms": 12},
    {"provider": "<b>other</b>", "model": "large", "fault": "", "status": None, "ms": 1234},
]


@pytest.fixture
def visitor(client, settings, tmp_path, db):
    settings.STATIC_ROOT = tmp_path  # WhiteNoise warns when nobody has run collectstatic
    return client


@pytest.fixture
def staff(visitor):
    visitor.force_login(get_user_model().objects.create_superuser("dave@example.com", "pw"))
    return visitor


@pytest.fixture
def books(db):
    return make_books()


def make_books() -> Books:
    """Alice's organisation: $10, a settled request, an open hold and a record."""
    alice = signup.create_user(email="alice@example.com", password="pw")
    books = Books(Membership.objects.get(user=alice).organization_id)
    ledger.grant_promo(
        books.organization_id, amount=10**10, reference="test:alice", memo="credit for a test"
    )
    settlement = books.costs(21_450, request_id="gen_settled")
    ledger.settle([settlement])
    books.hold(1_000_000)
    row = recorder.lost_row(
        organization_id=books.organization_id,
        api_key_id=None,
        model="acme/large",
        created_at=clock.now(),
        latency_ms=1234,
    )
    seen = {"model": "acme/large", "provider": "acme", "outcome": "completed", "attempts": ATTEMPTS}
    recorder.insert([("gen_settled", 21_450, {**row, **seen, "cost": 21_450})])
    return books


@pytest.fixture(scope="module")
def every_table(django_db_setup, django_db_blocker):
    """At least one row in each table that the back office shows: the same for all tests of a file."""
    with django_db_blocker.unblock(), transaction.atomic():
        fill_every_table(make_books())
        yield
        transaction.set_rollback(True)


def fill_every_table(books: Books) -> None:
    keys.issue(books.organization_id, name="a key")
    provider_keys.store(books.organization_id, provider="acme", secret="acme-secret-7Kq2")
    Group.objects.create(name="support")
    notices.notify(books.organization_id, notices.CreditUsedUp(), reference="used up:1")
    CreditWatch.objects.create(
        organization_id=books.organization_id, level=CreditLevel.LOW, since=clock.now()
    )
    budgets.make(
        books.organization_id, period=budgets.Period.DAY, amount=10**9, is_hard=True, alerts=[50]
    )
    offering = providers.add_provider(
        "acme",
        model="acme/large",
        amounts=offers.Amounts.of(input=usd_to_nano("1"), output=usd_to_nano("2")),
        base_url="https://acme.test/v1",
        wire="openai_chat",
    )
    ModelAlias.objects.create(alias="acme-large", model=offering.model)
    Feed.objects.create(provider=offering.provider)
    UpstreamBalance.objects.create(provider=offering.provider, amount=10**10, currency="USD")
    PriceProposal.objects.create(
        offering=offering, found={"input": 1, "output": 1}, reason="Cheap.", source="provider"
    )
    PriceTerms.objects.create(organization_id=books.organization_id, basis_points=-1000)
    host = {"offering_id": offering.pk, "provider": "acme", "model": "acme/large"}
    Probe.objects.create(**host, tier="standard", succeeded=True, at=clock.now())
    Watch.objects.create(**host, tier="standard")
    totals.count([("acme", "standard", "answered", 21_450)])
    texts = {"model": "acme/large", "provider": "acme", "billing": "price"}
    sums = {
        field.name: 1
        for field in UsageHour._meta.fields
        if isinstance(field, BigIntegerField) and not field.primary_key
    }
    UsageHour.objects.create(organization_id=books.organization_id, hour=495_000, **texts | sums)
    take(line(output=10**6, cost="1"))
    add_promotions(books)
    make_payment(books)
    make_subscription(books)


def add_promotions(books: Books) -> None:
    """A trial, a coupon, a batch of codes, a referral, each of them used."""
    EmailDomainRule.objects.create(domain="bad.example")
    partner_trials.start(make_person().organization_id, code=make_offer().code)
    coupons.redeem(books.organization_id, code=make_coupon().code)
    redemption_codes.make_batch(name="fair", amount=10**9, count=1)
    friend = make_person()
    code = referrals.make_code(books.organization_id)
    referrals.refer(friend.organization_id, code=code)
    CodeGuesses.objects.create(organization_id=books.organization_id, since=clock.now())


def make_payment(books):
    """An order of Alice's that is open, and everything else about payments."""
    mine = {"organization_id": books.organization_id}
    order = orders.begin(
        **mine, kind=OrderKind.CHECKOUT, wanted=orders.Wanted(1000, 10**10), request={}
    )
    Reversal.objects.create(
        id="rev_1",
        order=order,
        kind=ReversalKind.REFUND,
        amount_cents=5,
        created_at=clock.now(),
    )
    StripeCustomer.objects.create(**mine, token="cust_1", stripe_id="cus_1")
    AutoTopUp.objects.create(**mine, threshold=10**9, price_cents=1000, card_id="pm_1")
    StripeEvent.objects.create(
        id="evt_1", type="charge.refunded", payload="{}", received_at=clock.now()
    )
    return order


def make_subscription(books):
    """Alice's, to Pro, paid for a month."""
    price, _ = PlanPrice.objects.get_or_create(
        plan_id="pro",
        price_cents=2900,
        allowance=30 * 10**9,
        defaults={"token": "plan_1", "stripe_id": "price_1", "created_at": clock.now()},
    )
    row = Subscription.objects.create(
        id="subscr_1",
        organization_id=books.organization_id,
        price=price,
        status=SubscriptionStatus.ACTIVE,
        stripe_id="sub_1",
        period_start=clock.now(),
        period_end=clock.now(),
    )
    SubscriptionInvoice.objects.create(
        id="in_1",
        subscription=row,
        status=InvoiceStatus.PAID,
        reason="subscription_create",
        paid_cents=2900,
        earned=30 * 10**9,
        granted=30 * 10**9,
        invoiced_at=clock.now(),
    )
    return row
