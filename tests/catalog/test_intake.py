"""Taking in: one model for all its hosts, ranks of sources, and prices that look like a mistake."""

import pytest
import structlog

from apps.catalog.models import (
    Model,
    ModelAlias,
    Offering,
    Price,
    PriceProposal,
    PriceSource,
    ProposalState,
    Provider,
)
from apps.catalog.selectors import load_catalog
from apps.catalog.services import intake, offers, proposals
from apps.catalog.services.offers import Amounts
from apps.common.money import usd_to_nano
from tests.catalog.finding import find

pytestmark = pytest.mark.django_db
HOSTS = ("one", "two", "three", "four")


@pytest.fixture(autouse=True)
def hosts(empty_catalogue):
    for slug in HOSTS:
        Provider.objects.create(
            slug=slug, name=slug, wire="openai_chat", base_url=f"https://{slug}.test/v1"
        )


def amounts(input_usd, output_usd="10", **others):
    return Amounts.of(input=usd_to_nano(input_usd), output=usd_to_nano(output_usd), **others)


def found(provider="one", model_id="acme/large", price=None, **facts):
    return intake.Found(
        **{
            "provider": provider,
            "upstream_model": model_id,
            "model_id": model_id,
            "amounts": price or amounts("1"),
            **facts,
        }
    )


def take(*rows, source=PriceSource.PROVIDER):
    return intake.take_in(rows, source=source)


def test_one_model_has_an_offering_for_each_host_when_they_spell_it_alike():
    take(found("one"), found("two", "ACME/Large"), found("three", "acme/large", quantization="fp8"))

    assert Model.objects.get().pk == "acme/large"
    assert [offering.provider.slug for offering in find("acme/large").offerings] == ["one", "three", "two"]  # fmt: skip
    assert find("acme/large").offerings[1].quantization == "fp8"


def test_variant_has_a_name_of_its_own_when_offered_free_of_charge():
    free = found("two", price=Amounts.of(input=0, output=0), variant="free", upstream_model="acme/large:free")  # fmt: skip
    take(found("one"), free)

    assert [o.provider.slug for o in find("acme/large").offerings] == ["one"]
    assert [o.provider.slug for o in find("acme/large:free").offerings] == ["two"]
    assert find("acme/large:free").id == "acme/large:free"
    assert not PriceProposal.objects.exists()


def test_model_has_only_its_special_name_when_nobody_offers_it_otherwise():
    take(
        found(
            "two",
            price=Amounts.of(input=0, output=0),
            variant="free",
            upstream_model="acme/large:free",
        )
    )

    assert find("acme/large:free").offerings
    assert load_catalog().resolve("acme/large") is None


def test_what_is_empty_is_filled_and_what_is_there_stays_when_taken_in_again():
    take(found("one", name="Large"))
    take(found("two", name="Other", context_length=9, max_output_tokens=5, supported_parameters=("tools",)))  # fmt: skip

    model = Model.objects.get()
    assert (model.name, model.context_length, model.max_output_tokens) == ("Large", 9, 5)
    assert model.supported_parameters == ["tools"]


def test_limits_of_an_offering_follow_the_provider_when_its_list_changes():
    take(found(context_length=9))
    take(found(context_length=8), source=PriceSource.SEED)
    assert Offering.objects.get().context_length == 9
    take(found(context_length=7))
    assert Offering.objects.get().context_length == 7


def test_nothing_is_made_when_there_is_no_price():
    take(intake.Found(provider="one", upstream_model="m", model_id="acme/m", amounts=None))

    assert not Model.objects.exists()
    assert not Offering.objects.exists()


@pytest.mark.parametrize(
    ("first", "second", "taken"),
    [
        (PriceSource.SEED, PriceSource.GENAI_PRICES, True),
        (PriceSource.GENAI_PRICES, PriceSource.PROVIDER, True),
        (PriceSource.PROVIDER, PriceSource.PROVIDER, True),
        (PriceSource.PROVIDER, PriceSource.GENAI_PRICES, False),
        (PriceSource.GENAI_PRICES, PriceSource.SEED, False),
        (PriceSource.MANUAL, PriceSource.PROVIDER, False),
        (PriceSource.STAFF, PriceSource.PROVIDER, False),
    ],
)
def test_source_replaces_a_price_when_it_ranks_as_high(first, second, taken):
    take(found(), source=first)
    summary = take(found(price=amounts("2")), source=second)

    assert (summary.added, summary.overridden) == ((1, 0) if taken else (0, 1))


def test_price_is_quarantined_when_far_from_the_other_hosts():
    take(found("one"), found("two", price=amounts("1.2")), found("three", price=amounts("0.8")))

    with structlog.testing.capture_logs() as events:
        summary = take(found("four", price=amounts("0.001")))

    assert summary.added == 0
    assert [one.reason for one in summary.quarantined] == [
        "more than 10 times off the median of the other hosts (input: $1.00 there, $0.001 here)"
    ]
    assert [event["event"] for event in events] == ["catalog.price_quarantined"]
    assert [o.provider.slug for o in find("acme/large").offerings] == ["three", "one", "two"]
    proposal = PriceProposal.objects.get()
    assert (proposal.state, proposal.former) == (ProposalState.PENDING, None)
    assert proposal.found["input"] == 1_000_000


def test_zero_is_quarantined_when_the_others_charge():
    take(found("one"), found("two"))

    assert take(found("three", price=Amounts.of(input=0, output=0))).quarantined
    assert not take(found("four", price=Amounts.of(input=0, output=0), free=True)).quarantined


def test_price_is_asked_about_once_when_found_again():
    take(found("one"))
    for _ in range(3):
        take(found("one", price=amounts("0")))

    assert PriceProposal.objects.count() == 1
    assert Price.objects.count() == 1


def test_proposal_comes_into_force_when_approved():
    take(found("one"))
    take(found("one", price=amounts("100")))
    proposal = PriceProposal.objects.get()

    assert proposals.approve(proposal, by="dave@example.com")
    assert not proposals.approve(proposal, by="dave@example.com")
    assert not proposals.reject(proposal, by="dave@example.com")
    price = Price.objects.latest("valid_from")
    assert (price.input, price.source) == (usd_to_nano("100"), PriceSource.PROVIDER)
    assert take(found("one", price=amounts("100"))).unchanged == 1


def test_price_stays_when_the_proposal_is_rejected():
    take(found("one"))
    take(found("one", price=amounts("100")))
    assert proposals.reject(PriceProposal.objects.get(), by="dave@example.com")
    take(found("one", price=amounts("100")))

    assert Price.objects.count() == 1
    decided = PriceProposal.objects.get()
    assert (decided.state, decided.decided_by) == (ProposalState.REJECTED, "dave@example.com")


def test_believed_price_may_stay_far_from_the_others_when_it_moves_a_little():
    take(found("one"), found("two"))
    three = found("three", price=amounts("30"))
    take(three)
    proposals.approve(PriceProposal.objects.get(), by="dave")

    assert take(found("three", price=amounts("31"))).added == 1


def test_operators_model_is_the_one_when_its_id_is_spelled_otherwise():
    offers.offer(Provider.objects.get(slug="one"), model_id="Acme/Large-4.5", upstream_model="x")
    take(found("two", "acme/large-4-5"))

    assert Model.objects.get().pk == "Acme/Large-4.5"
    assert ModelAlias.objects.get().alias == "acme/large-4-5"
