"""The price book: how its entries become models, offerings and prices."""

import datetime
from decimal import Decimal
from typing import Any

import pytest
import structlog
from genai_prices import data_snapshot
from genai_prices.types import (
    ClauseEquals,
    ClauseOr,
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    Provider,
    StartDateConstraint,
    Tier,
    TieredPrices,
    TimeOfDateConstraint,
)

from apps.catalog.models import Model, ModelAlias, Offering, Price, PriceSource
from apps.catalog.selectors import load_catalog
from apps.catalog.services import offers, pricing, refresh, sandbox, seed
from apps.catalog.tasks import refresh_prices
from tests.catalog.finding import find

pytestmark = pytest.mark.django_db


def entry(model_id, *, prices=None, also=(), **facts):
    names: list[Any] = [ClauseEquals(equals=known) for known in (model_id, *also)]
    prices = prices or ModelPrice(input_mtok=Decimal("2.5"), output_mtok=Decimal(10))
    return ModelInfo(id=model_id, match=ClauseOr(or_=names), prices=prices, **facts)


def price(input_usd, output_usd, **others):
    amounts = {"input_mtok": input_usd, "output_mtok": output_usd, **others}
    return ModelPrice(**{name: Decimal(amount) for name, amount in amounts.items()})


@pytest.fixture
def no_seed(monkeypatch):
    monkeypatch.setattr(seed, "read_seed", lambda: iter(()))


@pytest.fixture
def book(no_seed):
    """Replaces the packaged book and is alone: ``book(openai=[entry(…)])``."""
    refresh.sync_registry()

    def publish(**providers):
        data_snapshot.set_custom_snapshot(
            data_snapshot.DataSnapshot(
                providers=[
                    Provider(id=slug, name=slug, api_pattern="", models=models)
                    for slug, models in providers.items()
                ],
                from_auto_update=False,
            )
        )

    yield publish
    data_snapshot.set_custom_snapshot(None)


def test_import_changes_nothing_when_the_packaged_book_is_read_twice(db, no_seed):
    refresh.sync_registry()
    first = pricing.import_prices()
    second = pricing.import_prices()

    assert first.added > 300
    assert len(first.quarantined) < 10
    assert (second.added, second.models) == (0, 0)
    assert second.quarantined == first.quarantined
    assert Price.objects.count() == first.added


def test_packaged_book_offers_what_people_ask_for_when_imported(db, settings, no_seed):
    settings.PROVIDER_SECRET = lambda name: "key"
    refresh.sync_registry()
    pricing.import_prices()

    snapshot = load_catalog()
    gpt, claude = find("gpt-4o", snapshot), find("anthropic/claude-haiku-4.5", snapshot)
    assert gpt.id == "openai/gpt-4o"
    assert [offering.provider.slug for offering in gpt.offerings] == ["openai", "openrouter"]
    assert gpt.offerings[0].rates.input == 2_500_000_000
    assert claude.id == "anthropic/claude-haiku-4-5"
    names = {host.provider.slug: host.upstream_model for host in claude.offerings}
    assert names["anthropic"] == "claude-haiku-4-5"
    assert names["openrouter"] == "anthropic/claude-haiku-4.5"
    assert claude.offerings[0].rates.cache_write_1h == 2 * claude.offerings[0].rates.input


def test_amounts_are_exact_when_the_book_has_many_digits(book):
    book(openai=[entry("m", prices=price("0.010000001", "0.1", cache_read_mtok="0.0375"))])
    pricing.import_prices()

    row = Price.objects.get()
    assert (row.input, row.output, row.cache_read) == (10_000_001, 100_000_000, 37_500_000)
    assert (row.cache_write_5m, row.reasoning) == (10_000_001, 100_000_000)
    assert row.source == PriceSource.GENAI_PRICES


def test_price_is_added_when_the_book_changes(book):
    book(openai=[entry("m")])
    pricing.import_prices()
    book(openai=[entry("m", prices=price("2", "8"))])

    assert pricing.import_prices().added == 1
    assert [row.input for row in Price.objects.order_by("valid_from")] == [
        2_500_000_000,
        2_000_000_000,
    ]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (price("0", "10"), "zero where it was not (input: $2.50 before, $0.00 now)"),
        (price("2.5", "0"), "zero where it was not (output: $10.00 before, $0.00 now)"),
        (price("3.13", "10"), "more than 25 % different (input: $2.50 before, $3.13 now)"),
        (price("1.87", "10"), "more than 25 % different (input: $2.50 before, $1.87 now)"),
    ],
)
def test_price_is_quarantined_when_the_change_looks_like_a_mistake(book, changed, reason):
    book(openai=[entry("m")])
    pricing.import_prices()
    book(openai=[entry("m", prices=changed)])

    with structlog.testing.capture_logs() as events:
        summary = pricing.import_prices()

    assert summary.added == 0
    assert [(found.model, found.reason) for found in summary.quarantined] == [("openai/m", reason)]
    assert Price.objects.count() == 1
    assert events == [
        {
            "event": "catalog.price_quarantined",
            "log_level": "warning",
            "provider": "openai",
            "model": "openai/m",
            "reason": reason,
        }
    ]


@pytest.mark.parametrize("changed", [price("3.125", "12.5"), price("1.875", "7.5")])
def test_price_is_taken_when_it_changes_by_a_quarter_and_no_more(book, changed):
    book(openai=[entry("m")])
    pricing.import_prices()
    book(openai=[entry("m", prices=changed)])

    assert pricing.import_prices().added == 1


def test_manual_price_stays_when_the_book_differs(book):
    book(openai=[entry("m")])
    pricing.import_prices()
    offers.post_price(
        Offering.objects.get(), offers.Amounts.of(input=1, output=1), source=PriceSource.STAFF
    )

    summary = pricing.import_prices()
    assert (summary.added, summary.overridden) == (0, 1)


def tiered(base, above, more):
    return TieredPrices(base=Decimal(base), tiers=[Tier(start=above, price=Decimal(more))])


def test_tiers_are_taken_when_a_price_has_them(book):
    prices = ModelPrice(input_mtok=tiered(1, 200_000, 2), output_mtok=Decimal(5))
    book(openai=[entry("m", prices=prices)])
    pricing.import_prices()
    second = pricing.import_prices()

    row = Price.objects.get()
    (tier,) = row.tiers
    assert (row.input, row.output, second.added) == (1_000_000_000, 5_000_000_000, 0)
    assert (tier["above"], tier["input"], tier["cache_read"], tier["output"]) == (
        200_000,
        2_000_000_000,
        2_000_000_000,
        5_000_000_000,
    )
    assert row.words == "$1.00 in, $5.00 out; above 200,000 input tokens $2.00 in, $5.00 out"


def test_tiers_of_different_buckets_become_one_ladder_when_they_begin_elsewhere(book):
    prices = ModelPrice(input_mtok=tiered(1, 100, 2), output_mtok=tiered(5, 200, 6))
    book(openai=[entry("m", prices=prices)])
    pricing.import_prices()

    assert [(t["above"], t["input"], t["output"]) for t in Price.objects.get().tiers] == [
        (100, 2_000_000_000, 5_000_000_000),
        (200, 2_000_000_000, 6_000_000_000),
    ]


def test_tiers_are_added_when_the_base_is_what_it_was(book):
    book(openai=[entry("m", prices=price("1", "5"))])
    pricing.import_prices()
    book(
        openai=[entry("m", prices=ModelPrice(input_mtok=tiered(1, 200, 2), output_mtok=Decimal(5)))]
    )

    assert pricing.import_prices().added == 1
    assert [bool(row.tiers) for row in Price.objects.order_by("valid_from")] == [False, True]


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        (price("1", "5"), "zero where it was not (input above 200: $2.00 before, $0.00 now)"),
        (
            ModelPrice(input_mtok=tiered(1, 200, 3), output_mtok=Decimal(5)),
            "more than 25 % different (input above 200: $2.00 before, $3.00 now)",
        ),
        (
            ModelPrice(input_mtok=tiered(1, 200, 11), output_mtok=Decimal(5)),
            "a tier more than 10 times off its base (input: $11.00)",
        ),
    ],
    ids=["gone", "dearer", "far off its base"],
)
def test_tiers_wait_for_staff_when_they_look_like_a_mistake(book, changed, reason):
    book(
        openai=[entry("m", prices=ModelPrice(input_mtok=tiered(1, 200, 2), output_mtok=Decimal(5)))]
    )
    pricing.import_prices()
    book(openai=[entry("m", prices=changed)])

    summary = pricing.import_prices()
    assert (summary.added, [found.reason for found in summary.quarantined]) == (0, [reason])


def test_price_in_force_is_taken_when_prices_have_dates(book):
    def since(day, amount):
        return ConditionalPrice(StartDateConstraint(start_date=day), prices=price(amount, "10"))

    dated = [
        ConditionalPrice(prices=price("9", "10")),
        since(datetime.date(2020, 1, 1), "7"),
        since(datetime.date(2999, 1, 1), "1"),
    ]
    book(openai=[entry("m", prices=dated)])
    pricing.import_prices()

    assert Price.objects.get().input == 7_000_000_000


@pytest.mark.parametrize(
    ("skipped", "reason"),
    [
        (
            entry("m", prices=ModelPrice(input_mtok=Decimal(1))),
            "no price for both input and output tokens",
        ),
        (
            entry("m", prices=price("1", "2", input_audio_mtok="3")),
            "also priced by input_audio_mtok",
        ),
        (entry("m", deprecated=True), "deprecated"),
        (entry("m-realtime"), "the provider's row skips it"),
        (
            entry(
                "m",
                prices=[
                    ConditionalPrice(prices=price("1", "2")),
                    ConditionalPrice(
                        TimeOfDateConstraint(
                            start_time=datetime.time(1), end_time=datetime.time(2)
                        ),
                        prices=price("1", "1"),
                    ),
                ],
            ),
            "priced by the time of day",
        ),
    ],
)
def test_entry_is_skipped_when_it_cannot_be_billed_right(book, skipped, reason):
    book(openai=[skipped])

    summary = pricing.import_prices()
    assert [found.reason for found in summary.skipped] == [reason]
    assert not Model.objects.exists()


def test_public_id_names_the_vendor_when_the_upstream_name_does_not(book):
    book(
        openai=[entry("gpt-x")],
        groq=[entry("llama-x"), entry("qwen/qwen-x")],
        openrouter=[entry("openai/gpt-x"), entry("bare-x")],
        together=[entry("Qwen/Qwen-X")],
    )
    summary = pricing.import_prices()

    assert set(Model.objects.values_list("id", flat=True)) == {
        "openai/gpt-x",
        "meta-llama/llama-x",
        "qwen/qwen-x",
    }
    assert set(Offering.objects.values_list("provider", "upstream_model", "model")) == {
        ("openai", "gpt-x", "openai/gpt-x"),
        ("openrouter", "openai/gpt-x", "openai/gpt-x"),
        ("groq", "llama-x", "meta-llama/llama-x"),
        ("groq", "qwen/qwen-x", "qwen/qwen-x"),
        ("together", "Qwen/Qwen-X", "qwen/qwen-x"),
    }
    assert [found.model for found in summary.skipped] == ["bare-x"]


def test_other_spelling_becomes_an_alias_when_hosts_disagree(book):
    book(
        anthropic=[entry("claude-x-4-5")],
        openrouter=[entry("anthropic/claude-x-4.5", context_window=9)],
    )
    pricing.import_prices()
    pricing.import_prices()

    assert ModelAlias.objects.values_list("alias", "model_id").get() == (
        "anthropic/claude-x-4.5",
        "anthropic/claude-x-4-5",
    )
    assert Model.objects.get().context_length == 9
    assert Offering.objects.count() == 2


def test_dated_release_is_offered_too_when_a_vendor_prices_it_alike(book):
    book(openai=[entry("m", also=["m-2024-11-20", "m-latest", "azure-m"])])
    pricing.import_prices()

    assert set(Offering.objects.values_list("upstream_model", flat=True)) == {"m", "m-2024-11-20"}


def test_operators_choices_stay_when_the_book_is_imported_again(book):
    book(openai=[entry("m", name="M", description="Good.")])
    pricing.import_prices()
    Model.objects.update(name="Mine", is_active=False)
    Offering.objects.update(priority=9, is_active=False)
    pricing.import_prices()

    assert Model.objects.values_list("name", "is_active").get() == ("Mine", False)
    assert Offering.objects.values_list("priority", "is_active").get() == (9, False)


def test_task_imports_when_it_runs(book):
    book(openai=[entry("m")])
    refresh_prices()

    assert Price.objects.count() == 1


def test_bootstrap_brings_an_empty_database_to_life_when_run_twice(db, settings):
    settings.SANDBOX_ENABLED, settings.SANDBOX_URL = True, "http://127.0.0.1:9"
    first, _, second = refresh.bootstrap(), refresh.bootstrap(), refresh.bootstrap()

    assert first.sandbox_models == second.sandbox_models == len(sandbox.MODELS)
    assert second.prices.added == 0
    assert find("sandbox/echo").offerings
