"""The aliases that ship: whom they mean, and that they never stand in for a host's own model."""

from collections import Counter

import pytest

from apps.catalog.models import Model, ModelAlias, Offering, PriceSource, Provider
from apps.catalog.providers.canonical import same_model_key
from apps.catalog.selectors import load_catalog
from apps.catalog.services import aliases, intake, seed
from apps.catalog.services.offers import Amounts
from tests.catalog.finding import find

NAMES = [name for group in aliases.GROUPS for name in group.names]
SEED_KEYS = {same_model_key(line.id) for line in seed.read_seed()}
SEED_IDS = {line.id.lower() for line in seed.read_seed()}


@pytest.fixture
def seeded(db, empty_catalogue, settings):
    settings.PROVIDER_SECRET = lambda name: "key"
    slugs = sorted({line.provider for line in seed.read_seed()})
    for slug in slugs:
        Provider.objects.create(slug=slug, name=slug, wire="openai_chat", base_url=f"https://{slug}.test/v1")  # fmt: skip
    intake.take_in(seed.found_in_seed(slugs))


def test_there_are_enough_and_each_once_when_counted():
    assert len(NAMES) >= 120
    assert [name for name, count in Counter(NAMES).items() if count > 1] == []
    assert all(name == name.lower() and not any(c.isspace() for c in name) for name in NAMES)
    assert len({group.reason for group in aliases.GROUPS}) > 20


@pytest.mark.parametrize("group", aliases.GROUPS, ids=lambda group: group.names[0])
def test_model_is_in_the_seed_and_the_reason_a_sentence_when_read(group):
    assert same_model_key(group.model) in SEED_KEYS
    assert group.reason.endswith(".")
    assert not set(group.names) & SEED_IDS
    assert group.model not in NAMES


def test_every_name_leads_to_its_model_when_imported(seeded):
    assert aliases.import_aliases() >= 120
    assert aliases.import_aliases() == 0

    catalog = load_catalog()
    for group in aliases.GROUPS:
        for name in group.names:
            model = find(name, catalog)
            assert same_model_key(model.id) == same_model_key(group.model), name
            assert find(model.id, catalog) is model
            assert model.offerings


MEANT = (
    ("gpt-4o", "openai/gpt-4o"),
    ("o3", "openai/o3"),
    ("GPT-5-1", "openai/gpt-5.1"),
    ("claude-sonnet-4-20250514", "anthropic/claude-sonnet-4-5"),
    ("claude-opus-4-20250514", "anthropic/claude-opus-4-5"),
    ("claude-haiku-4-5-20251001", "anthropic/claude-haiku-4-5-20251001"),
    ("r1", "deepseek/deepseek-r1"),
    ("deepseek-r1", "deepseek/deepseek-r1"),
    ("gemini-3", "google/gemini-3-flash-preview"),
    ("xai/grok-beta", "x-ai/grok-3"),
    ("grok-4", "x-ai/grok-4"),
    ("zai/glm-4.6", "z-ai/glm-4.6"),
)


def test_names_mean_what_people_mean_when_asked_for(seeded):
    aliases.import_aliases()

    catalog = load_catalog()
    assert [(name, find(name, catalog).id) for name, _ in MEANT] == list(MEANT)


def test_names_wait_when_their_model_is_not_there(db, empty_catalogue):
    assert aliases.import_aliases() == 0


def test_alias_of_an_operator_stays_when_the_release_has_another(seeded):
    ModelAlias.objects.create(alias="r1", model_id="openai/gpt-4o")
    aliases.import_aliases()

    assert find("r1").id == "openai/gpt-4o"


def test_retired_model_is_not_merged_into_its_successor_when_a_host_still_has_it(seeded):
    aliases.import_aliases()
    found = intake.Found(
        provider="novita",
        upstream_model="grok-2-1212",
        model_id="x-ai/grok-2-1212",
        amounts=Amounts.of(input=2, output=3),
        source=PriceSource.PROVIDER,
    )
    intake.take_in([found])

    assert Offering.objects.get(upstream_model="grok-2-1212", provider="novita").model_id == "x-ai/grok-2-1212"  # fmt: skip
    assert find("x-ai/grok-2-1212").id == "x-ai/grok-2-1212"
    assert Model.objects.filter(id="x-ai/grok-3").exists()
