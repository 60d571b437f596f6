"""The seed: what a start without a network offers, and what taking it in leaves alone."""

import json
from collections import Counter

import pytest

from apps.catalog.models import (
    AMOUNTS,
    Model,
    Offering,
    Price,
    PriceProposal,
    PriceSource,
    Provider,
)
from apps.catalog.providers.canonical import canonicalize, same_model_key
from apps.catalog.providers.registry import PROVIDERS
from apps.catalog.selectors import load_catalog
from apps.catalog.services import offers, pricing, refresh, seed
from apps.catalog.snapshots import MODALITIES
from tests.catalog.finding import find

LINES = list(seed.read_seed())
MAKES = {word for words in MODALITIES.values() for word in words}


@pytest.fixture
def every_provider(db, settings):
    """A row for each provider of the registry and of the seed, all with a key."""
    settings.PROVIDER_SECRET = lambda name: "key"
    refresh.sync_registry()
    for slug in sorted({line.provider for line in LINES} - set(PROVIDERS)):
        Provider.objects.create(
            slug=slug, name=slug, wire="openai_chat", base_url=f"https://{slug}.test/v1"
        )


def test_start_offers_thousands_when_every_key_is_set(every_provider):
    pricing.import_price_book()
    seed.import_seed()

    listed = load_catalog().listed()
    offerings = [offering for model in listed for offering in model.offerings]
    hosts = Counter(offering.provider.slug for offering in offerings)
    several = [m for m in listed if len({o.provider.slug for o in m.offerings}) > 1]
    assert len(offerings) >= 2_000
    assert len(listed) >= 1_000
    assert len(hosts) >= 40
    assert len(several) >= 300
    assert {word for model in listed for word in model.output_modalities} == MAKES
    # What is far from the other hosts waits for staff: a handful, each a real disagreement of published prices.
    assert PriceProposal.objects.count() < 10


def test_seed_is_idempotent_when_taken_in_twice(every_provider):
    pricing.import_price_book()
    first = seed.import_seed()
    # A price that only one in quarantine had contradicted is believed the next time; then all is at rest.
    assert pricing.import_price_book().added + seed.import_seed().added < 5
    book = pricing.import_price_book()
    second = seed.import_seed()

    assert first.added > 1_500
    assert (book.added, second.added, second.models, second.offerings) == (0, 0, 0, 0)


def test_one_model_has_many_hosts_when_the_seed_is_taken_in(every_provider):
    seed.import_seed()

    model = find("meta-llama/llama-3.3-70b-instruct")
    assert len({offering.provider.slug for offering in model.offerings}) >= 8
    assert find("openai/gpt-oss-120b").context_length


@pytest.mark.django_db
def test_providers_without_a_row_are_passed_over_when_the_seed_is_taken_in():
    assert seed.import_seed().added == 0
    assert not Model.objects.exists()


def test_price_of_a_higher_rank_stays_when_the_seed_differs(every_provider):
    seed.import_seed()
    offering = Offering.objects.filter(provider="novita").first()
    assert offering is not None
    former = Price.objects.get(offering=offering)
    offers.post_price(
        offering,
        offers.Amounts.of(input=former.input + 1, output=former.output + 1),
        source=PriceSource.PROVIDER,
    )

    summary = seed.import_seed()
    assert (summary.added, summary.overridden) == (0, 1)


@pytest.mark.parametrize("line", LINES[::25], ids=lambda line: f"{line.provider} {line.upstream}")
def test_line_is_whole_when_read(line):
    assert same_model_key(line.id) == same_model_key(canonicalize(line.provider, line.upstream).id)
    assert set(line.outputs) <= MAKES
    assert set(line.prices) <= set(AMOUNTS)
    assert line.prices
    assert all(amount >= 0 for amount in line.prices.values())


def test_file_is_sorted_and_names_no_place_twice_when_read():
    places = [(line.provider, line.upstream) for line in LINES]

    assert places == sorted(places)
    assert len(set(places)) == len(places)
    with seed.MODELS.open() as file:
        assert all(len(json.loads(line)) >= 4 for line in file)
