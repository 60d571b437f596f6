"""The seed: what a start without a network offers, and what taking it in leaves alone."""

import datetime
import json
import re
from collections import Counter, defaultdict

import pytest
from django.db.models import F

from apps.catalog.models import (
    AMOUNTS,
    Model,
    ModelAlias,
    Offering,
    Price,
    PriceProposal,
    PriceSource,
)
from apps.catalog.providers.canonical import canonicalize, is_guest, same_model_key
from apps.catalog.providers.plausible import beyond_bounds
from apps.catalog.providers.registry import PROVIDERS
from apps.catalog.providers.spec import Operation, Wire
from apps.catalog.selectors import load_catalog
from apps.catalog.services import aliases, offers, pricing, refresh, seed
from apps.catalog.snapshots import MODALITIES
from apps.common import clock
from tests.catalog.finding import find

LINES = list(seed.read_seed())
MAKES = {word for words in MODALITIES.values() for word in words}


FRESH_MODELS, FRESH_OFFERS, FRESH_PROVIDERS = 1_600, 5_000, 80
"""What the documents say of a fresh start, each with "more than"."""


def test_documents_say_no_number_of_models_that_is_not_checked_here(settings):
    """Exact ones are wrong with the next seed."""
    numbers = (f"{FRESH_MODELS:,}", f"{FRESH_OFFERS:,}", str(FRESH_PROVIDERS))
    pages = (
        "docs/protocols.md",
        "docs/catalogue.md",
        "CHANGELOG.md",
        "apps/catalog/seeds/README.md",
    )
    for page in pages:
        text = (settings.BASE_DIR / page).read_text()
        counted = re.findall(
            r"(more than )?(\d[\d,]*) (?:(?:priced )?offer(?:ing)?s|models at|rows of `GET|providers, )",
            text,
        )
        assert [number for words, number in counted if not words or number not in numbers] == [], (
            page
        )


@pytest.fixture
def every_provider(db, settings):
    """The rows of the registry, all with a key."""
    settings.PROVIDER_SECRET = lambda name: "key"
    refresh.sync_registry()


def test_start_offers_thousands_when_every_key_is_set(every_provider):
    summary = pricing.import_prices()

    listed = load_catalog().listed()
    offerings = [offering for model in listed for offering in model.offerings]
    hosts = Counter(offering.provider.slug for offering in offerings)
    several = [m for m in listed if len({o.provider.slug for o in m.offerings}) > 1]
    assert len(offerings) >= 5_500
    assert len(listed) >= 1_600
    assert len(hosts) >= 80
    assert len(several) >= 600
    assert aliases.import_aliases() >= 120
    assert {word for model in listed for word in model.output_modalities} == MAKES
    # What is far from the other hosts waits for staff: each a real disagreement of published prices.
    assert PriceProposal.objects.count() == len(summary.quarantined) < 10


def test_fresh_start_lists_what_could_be_asked_for_when_no_key_is_set(db, live, client):
    refresh.sync_registry()
    pricing.import_prices()

    now = client.get("/v1/models?limit=1000").json()
    page = client.get("/v1/models?availability=all&limit=1000").json()
    rest = client.get(f"/v1/models?availability=all&after={page['data'][-1]['id']}").json()
    cards = [*page["data"], *rest["data"]]
    offered = [(card["id"], provider) for card in cards for provider in card["providers"]]

    # Nothing that would be refused; other tests may have left the sandbox there.
    assert all(card["id"].startswith(("sandbox/", "acme/")) for card in now["data"])
    assert len(cards) == page["total"] > FRESH_MODELS
    assert len(offered) > FRESH_OFFERS
    assert len({provider for _, provider in offered}) > FRESH_PROVIDERS
    assert all(card["pricing"]["prompt"] for card in cards)
    offers = client.get("/v1/models/offerings?availability=all").json()
    assert offers["total"] == len(offers["data"]) > FRESH_OFFERS
    assert {(offer["model_id"], offer["provider"]) for offer in offers["data"]} == set(offered)


def test_nobody_but_its_maker_is_the_vendor_of_a_model_when_taken_in(every_provider):
    pricing.import_prices()

    ids = set(Offering.objects.values_list("model_id", flat=True))
    vendors = defaultdict(set)
    for model_id in ids:
        vendor, _, name = model_id.partition("/")
        vendors[same_model_key(name)].add(vendor)
    several = {name: found for name, found in vendors.items() if len(found) > 1}
    assert {model_id for model_id in ids if is_guest(model_id)} == set()
    # Pearl's is quantised in a way of its own and priced apart: other weights.
    assert several == {"gemma-4-31b-it": {"google", "pearl-ai"}}


def test_what_no_endpoint_serves_is_left_out_when_built():
    """Else it would be listed, and every request for it refused."""
    unserved = [
        (line.provider, line.upstream)
        for line in LINES
        if not any(
            endpoint.serves(line.upstream)
            for operation, endpoints in PROVIDERS[line.provider].endpoints.items()
            if not MODALITIES[operation].isdisjoint(line.outputs)
            for endpoint in endpoints
        )
    ]
    assert unserved == []


def test_nothing_changes_when_taken_in_twice(every_provider):
    first = pricing.import_prices()
    stand = standing()
    second = pricing.import_prices()

    assert first.added > 2_000
    assert (second.added, second.models) == (0, 0)
    assert second.quarantined == first.quarantined
    assert standing() == stand


def standing():
    """All that taking in writes."""
    return [
        list(model.objects.order_by("pk").values())
        for model in (Model, ModelAlias, Offering, Price, PriceProposal)
    ]


def test_one_model_has_many_hosts_when_the_seed_is_taken_in(every_provider):
    pricing.import_prices()

    model = find("meta-llama/llama-3.3-70b-instruct")
    assert len({offering.provider.slug for offering in model.offerings}) >= 8
    assert find("openai/gpt-oss-120b").context_length


@pytest.mark.django_db
def test_providers_without_a_row_are_passed_over_when_the_seed_is_taken_in():
    assert pricing.import_prices().added == 0
    assert not Model.objects.exists()


def test_price_of_a_higher_rank_stays_when_the_seed_differs(every_provider):
    first = pricing.import_prices()
    former = Price.objects.filter(source=PriceSource.SEED, input__gt=0).order_by("pk")[0]
    offering = former.offering
    offers.post_price(
        offering,
        offers.Amounts.of(input=former.input + 1, output=former.output + 1),
        source=PriceSource.PROVIDER,
    )

    summary = pricing.import_prices()
    assert (summary.added, summary.overridden) == (0, first.overridden + 1)


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


def test_flagships_take_and_make_what_they_do_when_started_fresh(every_provider):
    pricing.import_prices()
    aliases.import_aliases()

    looking = (
        "openai/gpt-4o", "openai/gpt-4o-mini", "openai/gpt-5", "openai/o3", "anthropic/claude-sonnet-4-5",
        "anthropic/claude-opus-4-1", "google/gemini-2.5-pro", "x-ai/grok-4", "mistralai/pixtral-12b",
        "qwen/qwen2.5-vl-72b-instruct", "meta-llama/llama-3.2-90b-vision-instruct",
    )  # fmt: skip
    drawing = ("google/gemini-2.5-flash-image", "google/gemini-3-pro-image", "openai/gpt-5-image")
    snapshot = load_catalog()
    blind = [name for name in looking + drawing if "image" not in find(name, snapshot).input_modalities]  # fmt: skip
    assert blind == []
    assert {find(name, snapshot).output_modalities for name in looking} == {("text",)}
    assert {find(name, snapshot).output_modalities for name in drawing} == {("text", "image")}
    parameters = find("google/gemini-2.5-pro", snapshot).supported_parameters
    assert {"reasoning", "response_format"} <= set(parameters)


def test_created_is_the_day_of_release_when_known_and_nought_when_not(every_provider, live, client):
    pricing.import_prices()

    listed = {card["id"]: card["created"] for card in client.get("/v1/models").json()["data"]}
    noon = datetime.datetime(2024, 5, 13, 12, tzinfo=datetime.UTC).timestamp()
    assert listed["openai/gpt-4o"] == noon - 12 * 3600
    known = [created for created in listed.values() if created]
    assert len(known) >= 1_100
    # Nothing is as young as this installation.
    assert max(known) < clock.now().timestamp() - 3600
    assert {type(created) for created in listed.values()} == {int}
    assert 0 in listed.values()


def test_images_can_be_made_when_only_openai_has_a_key(db, settings):
    settings.PROVIDER_SECRET = lambda name: "key" if name == "OPENAI_API_KEY" else ""
    refresh.sync_registry()
    pricing.import_prices()

    aliases.import_aliases()

    assert find("gpt-image-1").id == "openai/gpt-image-2.5-sunburst"  # retired
    model = find("gpt-image-2")
    assert (model.id, model.input_modalities, model.output_modalities) == ("openai/gpt-image-2", ("text", "image"), ("image",))  # fmt: skip
    [offering] = model.offerings
    for operation, path in ((Operation.IMAGES, "/images/generations"), (Operation.IMAGE_EDITS, "/images/edits")):  # fmt: skip
        endpoint = offering.endpoint(operation, Wire.OPENAI_JSON)
        assert endpoint is not None
        assert offering.url(endpoint, stream=False) == f"https://api.openai.com/v1{path}"
    # By the token: nothing for the image itself, and no word of the prompt below what an image's tokens cost.
    assert (offering.rates.images, offering.rates.input, offering.rates.output) == (0, 8_000_000_000, 30_000_000_000)  # fmt: skip


def test_images_by_the_token_are_left_to_hosts_that_report_tokens_when_built():
    by_tokens = {
        line.provider for line in LINES if "image" in line.outputs and line.prices.get("output")
    }

    assert by_tokens == {"openai", "azure-openai"}


def test_nothing_costs_what_its_kind_never_does_when_built():
    beyond = [
        (line.provider, line.upstream, reason)
        for line in LINES
        if (reason := beyond_bounds(line.prices, line.outputs))
    ]

    assert beyond == []


def test_claudes_hour_in_the_cache_costs_twice_the_input_wherever_no_source_says_otherwise(
    every_provider,
):
    pricing.import_prices()

    claudes = Price.objects.filter(offering__model__id__startswith="anthropic/claude", input__gt=0)
    cheaper = claudes.exclude(cache_write_1h__gte=F("input") * 2).values_list(
        "offering__provider_id", "offering__upstream_model"
    )

    assert claudes.count() > 300
    assert list(cheaper) == []
