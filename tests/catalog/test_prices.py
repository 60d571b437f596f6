"""Price rows: append-only, never negative, and in force from their moment on."""

import datetime

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from apps.catalog.models import Price, PriceSource
from apps.catalog.selectors import prices_in_force
from apps.catalog.services import offers
from apps.common import clock
from tests.catalog.finding import find

pytestmark = pytest.mark.django_db
HOUR = datetime.timedelta(hours=1)


def test_database_refuses_when_a_price_is_changed_or_deleted(add_model):
    add_model("acme/large")

    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        Price.objects.update(input=0)
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        Price.objects.all()._raw_delete("default")


def test_database_refuses_when_a_price_is_negative(add_model):
    offering = add_model("acme/large")
    amounts = offers.Amounts.of(input=1, output=1, cache_read=-1)

    with (
        pytest.raises(IntegrityError, match="catalog_price_cache_read_not_negative"),
        transaction.atomic(),
    ):
        offers.post_price(offering, amounts, source=PriceSource.STAFF)


def test_amounts_fall_back_when_only_input_and_output_are_known():
    amounts = offers.Amounts.of(input=3, output=5)

    assert (amounts.cache_read, amounts.cache_write_5m, amounts.cache_write_1h) == (3, 3, 3)
    assert (amounts.reasoning, amounts.request) == (5, 0)


def test_post_price_adds_nothing_when_the_numbers_are_in_force(add_model):
    offering = add_model("acme/large")
    current = offers.Amounts.from_price(Price.objects.get())

    assert offers.post_price(offering, current, source=PriceSource.STAFF) is None
    assert Price.objects.count() == 1


def test_latest_price_is_in_force_when_there_are_several(add_model):
    offering = add_model("acme/large")
    now = clock.now()
    for hours, amount in ((-2, 20), (-1, 10), (1, 30)):
        offers.post_price(
            offering,
            offers.Amounts.of(input=amount, output=amount),
            source=PriceSource.STAFF,
            valid_from=now + hours * HOUR,
        )

    assert [price.input for price in prices_in_force(now - HOUR)] == [10]
    assert [price.input for price in prices_in_force(now)] == [1_000_000_000]
    assert [price.input for price in prices_in_force(now + HOUR)] == [30]


def test_snapshot_takes_a_price_over_when_its_moment_comes(add_model, live, monkeypatch):
    offering = add_model("acme/large")
    later = clock.now() + HOUR
    amounts = offers.Amounts.of(input=7, output=7)
    price = offers.post_price(offering, amounts, source=PriceSource.STAFF, valid_from=later)
    before = live.get()
    monkeypatch.setattr(clock, "now", lambda: later)
    live.check()

    after = find("acme/large", live.get()).offerings[0].rates
    assert find("acme/large", before).offerings[0].rates.input == 1_000_000_000
    assert (after.input, after.price_id) == (7, price and price.pk)


def test_markup_is_added_and_rounded_half_up_when_the_provider_has_one(add_model):
    provider = add_model("acme/large", input_usd="0.000000005").provider
    provider.markup_ppm = 100_000
    provider.save()

    rates = find("acme/large").offerings[0].rates
    assert rates.input == 6
    assert rates.output == 2_200_000_000
