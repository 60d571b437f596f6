"""Taking in: one model for all its hosts, ranks of sources, and prices that look like a mistake."""

from dataclasses import replace

import pytest
import structlog

from apps.catalog.differences import differences
from apps.catalog.models import (
    TIER_PRICES,
    Feed,
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
from apps.catalog.services import abilities, host_abilities, intake, offers, overrides, proposals
from apps.catalog.services.errors import CatalogError
from apps.catalog.services.offers import Amounts, TierAmounts
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
            "source": PriceSource.PROVIDER,
            **facts,
        }
    )


def take(*rows, source=PriceSource.PROVIDER):
    return intake.take_in([replace(row, source=source) for row in rows])


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
    take(replace(found(), amounts=None))

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
    summary = take(found(price=amounts("1.2")), source=second)

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


def test_source_of_higher_rank_is_taken_when_both_are_found_in_one_pass():
    seeded = found(price=amounts("2"), source=PriceSource.SEED)
    book = found(price=amounts("1"), source=PriceSource.GENAI_PRICES)

    for both in ([seeded, book], [book, seeded]):
        summary = intake.take_in(both)
        assert summary.overridden == 1
    assert Price.objects.values_list("input", "source").get() == (usd_to_nano("1"), PriceSource.GENAI_PRICES)  # fmt: skip


def test_nothing_changes_when_the_same_prices_are_found_again():
    """The one in quarantine is part of the second comparison too, as it was of the first."""
    rows = [found("one", price=amounts("1")), found("two", price=amounts("11")), found("three", price=amounts("200"))]  # fmt: skip

    first, second = take(*rows), take(*rows)

    assert [one.provider for one in first.quarantined] == ["one", "three"]
    assert second.quarantined == first.quarantined
    assert (second.added, second.unchanged) == (0, 1)
    assert (Price.objects.count(), PriceProposal.objects.count()) == (1, 2)


def test_abilities_are_the_vendors_when_hosts_say_others():
    Provider.objects.create(slug="acme", name="a", wire="openai_chat", base_url="https://a.test")
    take(
        found("one", input_modalities=("text", "video"), supported_parameters=("tools",)),
        found("acme", input_modalities=("text", "image"), supported_parameters=("seed",)),
    )

    model = Model.objects.get()
    assert (model.input_modalities, model.supported_parameters) == (["text", "image"], ["seed"])


def test_abilities_are_those_of_all_hosts_when_the_vendor_says_nothing():
    take(found("one"), source=PriceSource.GENAI_PRICES)
    take(
        found("two", input_modalities=("text", "image"), supported_parameters=("tools",)),
        found("three", input_modalities=("text", "file"), supported_parameters=("seed",)),
    )
    take(found("four", input_modalities=("text",), output_modalities=("text",)))

    model = Model.objects.get()
    assert model.input_modalities == ["text", "image", "file"]
    assert (model.output_modalities, model.supported_parameters) == (["text"], ["tools", "seed"])


def shipped(provider, words, **facts):
    return found(provider, supported_parameters=words, source=PriceSource.SEED, **facts)


def parameters():
    return Model.objects.get().supported_parameters


def test_wrong_word_of_a_host_ends_when_the_release_knows_better():
    intake.take_in([found("one", supported_parameters=("tools",))])
    assert parameters() == ["tools"]

    intake.take_in([shipped("one", ("seed",)), shipped("two", ("stop",))])
    assert parameters() == ["seed", "stop"]

    # The next release corrects itself; hosts' lists and taking in again change nothing.
    for _ in range(2):
        intake.take_in([shipped("one", ("stop",))])
        intake.take_in([found("two", supported_parameters=("tools",))])
        assert parameters() == ["stop"]


def test_what_an_earlier_release_learnt_is_learnt_anew_when_it_noted_nobody():
    intake.take_in([shipped("one", ("tools",))])
    Model.objects.update(learned={"supported_parameters": abilities.Known.UNCERTAIN})

    intake.take_in([shipped("one", ("seed",))])
    assert parameters() == ["seed"]


def test_operators_word_stays_when_sources_say_others():
    intake.take_in([shipped("one", ("tools",))])
    Model.objects.update(supported_parameters=["mine"], learned={})

    intake.take_in([shipped("one", ("seed",)), shipped("two", ("stop",))])
    assert parameters() == ["mine"]


def test_vendors_list_beats_what_ships_of_hosts_and_not_of_the_vendor():
    Provider.objects.create(slug="acme", name="a", wire="openai_chat", base_url="https://a.test")
    intake.take_in([shipped("one", ("tools",))])
    intake.take_in([found("acme", supported_parameters=("seed",))])
    intake.take_in([shipped("one", ("tools",))])
    assert parameters() == ["seed"]

    intake.take_in([shipped("acme", ("stop",))])
    intake.take_in([found("acme", supported_parameters=("seed",))])
    assert parameters() == ["stop"]


def test_modalities_stay_when_a_source_knows_of_text_alone():
    take(found("one", input_modalities=("text", "image")), source=PriceSource.SEED)
    take(found("one", input_modalities=("text",)), source=PriceSource.SEED)

    assert Model.objects.get().input_modalities == ["text", "image"]


def test_id_with_a_hosts_name_is_the_vendors_when_another_entry_has_the_model():
    take(found("one", "fireworks/large"), found("two", "acme/large"))
    take(found("three", "unsloth/large"))

    assert set(Offering.objects.values_list("model_id", flat=True)) == {"acme/large"}


@pytest.mark.parametrize(
    ("makes", "price", "waits"),
    [
        ("embeddings", {"input": "100"}, True),  # a thousand times its siblings
        ("embeddings", {"input": "0.10"}, False),
        ("rerank", {"input": "50"}, True),
        ("moderation", {"input": "20"}, True),
        ("transcription", {"seconds": "0.06"}, True),  # by the minute
        ("speech", {"characters": "15000"}, True),
        ("image", {"images": "40"}, True),  # in cents
        ("text", {"input": "600", "output": "600"}, True),
        ("text", {"input": "150", "output": "600"}, False),
    ],
)
def test_price_of_a_single_host_waits_when_its_kind_never_costs_that(makes, price, waits):
    told = {name: usd_to_nano(amount) for name, amount in price.items()}
    row = found(price=Amounts.of_model("acme/large", told), output_modalities=(makes,))

    summary = take(row)

    assert bool(summary.quarantined) is waits
    assert Price.objects.exists() is not waits
    assert not waits or "dearer than anything" in PriceProposal.objects.get().reason


@pytest.mark.parametrize(
    ("makes", "input_usd", "output_usd", "facts", "reason"),
    [
        ("text", "0.6", "0", {}, "nothing for output"),
        ("text", "0", "0.6", {}, "nothing for input"),
        ("text", "0.6", "0", {"zero_is_free": True}, ""),
        ("text", "0.6", "0", {"variant": "free"}, ""),
        ("text", "0.0000006", "0.0000006", {}, "cheaper than anything"),
        ("text", "0.6", "0.0009", {}, "cheaper than anything"),
        ("text", "0.0000006", "0.0000006", {"zero_is_free": True}, "cheaper than anything"),
        ("text", "0.001", "0.001", {}, ""),
        ("embeddings", "0.1", "0", {}, ""),
        ("embeddings", "0.0001", "0", {}, "cheaper than anything"),
    ],
)
def test_price_of_a_single_host_waits_when_half_is_nought_or_nearly_all(
    makes, input_usd, output_usd, facts, reason
):
    row = found(price=amounts(input_usd, output_usd), output_modalities=(makes,), **facts)

    summary = take(row)

    assert bool(summary.quarantined) is bool(reason)
    assert Price.objects.exists() is not bool(reason)
    assert [reason in proposal.reason for proposal in PriceProposal.objects.all()] == (
        [True] if reason else []
    )


def test_price_with_half_of_nought_may_move_when_it_was_believed():
    take(found(price=amounts("0.6", "0"), zero_is_free=True))

    assert not take(found(price=amounts("0.7", "0"))).quarantined
    assert Price.objects.count() == 2


@pytest.mark.parametrize(
    ("model", "told", "short", "long"),
    [
        ("anthropic/claude-opus-5", {}, 1.25, 2),
        ("anthropic/claude-opus-5", {"cache_write_5m": "1.25"}, 1.25, 2),
        ("anthropic/claude-opus-5", {"cache_write_5m": "2.5"}, 2.5, 2.5),
        ("anthropic/claude-opus-5", {"cache_write_1h": "1.8"}, 1.25, 1.8),
        ("acme/large", {"cache_write_5m": "1.25"}, 1.25, 1.25),
        ("acme/large", {}, 1, 1),
    ],
)
def test_writing_to_claudes_cache_costs_what_its_vendor_takes_when_nothing_is_told(
    model, told, short, long
):
    given = {"input": "1", "output": "5", **told}

    amounts = Amounts.of_model(model, {name: usd_to_nano(usd) for name, usd in given.items()})

    assert amounts.cache_write_5m == short * 10**9
    assert amounts.cache_write_1h == long * 10**9


def with_tier(price, more=2):
    tier = {name: more * amount for name, amount in price.numbers.items() if name in TIER_PRICES}
    return price.with_tiers([TierAmounts(above=200_000, **tier)])


def test_list_that_tells_no_tiers_takes_none_away():
    take(found(price=with_tier(amounts("1"))), source=PriceSource.GENAI_PRICES)

    same, other = take(found()), take(found(price=amounts("1.1")))

    assert (same.added, same.unchanged, same.quarantined) == (0, 1, [])
    assert [one.reason for one in other.quarantined] == [
        "the source tells no tiers, and the price in force has some"
    ]
    assert Price.objects.count() == 1


def test_price_book_adds_its_tiers_to_what_a_list_says():
    take(found())

    differs = take(found(price=with_tier(amounts("1.1"))), source=PriceSource.GENAI_PRICES)
    added = take(found(price=with_tier(amounts("1"))), source=PriceSource.GENAI_PRICES)
    again = take(found())

    assert (differs.overridden, added.added, again.unchanged) == (1, 1, 1)
    assert find("acme/large").offerings[0].rates.at(200_001).input == 2_000_000_000


def proposed():
    return list(PriceProposal.objects.order_by("pk").values_list("found__input", "state"))


def test_waiting_price_is_superseded_when_its_source_says_something_else():
    take(found())
    take(found(price=amounts("2")))
    take(found(price=amounts("3")))

    assert proposed() == [(2 * 10**9, "superseded"), (3 * 10**9, "pending")]
    take(found(price=amounts("2")))
    assert proposed() == [(2 * 10**9, "pending"), (3 * 10**9, "superseded")]
    take(found())
    assert {state for _, state in proposed()} == {"superseded"}


def test_waiting_price_stays_when_another_source_speaks():
    take(found(), source=PriceSource.GENAI_PRICES)
    take(found(price=amounts("3")), source=PriceSource.PROVIDER)
    take(found(), source=PriceSource.GENAI_PRICES)

    assert proposed() == [(3 * 10**9, "pending")]


def test_rejected_price_is_not_asked_about_again_and_another_one_is():
    take(found())
    take(found(price=amounts("2")))
    assert proposals.reject(PriceProposal.objects.get(), by="dave")

    take(found(price=amounts("2")))
    assert proposed() == [(2 * 10**9, "rejected")]
    take(found(price=amounts("2.5")))
    assert proposed() == [(2 * 10**9, "rejected"), (25 * 10**8, "pending")]


def test_approved_price_is_asked_about_anew_when_it_comes_back():
    take(found())
    take(found(price=amounts("2")))
    assert proposals.approve(PriceProposal.objects.get(), by="dave")
    take(found(price=amounts("1.9")))
    take(found(price=amounts("1.5")))
    take(found(price=amounts("2")))

    assert proposed() == [(2 * 10**9, "pending")]
    assert PriceProposal.objects.get().decided_by == ""


def test_all_that_waits_of_a_provider_is_approved_at_once_and_nothing_else():
    names = ("acme/large", "acme/small")
    for price in ("1", "2"):
        take(
            *(found(host, name, price=amounts(price)) for host in ("one", "two") for name in names)
        )
    assert len(proposed()) == 4

    assert proposals.approve_all("one", by="dave") == 2

    prices = {host.provider.slug: host.rates.input for host in find("acme/small").offerings}
    assert prices == {"one": 2 * 10**9, "two": 10**9}
    assert set(Price.objects.filter(input=2 * 10**9).values_list("added_by", "source")) == {
        ("dave", "provider")
    }


def test_source_is_never_approved_over_an_override():
    take(found())
    take(found(price=amounts("2")))
    offers.post_price(Offering.objects.get(), amounts("5"), source=PriceSource.STAFF)

    assert not proposals.approve(PriceProposal.objects.get(), by="dave")
    assert find("acme/large").offerings[0].rates.input == 5 * 10**9
    assert proposed() == [(2 * 10**9, "superseded")]


def test_override_beats_every_source_until_it_is_ended():
    take(found())
    feed = Feed.objects.create(provider_id="one", etag="x", content_hash="y")
    price = offers.post_price(
        Offering.objects.get(), amounts("5"), source=PriceSource.STAFF, by="dave"
    )
    assert take(found(price=amounts("1.2"))).overridden == 1

    assert price is not None
    back = overrides.end(price, by="erin")

    feed.refresh_from_db()
    assert (back.source, back.input, back.added_by) == ("provider", 10**9, "erin")
    assert (feed.etag, feed.content_hash) == ("", "")
    assert take(found(price=amounts("1.2"))).added == 1


@pytest.mark.parametrize("source", [PriceSource.PROVIDER, PriceSource.STAFF])
def test_nothing_is_ended_that_is_no_override_with_a_source_behind_it(source):
    take(found(), source=source)
    (price,) = Price.objects.all()

    with pytest.raises(CatalogError, match=r"is not an override|has no source to go back to"):
        overrides.end(price, by="dave")
    assert Price.objects.count() == 1


@pytest.mark.parametrize(("aboves", "amount"), [((5, 5), 1), ((9, 5), 1), ((0,), 1), ((5,), -1)])
def test_tiers_that_make_no_sense_are_refused_by_name(aboves, amount):
    tiers = [TierAmounts.of(above=above, input=amount, output=1) for above in aboves]

    with pytest.raises(CatalogError) as refused:
        amounts("1").with_tiers(tiers)
    assert refused.value.field == "tiers"


def test_differences_are_told_number_by_number():
    before, now = amounts("1").as_json(), with_tier(amounts("3")).as_json()

    told = {(d.words, d.former, d.found, d.ratio) for d in differences(before, now)}

    assert ("in", 10**9, 3 * 10**9, 3.0) in told
    assert ("in, above 200,000 input tokens", None, 6 * 10**9, None) in told
    assert not any(words == "out" for words, *_ in told)
    assert list(differences(now, now)) == []


def told(provider, name="acme/large"):
    """What the snapshot has of one host, and whether that is all that it takes."""
    (host,) = [o for o in find(name).offerings if o.provider.slug == provider]
    known = find(name).capabilities_at(host)
    return set(known.parameters), known.inputs, known.is_whole


def test_each_host_keeps_what_its_own_list_names():
    few, many = ("temperature",), ("temperature", "tools", "structured_outputs")
    rows = [
        found("one", supported_parameters=few, input_modalities=("text",)),
        found("two", supported_parameters=many, input_modalities=("text", "image")),
        found("three"),
    ]
    for _ in range(2):
        take(*rows)

    assert told("one") == (set(few), ("text",), True)
    assert told("two") == (set(many), ("text", "image"), True)
    assert told("three") == (set(many), ("text", "image"), False)
    assert Offering.objects.get(provider="three").told_by is None

    take(found("one", supported_parameters=many))
    assert told("one") == (set(many), ("text",), True)


def test_hosts_own_list_goes_before_the_release_and_the_operator_before_both():
    intake.take_in([shipped("one", ("tools",), input_modalities=("text",))])
    assert told("one") == ({"tools"}, ("text",), False)
    assert Offering.objects.get().input_modalities is None, "text alone is what nobody looked at"

    intake.take_in([shipped("one", ("tools", "stop"))])
    assert told("one")[0] == {"tools", "stop"}

    intake.take_in([found("one", supported_parameters=("seed",))])
    intake.take_in([shipped("one", ("tools",))])
    assert told("one") == ({"seed"}, ("text",), True)

    offering = Offering.objects.get()
    host_abilities.write(offering, "supported_parameters", ["mine"], PriceSource.STAFF)
    offering.save()
    intake.take_in([found("one", supported_parameters=("seed",))])
    assert told("one") == ({"mine"}, ("text",), True)
    host_abilities.write(offering, "supported_parameters", [], PriceSource.STAFF)
    offering.save()
    assert (offering.supported_parameters, offering.told_by) == (None, None)
