"""Former ids: what an earlier release took in under a host's name goes to its vendor."""

import pytest

from apps.catalog.models import Model, ModelAlias, Offering, PriceSource, Provider
from apps.catalog.selectors import load_catalog
from apps.catalog.services import offers, renaming
from tests.catalog.finding import find

pytestmark = pytest.mark.usefixtures("empty_catalogue")


@pytest.fixture
def host(db):
    return Provider.objects.create(slug="host", name="Host", wire="openai_chat", base_url="https://host.test/v1")  # fmt: skip


def offered(host, model_id, upstream):
    offering = offers.offer(host, model_id=model_id, upstream_model=upstream)
    offers.post_price(
        offering, offers.Amounts.of(input=1_000, output=2_000), source=PriceSource.SEED
    )
    return offering


def test_offerings_go_to_the_vendor_and_the_former_id_still_leads_there_when_moved(host):
    former = offered(host, "perplexity/kimi-k3", "perplexity/kimi-k3")
    other = offered(host, "moonshotai/kimi-k3", "kimi-k3")
    ModelAlias.objects.create(alias="k3-there", model_id="perplexity/kimi-k3")

    assert renaming.move_to_vendors() == 1
    assert renaming.move_to_vendors() == 0

    assert not Model.objects.filter(id="perplexity/kimi-k3").exists()
    model = find("perplexity/kimi-k3", load_catalog())
    assert model.id == find("k3-there").id == "moonshotai/kimi-k3"
    assert {offering.id for offering in model.offerings} == {former.pk, other.pk}


def test_vendors_model_is_made_with_what_was_known_when_there_is_none(host):
    offered(host, "fireworks/zephyr-7b-beta", "zephyr")
    Model.objects.filter(id="fireworks/zephyr-7b-beta").update(name="Mine", context_length=7)

    assert renaming.move_to_vendors() == 1
    model = Model.objects.get(id="huggingfaceh4/zephyr-7b-beta")
    assert (model.name, model.context_length) == ("Mine", 7)


def test_nothing_is_moved_when_it_is_the_hosts_own_or_nobody_knows(host):
    for name in ("fireworks/firefunction-v2", "fireworks/nobody-knows", "acme/large"):
        offered(host, name, name)

    assert renaming.move_to_vendors() == 0


def test_nothing_is_moved_when_an_operator_offers_both_under_one_name(host):
    offered(host, "perplexity/kimi-k3", "k3")
    offered(host, "moonshotai/kimi-k3", "k3")

    assert renaming.move_to_vendors() == 0
    assert Offering.objects.filter(model_id="perplexity/kimi-k3").exists()
