"""What a provider will bill: by its own name of the model, at its own price, without what it was not asked or not for us."""

import datetime
import itertools
import random

import pytest

from apps.accounts.models import Membership
from apps.accounts.services import create_user
from apps.billing.services import rating
from apps.catalog.client_rates import marked_up
from apps.catalog.history import read_history
from apps.catalog.models import AMOUNTS, Price
from apps.catalog.services import offers, providers
from apps.common.money import usd_to_nano
from apps.common.usage import Usage
from apps.inference.provider_costs import read_provider_use
from apps.inference.usage_sums import USAGE_COLUMNS, Range
from tests.monitoring.recording import at, write

pytestmark = pytest.mark.django_db
NOON = at("2026-11-10T12:00:00")
DAY = Range(at("2026-11-10T00:00:00"), at("2026-11-11T00:00:00"))
MILLION = 1_000_000


@pytest.fixture
def organization():
    user = create_user(email="alice@example.com", password="pw")
    return Membership.objects.get(user=user).organization_id


def price_of(model, **prices):
    offering = providers.add_provider(
        "acme",
        model=f"vendor/{model}",
        upstream_model=model,
        amounts=offers.Amounts.of(input=usd_to_nano("1"), output=usd_to_nano("2")),
        base_url="https://acme.test/v1",
        wire="openai_chat",
    )
    row = Price.objects.filter(offering=offering).latest("valid_from")
    if prices:
        amounts = {name: getattr(row, name) for name in AMOUNTS} | prices
        row = Price.objects.create(offering=offering, source="staff", **amounts)
    return row.pk


def attempt(model, provider="acme", fault=""):
    return {"provider": provider, "model": model, "fault": fault, "status": None, "ms": 1}


def used(**options):
    return {use.model: use for use in read_provider_use("acme", DAY, **options)}


def test_requests_are_summed_by_the_providers_name_at_its_price_without_mark_up(organization):
    price_id = price_of("large-v1", request=1000)
    rows = [
        {"input_tokens": 1000, "cache_read_tokens": 10, "output_tokens": 100, "reasoning_tokens": 5},
        {"input_tokens": 2000, "cache_write_5m_tokens": 7, "cache_write_1h_tokens": 3},
    ]  # fmt: skip
    write(
        organization, *rows, model="vendor/large-v1", price_id=price_id, created_at=NOON,
        attempts=[attempt("large-v1")], markup_ppm=50_000, terms_bp=-1000, cost=77,
    )  # fmt: skip

    (use,) = used().values()

    assert (use.model, use.requests, use.uncertain) == ("large-v1", 2, 0)
    assert (use.usage.total_input, use.usage.total_output) == (3020, 105)
    # $1 and $2 a million; caches cost as much as input, reasoning as output; a thousand nano-dollars a request.
    assert use.cost == 3020 * 1000 + 105 * 2000 + 2 * 1000


def test_others_are_left_out(organization):
    price_id = price_of("large-v1")
    plain = {
        "price_id": price_id,
        "attempts": [attempt("large-v1")],
        "input_tokens": 10,
        "created_at": NOON,
    }
    one = datetime.timedelta(microseconds=1)
    write(
        organization,
        plain,
        plain | {"created_at": DAY.start, "input_tokens": 1},
        plain | {"created_at": DAY.end - one, "input_tokens": 2},
        plain | {"created_at": DAY.start - one},
        plain | {"created_at": DAY.end},
        plain | {"provider": "other"},
        plain | {"cached": True},
        plain | {"is_byok": True},
    )  # fmt: skip

    assert (used()["large-v1"].requests, used()["large-v1"].usage) == (3, Usage(input=13))


def test_name_is_that_of_the_attempt_that_answered(organization):
    asked = {
        "answered": [attempt("first", fault="overloaded"), attempt("second"), attempt("third", fault="outrun")],
        "failed": [attempt("first", fault="timeout"), attempt("second", fault="reset"), attempt("x", "other")],
        "elsewhere": [attempt("x", "other")],
        "none": [],
    }  # fmt: skip
    for name, attempts in asked.items():
        write(organization, model=f"vendor/{name}", attempts=attempts, created_at=NOON)

    assert {name: use.requests for name, use in used().items()} == {
        "second": 2, "vendor/elsewhere": 1, "vendor/none": 1,
    }  # fmt: skip


def test_requests_are_uncertain_when_the_provider_told_no_usage_or_there_is_no_price(organization):
    price_id = price_of("a")
    write(
        organization,
        {"price_id": price_id, "input_tokens": 5},
        {"price_id": price_id, "input_tokens": 5, "usage_source": "counted"},
        {"price_id": price_id, "outcome": "interrupted", "usage_source": "none"},
        {"price_id": None, "input_tokens": 5},
        {"price_id": 10**12, "input_tokens": 5},
        attempts=[attempt("a")], created_at=NOON,
    )  # fmt: skip

    use = used()["a"]

    assert (use.requests, use.uncertain, use.usage.input) == (5, 4, 20)
    assert use.cost == 10 * 1000


def test_cost_is_what_each_request_costs_when_prices_have_tiers(organization):
    """Against the one function that rates requests, one after another."""
    tier = dict.fromkeys(
        ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h", "reasoning",
         "audio_input", "audio_output"), 0,
    )  # fmt: skip
    tiers = [
        tier | {"above": 200, "input": 3 * MILLION, "output": 5 * MILLION, "cache_read": MILLION},
        tier | {"above": 400, "input": 7 * MILLION, "output": 11 * MILLION, "cache_read": 2 * MILLION},
    ]  # fmt: skip
    prices = [
        price_of("plain"),
        price_of("long", tiers=tiers, input=MILLION, request=13, images=17, searches=19),
    ]
    chance = random.Random(7)
    rows = []
    for number, price_id in itertools.product(range(60), prices):
        buckets = {column: chance.choice((0, 1, 90, 199)) for column in USAGE_COLUMNS.values()}
        empty = dict.fromkeys(USAGE_COLUMNS.values(), 0)
        rows.append({"price_id": price_id, **(buckets if number % 5 else empty)})
    write(organization, *rows, attempts=[attempt("both")], created_at=NOON)

    history = read_history(set(prices))
    expected = 0
    for row in rows:
        usage = Usage(**{name: row[column] for name, column in USAGE_COLUMNS.items()})
        rates = marked_up(history.rows[row["price_id"]], markup_ppm=0)
        expected += rating.cost(usage, rates).total if usage != Usage() else 0

    use = used()["both"]
    assert use.requests == 120
    # All prices here are whole nano-dollars a token, so that nothing is rounded.
    assert use.cost == expected


def test_number_of_queries_is_the_same_whatever_is_asked(
    organization, django_assert_max_num_queries
):
    price_id = price_of("a")
    write(organization, *[{"input_tokens": 1}] * 300, price_id=price_id, created_at=NOON)

    with django_assert_max_num_queries(6):
        read_provider_use("acme", DAY)
