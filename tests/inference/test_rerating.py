"""Re-rating: a bill is mended once, to what the tables say, and the books stay sound."""

import csv
import datetime
import io
import itertools

import pytest
from django.core.management import CommandError, call_command
from django.core.management import base as management
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from apps.billing.models import JournalEntry
from apps.billing.services import ledger, rating
from apps.billing.services.verification import verify
from apps.catalog.history import read_history
from apps.catalog.models import Price, PriceSource, PriceTerms
from apps.catalog.services import offers, providers
from apps.common import clock
from apps.common.usage import Usage
from apps.inference.models import RequestRecord
from apps.inference.rerating import Period, Verdict, rerate
from tests.billing.books import lines_of, open_books

pytestmark = pytest.mark.django_db
HOUR = datetime.timedelta(hours=1)
USD = 10**9
_numbers = itertools.count(1)


@pytest.fixture
def offering(db):
    """$1 and $2, for three hours."""
    found = providers.add_provider(
        "rerated", model="rerated/large", amounts=offers.Amounts.of(input=9, output=9),
        base_url="https://rerated.test/v1", wire="openai_chat",
    )  # fmt: skip
    post(found, USD, since=3 * HOUR)
    return found


def post(offering, input_nano, *, since, tiers=()):
    amounts = offers.Amounts.of(input=input_nano, output=2 * input_nano).with_tiers(tiers)
    return offers.post_price(
        offering, amounts, source=PriceSource.STAFF, valid_from=clock.now() - since
    )


def serve(offering, books, usage, *, ago=HOUR, **named):
    """A request as it is settled and recorded: by what the tables say at that moment."""
    at = clock.now() - ago
    first = Price.objects.filter(offering=offering).latest("valid_from")
    history = read_history({first.pk})
    price_id = history.in_force(first.pk, at)
    assert price_id is not None
    rates = history.rates(
        price_id, markup_ppm=named.get("markup_ppm", 0), terms_bp=named.get("terms_bp", 0)
    )
    cost = rating.cost(usage, rates).total
    request_id = f"gen_rerated{next(_numbers)}"
    settlement = books.costs(cost, request_id=request_id)
    (charged,) = ledger.settle([settlement])
    return RequestRecord.objects.create(
        id=request_id, organization_id=books.organization_id, created_at=at, surface="openai_chat", streamed=False,
        requested_model="x", model="rerated/large", provider="rerated", price_id=price_id, outcome="completed", status=200,
        usage_source="provider", latency_ms=20, input_tokens=usage.input, output_tokens=usage.output,
        cache_read_tokens=usage.cache_read, cost=cost, charged=charged,
        **({"markup_ppm": 0, "terms_bp": 0, "share_bp": 10_000} | named),
    )  # fmt: skip


def run(**options):
    now = clock.now()
    period = Period(since=now - 2 * HOUR, until=now, provider="rerated")
    return list(rerate(period, **options))


MILLION = Usage(input=1_000_000)


def test_nothing_is_written_when_the_price_was_right(offering, books):
    serve(offering, books, MILLION)
    before = JournalEntry.objects.count()

    assert [found.verdict for found in run(may_charge=True)] == [Verdict.UNCHANGED]
    assert JournalEntry.objects.count() == before


@pytest.fixture
def books(db):
    return open_books(promo=USD // 2, purchased=9 * USD)


def test_what_was_too_much_goes_back_to_the_buckets_that_paid_it(offering, books):
    record = serve(offering, books, Usage(input=2_000_000))
    assert books.buckets == (0, 0, 7_500_000_000)
    lower = post(offering, USD // 10, since=2 * HOUR)

    (found,) = run()

    assert (found.verdict, found.cost_before, found.cost_now) == (
        Verdict.REFUNDED,
        2 * USD,
        USD // 5,
    )
    assert books.buckets == (0, 300_000_000, 9 * USD)
    entry = JournalEntry.objects.get(reference=f"rerate:1:{record.id}")
    assert (entry.kind, entry.price_id) == ("adjustment", lower.pk)
    assert verify(books.organization_id).is_sound
    assert lines_of(record.id)["revenue"] == 2 * USD


def test_what_was_written_off_is_forgiven_before_anything_is_given_back(offering):
    books = open_books(purchased=USD)
    record = serve(offering, books, Usage(input=3_000_000))
    assert (record.cost, record.charged) == (3 * USD, USD)
    post(offering, USD // 2, since=2 * HOUR)

    (found,) = run()

    assert (found.cost_now, found.adjustment.refunded) == (3 * USD // 2, 0)
    assert found.adjustment.written_off == -3 * USD // 2
    assert books.buckets == (0, 0, 0)
    assert verify(books.organization_id).is_sound


def test_what_was_too_little_is_left_unless_it_may_be_charged(offering, books):
    serve(offering, books, MILLION)
    post(offering, 3 * USD, since=2 * HOUR)
    before = books.buckets

    assert [found.verdict for found in run()] == [Verdict.NOT_CHARGED]
    assert books.buckets == before
    (found,) = run(may_charge=True)
    assert (found.verdict, found.adjustment.charged) == (Verdict.CHARGED, 2 * USD)
    assert books.balance.total == 9_500_000_000 - 3 * USD


def test_extra_charge_stops_at_the_credit_that_no_request_holds(offering):
    books = open_books(purchased=2 * USD)
    serve(offering, books, MILLION)
    books.hold(USD // 2)
    post(offering, 3 * USD, since=2 * HOUR)

    (found,) = run(may_charge=True)

    assert (found.adjustment.charged, found.adjustment.written_off) == (USD // 2, 3 * USD // 2)
    assert (books.balance.purchased, books.balance.available) == (USD // 2, 0)
    assert verify(books.organization_id).is_sound
    assert run(may_charge=True)[0].verdict is Verdict.UNCHANGED


def test_bill_is_mended_again_when_the_price_is_said_to_have_been_a_third_one(offering, books):
    record = serve(offering, books, MILLION)
    for price, total in ((USD // 2, USD // 2), (USD // 4, USD // 4), (USD, USD)):
        post(offering, price, since=2 * HOUR - next(_numbers) * datetime.timedelta(seconds=1))
        run(may_charge=True)
        assert books.balance.total == 9_500_000_000 - total
    references = JournalEntry.objects.filter(reference__endswith=f":{record.id}")
    assert sorted(references.values_list("reference", flat=True)) == [
        *(f"rerate:{n}:{record.id}" for n in (1, 2, 3)), f"settle:{record.id}",
    ]  # fmt: skip
    assert verify(books.organization_id).is_sound


def test_terms_of_then_and_the_recorded_mark_up_are_part_of_the_bill(offering, books):
    serve(offering, books, MILLION, markup_ppm=100_000)
    PriceTerms.objects.create(
        organization_id=books.organization_id,
        basis_points=-2_000,
        valid_from=clock.now() - 2 * HOUR,
    )

    (found,) = run()

    assert (found.cost_before, found.cost_now, found.terms_now) == (
        1_100_000_000,
        880_000_000,
        -2_000,
    )


def test_tiers_that_were_missing_are_charged(offering, books):
    serve(offering, books, Usage(input=300_000, output=10))
    tier = offers.TierAmounts.of(above=200_000, input=2 * USD, output=3 * USD)
    post(offering, USD, since=2 * HOUR, tiers=[tier])

    (found,) = run(may_charge=True)

    assert found.cost_now == 300_000 * 2_000 + 10 * 3_000


def test_bill_that_its_record_does_not_prove_is_left_alone(offering, books):
    record = serve(offering, books, MILLION)
    RequestRecord.objects.filter(pk=record.pk).update(cost=record.cost + 1)
    post(offering, USD // 2, since=2 * HOUR)

    assert [found.verdict for found in run(may_charge=True)] == [Verdict.NOT_PROVABLE]
    assert books.balance.total == 8_500_000_000


def test_record_from_before_it_named_its_rates_is_proven_by_its_cost(offering, books):
    record = serve(offering, books, MILLION)
    RequestRecord.objects.filter(pk=record.pk).update(markup_ppm=None, terms_bp=None, share_bp=None)
    post(offering, USD // 2, since=2 * HOUR)

    assert [found.verdict for found in run()] == [Verdict.REFUNDED]


PRICES = st.integers(0, 5 * USD)
SERVED = st.lists(
    st.builds(Usage, input=st.integers(0, 900_000), cache_read=st.integers(0, 900_000), output=st.integers(0, 9_000)),
    min_size=1, max_size=3,
)  # fmt: skip


@hypothesis_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    usages=SERVED,
    price=PRICES,
    credit=st.integers(0, 4 * USD),
    may_charge=st.booleans(),
    twice_dry=st.booleans(),
)
def test_rerating_twice_is_rerating_once_and_the_books_are_sound(
    offering, usages, price, credit, may_charge, twice_dry
):
    books = open_books(promo=credit // 3, purchased=credit - credit // 3)
    records = [serve(offering, books, usage) for usage in usages]
    post(offering, price, since=2 * HOUR - next(_numbers) * datetime.timedelta(milliseconds=1))

    def mine(**options):
        now = clock.now()
        period = Period(since=now - 2 * HOUR, until=now, organization_id=books.organization_id)
        return list(rerate(period, may_charge=may_charge, **options))

    if twice_dry:
        mine(dry_run=True)
        assert not JournalEntry.objects.filter(reference__in=[f"rerate:1:{r.id}" for r in records])
    once = mine()
    after = books.buckets, JournalEntry.objects.count()
    again = mine()

    assert (books.buckets, JournalEntry.objects.count()) == after
    assert not any(found.adjustment.difference for found in again)
    assert all(part >= 0 for part in books.buckets)
    assert verify(books.organization_id).is_sound
    mended = sum(f.adjustment.charged - f.adjustment.refunded for f in once)
    assert books.balance.total == credit - sum(r.charged for r in records) - mended


def command(*arguments):
    out, told = io.StringIO(), io.StringIO()
    call_command("rerate", *arguments, stdout=out, stderr=management.OutputWrapper(told))
    return list(csv.DictReader(io.StringIO(out.getvalue()))), told.getvalue()


def period_of(now):
    return ["--from", (now - 2 * HOUR).isoformat(), "--to", now.isoformat()]


def test_command_reports_each_bill_that_is_not_right_as_csv(offering, books):
    right, wrong = serve(offering, books, Usage()), serve(offering, books, MILLION)
    post(offering, USD // 2, since=2 * HOUR)
    chosen = [
        *period_of(clock.now()),
        "--organization",
        str(books.organization_id),
        "--provider",
        "rerated",
    ]

    dry, would = command(*chosen, "--dry-run", "--model", "rerated/large")
    done, told = command(*chosen)

    assert right.cost == 0
    assert dry == done
    (line,) = done
    assert (line["request"], line["verdict"], line["refunded_nano_usd"]) == (
        wrong.id,
        "refunded",
        str(USD // 2),
    )
    assert "Would be 1 unchanged, 1 refunded" in would
    assert "$0.50 given back" in told
    assert command(*chosen)[0] == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--from", "yesterday", "--to", "2026-11-02"], "--from must be a day or a moment"),
        (["--from", "2026-11-01", "--to", "2026-13-01"], "--to must be a day or a moment"),
        (["--from", "2026-11-02", "--to", "2026-11-02"], "--to must be later than --from"),
        (["--from", "2026-11-02", "--to", "2999-01-01"], "--to lies in the future"),
        (["--from", "2026-11-01", "--to", "2026-11-02", "--provider", "nobody"], "--provider: no request"),
        (["--from", "2026-11-01", "--to", "2026-11-02", "--model", "nobody"], "--model: no request"),
        (["--from", "2026-11-01", "--to", "2026-11-02", "--organization", "0"], "--organization: there is no"),
        (["--from", "2026-11-01"], "--to"),
    ],
    ids=["from", "to", "empty", "future", "provider", "model", "organization", "missing"],
)  # fmt: skip
def test_command_names_the_option_that_is_wrong(arguments, message):
    with pytest.raises(CommandError, match=message):
        command(*arguments)
