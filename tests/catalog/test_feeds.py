"""Reading a provider's own list over a socket: what is taken in, what is refused, who goes missing, and how often."""

import datetime

import pytest
import structlog
from django.core.management import CommandError, call_command

from apps.catalog import tasks
from apps.catalog.models import (
    CatalogEpoch,
    Feed,
    Model,
    Offering,
    Price,
    PriceProposal,
    PriceSource,
    Provider,
)
from apps.catalog.providers import odd_items
from apps.catalog.providers.amounts import Unit
from apps.catalog.providers.listed import Listing, Pages, Paging, prices
from apps.catalog.services import feeds, fetching, offers
from apps.catalog.services.feeds import Outcome
from apps.common import clock
from tests.catalog.finding import find
from tests.catalog.listing_server import list_server

pytestmark = pytest.mark.django_db
PRICED = prices(Unit.PER_TOKEN, input="pricing.prompt", output="pricing.completion")


@pytest.fixture
def server():
    with list_server() as running:
        yield running


@pytest.fixture
def provider(server, monkeypatch, empty_catalogue):
    """A row at the server, and ``provider(listing)`` to say how its list is read."""
    monkeypatch.setenv("ACME_KEY", "s3cret")
    Provider.objects.create(
        slug="acme", name="Acme", wire="openai_chat", base_url=server.url, api_key_env="ACME_KEY"
    )

    def use(**fields):
        listing = Listing(**{"prices": PRICED, "docs": "https://acme.test", **fields})
        monkeypatch.setattr(feeds, "LISTINGS", {"acme": listing})
        monkeypatch.setattr(feeds, "listing_of", lambda slug: listing if slug == "acme" else None)

    use()
    return use


def entry(name, prompt="0.000001", completion="0.000002", **facts):
    return {"id": name, "pricing": {"prompt": prompt, "completion": completion}, **facts}


def listed(*names):
    return {"data": [entry(name) for name in names]}


def test_list_becomes_models_and_prices_when_refreshed(provider, server):
    server.body = {"data": [entry("acme/large", "3e-07", context_length=9), entry("acme/small")]}
    summary = feeds.refresh("acme")

    assert (summary.outcome, summary.listed, summary.priced, summary.added, summary.new) == (Outcome.UPDATED, 2, 2, 2, 2)  # fmt: skip
    offering = find("acme/large").offerings[0]
    assert (offering.rates.input, offering.rates.output) == (300_000_000, 2_000_000_000)
    assert offering.context_length == 9
    assert Price.objects.values_list("source", flat=True).distinct().get() == PriceSource.PROVIDER
    feed = Feed.objects.get()
    assert (feed.listed, feed.priced, feed.error, feed.claimed_at) == (2, 2, "", None)
    assert feed.refreshed_at
    path, _, headers = server.asked[0]
    assert path == "/v1/models"
    assert headers["authorization"] == "Bearer s3cret"


def test_number_is_exact_when_the_list_has_json_numbers(provider, server):
    server.body = (
        b'{"data": [{"id": "acme/large", "pricing": {"prompt": 3e-07, "completion": 0.0000006}}]}'
    )
    feeds.refresh("acme")

    assert find("acme/large").offerings[0].rates.input == 300_000_000


def test_secret_stays_at_home_when_the_list_is_public(provider, server):
    provider(public=True)
    server.body = listed("acme/large")
    feeds.refresh("acme")

    assert "authorization" not in server.asked[0][2]


@pytest.mark.parametrize("etag", ["", '"v1"'])
def test_nothing_is_written_when_the_list_is_the_same(provider, server, etag):
    server.body, server.etag = listed("acme/large"), etag
    feeds.refresh("acme")
    epoch = CatalogEpoch.objects.get().value

    assert feeds.refresh("acme").outcome is Outcome.UNCHANGED
    assert CatalogEpoch.objects.get().value == epoch
    assert server.asked[1][2].get("if-none-match", "") == etag
    assert feeds.refresh("acme", force=True).outcome is Outcome.UPDATED


@pytest.mark.parametrize(
    ("pages", "answer"),
    [
        (
            Pages(style=Paging.AFTER_ID, size=2, parameter="after_id"),
            {"": ["acme/a", "acme/b"], "acme/b": ["acme/c"]},
        ),
        (
            Pages(style=Paging.NUMBERED, size=2, size_parameter="per_page", parameter="page"),
            {"1": ["acme/a", "acme/b"], "2": ["acme/c"]},
        ),
        (
            Pages(style=Paging.TOKEN, size=2, parameter="cursor", token="next"),
            {"": ["acme/a", "acme/b"], "more": ["acme/c"]},
        ),
    ],
)
def test_every_page_is_read_when_the_list_has_several(provider, server, pages, answer):
    provider(pages=pages)

    def page(query):
        asked = query.get(pages.parameter, "")
        assert query[pages.size_parameter] == "2"
        more = {"next": "more"} if asked == "" else {"next": None}
        return listed(*answer[asked]) | more

    server.body = page
    assert feeds.refresh("acme").listed == 3
    assert len(server.asked) == 2


def test_bare_list_is_read_when_the_row_names_several_places(provider, server):
    provider(items=("data.item", "models.item", "item"))
    server.body = listed("acme/large")["data"]

    assert feeds.refresh("acme").listed == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"status": 503}, "The list was answered with status 503."),
        ({"status": 302}, "The list was answered with status 302."),
        ({"body": b"<html>"}, "The list is not JSON, or was cut off."),
        ({"body": b'{"data": [{"id": "acme/a"'}, "The list is not JSON, or was cut off."),
        (
            {"body": b'{"data": [{"id": "acme/a", "created": ' + b"1" * 5000 + b"}]}"},
            "The list has a number of more than 400 digits.",
        ),
        ({"body": b'{"data": ' + b"[" * 20_000}, "The list is nested more than 64 levels deep."),
        (
            {"body": b'{"data": ' + b'{"a": ' * 20_000},
            "The list is nested more than 64 levels deep.",
        ),
        ({"body": {"data": []}}, "The list names 0 models, and at least 1 are expected."),
        ({"body": listed("acme/a")}, "The list names 1 models, fewer than half of the 4 before."),
    ],
)
def test_catalogue_stays_when_the_list_cannot_be_believed(provider, server, change, reason):
    server.body = listed("acme/a", "acme/b", "acme/c", "acme/d")
    feeds.refresh("acme")
    before = list(Offering.objects.values_list("upstream_model", "missing"))
    for name, value in change.items():
        setattr(server, name, value)

    with structlog.testing.capture_logs() as events:
        summary = feeds.refresh("acme")

    assert (summary.outcome, summary.reason) == (Outcome.FAILED, reason)
    assert Feed.objects.get().error == reason
    assert Feed.objects.get().claimed_at is None
    assert list(Offering.objects.values_list("upstream_model", "missing")) == before
    assert [event["event"] for event in events] == ["catalog.refresh_failed"]


def test_catalogue_stays_when_the_provider_is_down(provider, server):
    Provider.objects.update(base_url="http://127.0.0.1:9/v1")

    assert feeds.refresh("acme").reason == "The list could not be fetched: NewConnectionError."


def test_list_is_refused_when_too_large(provider, server, monkeypatch):
    monkeypatch.setattr(fetching, "MOST_BYTES", 1000)
    server.body = listed(*(f"acme/{number}" for number in range(100)))

    assert feeds.refresh("acme").reason == "The list is larger than 0 MiB."


def test_error_is_forgotten_when_the_next_refresh_goes_well(provider, server):
    server.status, server.body = 500, listed("acme/a")
    feeds.refresh("acme")
    server.status = 200
    feeds.refresh("acme")

    assert Feed.objects.get().error == ""


def test_offering_is_withdrawn_when_missing_three_times_and_back_when_named(provider, server):
    server.body = listed("acme/a", "acme/b", "acme/c")
    feeds.refresh("acme")
    server.body = listed("acme/a", "acme/b")

    assert [feeds.refresh("acme").withdrawn for _ in range(3)] == [0, 0, 1]
    assert Offering.objects.get(upstream_model="acme/c").is_active
    assert not find("acme/c").offerings
    server.body = listed("acme/a", "acme/b", "acme/c", "acme/d")
    assert feeds.refresh("acme").restored == 1
    assert find("acme/c").offerings


def test_nobody_is_missing_when_the_list_spells_every_name_in_another_way(provider, server):
    server.body = listed(*(f"acme/{letter}" for letter in "abcde"))
    feeds.refresh("acme")
    server.body = listed(*(f"Bot-{letter}" for letter in "ABCDE"))
    for _ in range(4):
        feeds.refresh("acme", force=True)

    assert set(Offering.objects.filter(upstream_model__startswith="acme/").values_list("missing", flat=True)) == {0}  # fmt: skip


def test_absence_starts_anew_when_a_model_comes_back_in_time(provider, server):
    server.body = listed("acme/a", "acme/b")
    feeds.refresh("acme")
    for names in (("acme/a",), ("acme/a", "acme/b"), ("acme/a",), ("acme/a", "acme/x")):
        server.body = listed(*names)
        feeds.refresh("acme")

    assert Offering.objects.get(upstream_model="acme/b").missing == 2
    assert Offering.objects.get(upstream_model="acme/b").withdrawn_at is None


def test_operators_choice_stays_when_the_list_names_a_model_again(provider, server):
    server.body = listed("acme/a", "acme/b")
    feeds.refresh("acme")
    Offering.objects.filter(upstream_model="acme/b").update(is_active=False)
    for names in (("acme/a",), ("acme/a", "acme/b")):
        server.body = listed(*names)
        feeds.refresh("acme")

    assert not Offering.objects.get(upstream_model="acme/b").is_active


def test_operators_own_model_stays_when_no_list_names_it(provider, server):
    mine = offers.offer(Provider.objects.get(), model_id="acme/mine", upstream_model="mine")
    offers.post_price(mine, offers.Amounts.of(input=1, output=1), source=PriceSource.MANUAL)
    server.body = listed("acme/a")
    for _ in range(4):
        feeds.refresh("acme", force=True)

    assert Offering.objects.get(upstream_model="mine").missing == 0


def test_nobody_is_missing_when_the_list_is_not_complete(provider, server):
    server.body = listed("acme/a", "acme/b")
    feeds.refresh("acme")
    provider(complete=False)
    server.body = listed("acme/a")
    feeds.refresh("acme")

    assert set(Offering.objects.values_list("missing", flat=True)) == {0}


def test_undated_name_is_there_when_the_list_has_the_dated_one(provider, server):
    server.body = listed("acme/a", "acme/b")
    feeds.refresh("acme")
    server.body = listed("acme/a-20250929", "acme/c")
    feeds.refresh("acme")

    assert dict(Offering.objects.values_list("upstream_model", "missing"))["acme/a"] == 0
    assert dict(Offering.objects.values_list("upstream_model", "missing"))["acme/b"] == 1


def test_unpriced_model_is_not_made_but_known_ones_learn_when_listed(provider, server):
    server.body = listed("acme/a")
    feeds.refresh("acme")
    server.body = {"data": [{"id": "acme/a", "context_length": 7}, {"id": "acme/new"}]}
    summary = feeds.refresh("acme")

    assert (summary.listed, summary.priced) == (2, 0)
    assert Offering.objects.get().context_length == 7
    assert Model.objects.count() == 1
    assert find("acme/a").offerings[0].rates.input == 1_000_000_000


def test_provider_is_skipped_when_it_cannot_be_asked_or_has_no_list(provider, server):
    Provider.objects.create(slug="other", name="o", wire="openai_chat", base_url="https://o.test")
    assert feeds.refresh("other").reason == "no list of its models is known"
    Provider.objects.filter(slug="acme").update(enabled=False)
    assert (feeds.refresh("acme").outcome, feeds.refresh("acme").reason) == (Outcome.SKIPPED, "disabled")  # fmt: skip
    assert server.asked == []


def test_refresh_is_given_up_when_another_is_under_way(provider, server):
    server.body = listed("acme/a")
    Feed.objects.create(provider_id="acme", claimed_at=clock.now())
    assert feeds.refresh("acme").outcome is Outcome.BUSY
    Feed.objects.update(claimed_at=clock.now() - feeds.CLAIM - datetime.timedelta(seconds=1))
    assert feeds.refresh("acme").outcome is Outcome.UPDATED


def test_due_names_few_providers_when_all_wait(provider, empty_catalogue, monkeypatch):
    for number in range(70):
        Provider.objects.create(slug=f"p{number}", name="p", wire="openai_chat", base_url="https://p.test")  # fmt: skip
    monkeypatch.setattr(feeds, "listing_of", lambda slug: Listing())
    now = clock.now()

    assert len(feeds.due(now)) == 2
    Feed.objects.create(provider_id="p1", attempted_at=now - datetime.timedelta(minutes=59))
    Feed.objects.create(provider_id="p2", every_minutes=0)
    names = set()
    for minute in range(60):
        moment = now + datetime.timedelta(minutes=minute)
        for slug in feeds.due(moment):
            Feed.objects.update_or_create(provider_id=slug, defaults={"attempted_at": moment})
            assert slug not in names
            names.add(slug)
    assert len(names) == 70  # acme and the others, without p2


def test_task_refreshes_what_is_due_when_it_runs(provider, server, settings):
    server.body = listed("acme/a")
    settings.CELERY_TASK_ALWAYS_EAGER = True
    started: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tasks.refresh_provider, "delay", started.append)
        tasks.refresh_due()
    assert started == ["acme"]
    tasks.refresh_provider("acme")
    assert find("acme/a").offerings


def test_command_says_what_it_did_when_run(provider, server, capsys):
    server.body = listed("acme/a")
    call_command("refresh_catalogue")
    assert "acme                     updated         1 listed      1 priced" in capsys.readouterr().out  # fmt: skip
    server.status = 500
    with pytest.raises(CommandError, match="what was known stays"):
        call_command("refresh_catalogue", "acme", "--force")
    with pytest.raises(CommandError, match="no such provider"):
        call_command("refresh_catalogue", "nobody")


@pytest.mark.parametrize(
    "bad",
    [
        entry("acme/bad", "1e999999"),
        entry("acme/bad", {"amount": 1, "scale": 99999999999}),
        entry("acme/bad", {"amount": "1e999999"}),
        {**entry("acme/bad"), "name": "a\0b"},
        entry("acme/bad", description="a\0b"),
        entry("acme/b\0d"),
        entry("acme/bad", supported_parameters=["a\0b"]),
        {**entry("acme/bad"), "pricing": [1]},
    ],
    ids=[
        "large",
        "scaled",
        "large in an object",
        "name",
        "description",
        "id",
        "parameter",
        "shape",
    ],
)
def test_rest_is_taken_in_when_an_entry_is_bad(provider, server, bad):
    server.body = {"data": [entry("acme/a"), bad, entry("acme/c")]}
    summary = feeds.refresh("acme")

    assert (summary.outcome, summary.listed, summary.priced) == (Outcome.UPDATED, 3, 2)
    assert set(Model.objects.values_list("id", flat=True)) == {"acme/a", "acme/c"}
    assert Feed.objects.get().error == ""
    if bad["pricing"] != [1]:  # which says no price and nothing wrong
        assert sum(summary.left_out.values()) == 1


def test_entry_is_passed_over_when_it_has_another_shape(provider, server):
    provider(expand=odd_items.by_property)
    server.body = {"data": [entry("acme/a"), {"id": "acme/bad", "properties": [1]}]}
    summary = feeds.refresh("acme")

    assert (summary.listed, dict(summary.left_out)) == (1, {"not an entry as the row says (AttributeError)": 1})  # fmt: skip


def test_others_are_read_when_one_fails_unexpectedly(provider, server, monkeypatch):
    Provider.objects.create(slug="bad", name="Bad", wire="openai_chat", base_url=server.url)
    listing = feeds.listing_of("acme")  # type: ignore[attr-defined]
    monkeypatch.setattr(feeds, "listing_of", lambda slug: listing)
    monkeypatch.setattr(feeds, "LISTINGS", {"acme": listing, "bad": listing})
    found = feeds._found

    def fail(slug, model):
        if slug == "bad":
            raise RuntimeError("s3cret")
        return found(slug, model)

    monkeypatch.setattr(feeds, "_found", fail)
    server.body = listed("acme/a")
    summaries = feeds.refresh_all(["bad", "acme"])

    assert [one.outcome for one in summaries] == [Outcome.FAILED, Outcome.UPDATED]
    feed = Feed.objects.get(provider="bad")
    assert (feed.error, feed.claimed_at) == ("Unexpected RuntimeError; the log says where.", None)


def test_price_waits_for_staff_when_nothing_costs_that_much(provider, server):
    server.body = {"data": [entry("acme/a"), entry("acme/dear", completion="0.1")]}
    summary = feeds.refresh("acme")

    assert (summary.added, summary.quarantined) == (1, 1)
    assert "dearer than anything" in PriceProposal.objects.get().reason
