"""What gets into the snapshot, in which order, and at what cost."""

import datetime

import pytest

from apps.catalog.models import Model, Offering, PriceSource, Provider
from apps.catalog.providers.spec import NoAuth, Timeouts, UsageConvention
from apps.catalog.selectors import load_catalog
from apps.catalog.services import offers, providers, refresh, sandbox
from apps.common import clock
from tests.catalog.finding import find, url_of

pytestmark = pytest.mark.django_db


def test_provider_has_what_a_request_needs_when_an_operator_added_it(add_model, settings):
    settings.PROVIDER_SECRET = {"ACME_KEY": "s3cret"}.get
    add_model("acme/large", api_key_env="ACME_KEY", upstream_model="large-v1", context_length=1000)

    offering = find("acme/large").offerings[0]
    provider = offering.provider
    assert offering.upstream_model == "large-v1"
    assert offering.context_length == 1000
    assert url_of(offering) == "https://acme.test/v1/chat/completions"
    assert provider.request_headers() == {"authorization": "Bearer s3cret"}
    assert provider.request_headers(secret="own") == {"authorization": "Bearer own"}
    assert provider.usage is UsageConvention.CACHE_INSIDE_INPUT
    assert "s3cret" not in repr(load_catalog())
    assert "s3cret" not in repr(provider)


def test_provider_follows_the_wire_when_it_is_anthropic(add_model):
    add_model("acme/opus", wire="anthropic_messages", api_key_env="")

    offering = find("acme/opus").offerings[0]
    provider = offering.provider
    assert url_of(offering) == "https://acme.test/v1/messages"
    assert provider.auth == NoAuth()
    assert provider.request_headers() == {"anthropic-version": "2023-06-01"}


def test_kept_key_wins_when_the_environment_has_one_too(add_model, settings):
    settings.PROVIDER_SECRET = lambda name: "from-environment"
    row = add_model("acme/large", api_key_env="ACME_KEY").provider
    providers.set_api_key(row, "kept")

    assert "kept" not in row.api_key_ciphertext
    assert load_catalog().providers["acme"].secret == "kept"


def test_provider_is_left_out_when_its_key_is_unreadable(add_model):
    row = add_model("acme/large").provider
    row.api_key_ciphertext = "not-a-ciphertext"
    row.save()

    assert "acme" not in load_catalog().providers


@pytest.mark.parametrize(
    "switch_off",
    [
        lambda: Provider.objects.update(enabled=False),
        lambda: Provider.objects.update(api_key_env="UNSET_VARIABLE"),
        lambda: Offering.objects.update(is_active=False),
        lambda: Provider.objects.update(base_url=""),
    ],
    ids=["disabled", "no key", "offering off", "no address"],
)
def test_model_is_not_listed_when_nobody_can_serve_it(add_model, switch_off):
    add_model("acme/large")
    switch_off()

    snapshot = load_catalog()
    assert find("acme/large", snapshot).offerings == ()
    assert snapshot.listed() == ()


def test_model_is_unknown_when_it_is_inactive(add_model):
    add_model("acme/large")
    Model.objects.update(is_active=False)

    assert load_catalog().resolve("acme/large") is None


def test_model_is_priced_but_without_hosts_when_its_provider_is_off(add_model):
    add_model("acme/large")
    Provider.objects.update(enabled=False)

    assert find("acme/large").is_priced


def test_model_is_not_priced_when_only_hosts_that_are_off_have_a_price(add_model):
    row = add_model("acme/large").provider
    Provider.objects.create(
        slug="free", name="Free", wire="openai_chat", base_url="https://free.test"
    )
    Offering.objects.create(model_id="acme/large", provider_id="free", upstream_model="large")
    providers.set_enabled(row.slug, enabled=False)

    model = find("acme/large")
    assert not model.is_priced
    assert model.offerings == ()


def test_host_without_a_price_in_force_is_never_there_to_be_asked(add_model):
    add_model("acme/large", host="priced")
    for slug in ("later", "never"):
        add_model("acme/small", host=slug)  # it can be reached
        Offering.objects.create(model_id="acme/large", provider_id=slug, upstream_model="large")
    offers.post_price(
        Offering.objects.get(model_id="acme/large", provider_id="later"),
        offers.Amounts.of(input=1, output=1),
        source=PriceSource.STAFF,
        valid_from=clock.now() + datetime.timedelta(hours=1),
    )

    assert [host.provider.slug for host in find("acme/large").offerings] == ["priced"]
    assert len(find("acme/small").offerings) == 2


def test_offerings_are_ordered_when_several_hosts_serve_a_model(add_model):
    add_model("acme/large", host="dear", input_usd="9")
    add_model("acme/large", host="cheap", input_usd="1")
    add_model("acme/large", host="first", input_usd="99")
    add_model("acme/large", host="last", input_usd="0", priority=5)
    Provider.objects.filter(slug="first").update(priority=1)

    model = find("acme/large")
    assert [offering.provider.slug for offering in model.offerings] == [
        "first",
        "cheap",
        "dear",
        "last",
    ]


def test_deadlines_are_the_operators_when_set(add_model):
    add_model("acme/large")
    Provider.objects.update(idle_seconds=3.5)

    assert load_catalog().providers["acme"].timeouts == Timeouts(idle=3.5)


def test_snapshot_takes_six_queries_when_there_are_many_models(
    add_model, django_assert_num_queries
):
    for number in range(5):
        add_model(f"acme/model-{number}", host=f"host-{number % 3}")

    with django_assert_num_queries(6):
        assert len(load_catalog().listed()) == 5


def test_change_is_seen_within_a_second_when_nobody_watches(add_model, live, monkeypatch):
    add_model("acme/large")
    assert live.get().resolve("acme/small") is None
    add_model("acme/small")
    started = live._checked
    monkeypatch.setattr("apps.common.clock.monotonic", lambda: started + 1.01)

    assert find("acme/small", live.get()).offerings


def test_registry_rows_are_synced_once_when_repeated(db, django_assert_max_num_queries):
    assert refresh.sync_registry() == Provider.objects.count()
    Provider.objects.filter(slug="openai").update(
        enabled=False,
        priority=3,
        markup_ppm=7,
        base_url="https://eu.test",
        wire="anthropic_messages",
    )
    refresh.sync_registry()

    row = Provider.objects.get(slug="openai")
    assert (row.enabled, row.priority, row.markup_ppm, row.base_url) == (
        False,
        3,
        7,
        "https://eu.test",
    )
    assert row.wire == "openai_chat"


def test_sandbox_is_reachable_over_both_wires_when_enabled(db, settings):
    settings.SANDBOX_ENABLED, settings.SANDBOX_URL = True, "http://127.0.0.1:9/"
    sandbox.sync_sandbox()
    sandbox.sync_sandbox()

    snapshot = load_catalog()
    echo, claude = find("sandbox/echo", snapshot), find("sandbox/claude", snapshot)
    assert echo.is_sandbox
    assert url_of(echo.offerings[0]) == "http://127.0.0.1:9/v1/chat/completions"
    assert echo.offerings[0].rates.input == 150_000_000
    assert echo.offerings[0].rates.cache_read == 75_000_000
    assert claude.offerings[0].upstream_model == "echo"
    assert url_of(claude.offerings[0]) == "http://127.0.0.1:9/v1/messages"
    assert {model.id for model in snapshot.listed()} == {model.id for model in sandbox.MODELS}


def test_sandbox_is_not_listed_when_switched_off(db, settings):
    settings.SANDBOX_ENABLED, settings.SANDBOX_URL = False, "http://127.0.0.1:9"
    sandbox.sync_sandbox()

    assert load_catalog().listed() == ()


def test_sandbox_is_not_listed_when_its_address_is_unknown(db, settings):
    settings.SANDBOX_ENABLED, settings.SANDBOX_URL = True, ""
    sandbox.sync_sandbox()

    assert load_catalog().listed() == ()


def test_sandbox_is_pinned_when_an_address_is_given(db, settings):
    settings.SANDBOX_ENABLED, settings.SANDBOX_URL = True, ""
    sandbox.sync_sandbox("http://127.0.0.1:7")

    assert load_catalog().providers["sandbox"].base_url == "http://127.0.0.1:7/v1"
