"""``manage.py provider``."""

import pytest
from django.core.management import CommandError, call_command

from apps.catalog.models import Offering, Price, Provider
from apps.catalog.providers.spec import Wire
from apps.catalog.selectors import load_catalog
from tests.catalog.finding import find, url_of

pytestmark = pytest.mark.django_db

GOOD = {
    "--base-url": "https://acme.test/v1/",
    "--wire": "openai_chat",
    "--model": "acme/Large",
    "--input-price": "0.15",
    "--output-price": "0.60",
}


def add(slug="acme", **options):
    given = GOOD | {f"--{name.replace('_', '-')}": value for name, value in options.items()}
    # "=" keeps argparse from taking "-1" for an option.
    parts = [f"{name}={value}" for name, value in given.items() if value is not None]
    call_command("provider", "add", slug, *parts)


def test_model_is_live_within_a_second_when_a_provider_is_added(live, monkeypatch):
    assert live.get().resolve("acme/large") is None
    add(
        upstream_model="large-v2",
        cache_read_price="0.075",
        context="128000",
        max_output="4096",
        priority="3",
    )
    started = live._checked
    monkeypatch.setattr("apps.common.clock.monotonic", lambda: started + 1.01)

    offering = find("acme/large", live.get()).offerings[0]
    assert offering.model_id == "acme/Large"
    assert url_of(offering) == "https://acme.test/v1/chat/completions"
    assert offering.upstream_model == "large-v2"
    assert (offering.context_length, offering.max_output_tokens, offering.priority) == (
        128_000,
        4096,
        3,
    )
    assert (offering.rates.input, offering.rates.output, offering.rates.cache_read) == (
        150_000_000,
        600_000_000,
        75_000_000,
    )


def test_second_model_and_second_host_join_when_added_again():
    add()
    add(model="acme/Small", base_url=None, wire=None)
    add("reseller", base_url="http://10.0.0.1:8000/v1", wire="anthropic_messages")

    snapshot = load_catalog()
    assert {model.id for model in snapshot.listed()} == {"acme/Large", "acme/Small"}
    assert [offering.provider.slug for offering in find("acme/Large", snapshot).offerings] == [
        "acme",
        "reseller",
    ]


def test_new_price_follows_when_a_model_is_added_again():
    add()
    add()
    add(input_price="0.2")

    assert Price.objects.count() == 2
    assert find("acme/Large").offerings[0].rates.input == 200_000_000


def test_shipped_provider_needs_no_address_when_a_model_is_added():
    add("deepinfra", base_url=None, wire=None)

    assert Provider.objects.get().base_url == ""
    assert Offering.objects.get().provider_id == "deepinfra"


def test_shipped_variable_is_taken_when_another_provider_is_to_use_it():
    add(api_key_env="OPENAI_API_KEY")

    assert Provider.objects.get().api_key_env == "OPENAI_API_KEY"


def test_model_keeps_its_id_when_added_in_another_case():
    add()
    add("reseller", model="ACME/LARGE")

    assert set(Offering.objects.values_list("model", flat=True)) == {"acme/Large"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"base_url": "acme.test"}, "--base-url must be an http:// or https:// address"),
        ({"base_url": "ftp://acme.test"}, "--base-url must be"),
        ({"base_url": "https://"}, "--base-url must be"),
        ({"base_url": "https://[::1"}, "--base-url must be"),
        ({"base_url": "https://acme.test:99999"}, "--base-url must be"),
        ({"base_url": "https://u:p@acme.test"}, "--base-url must be"),
        (
            {"base_url": "https://acme.test/v1/chat/completions/"},
            "--base-url must end before /chat/completions, which is added: https://acme.test/v1",
        ),
        (
            {"base_url": "https://acme.test/v1/messages", "wire": "anthropic_messages"},
            "--base-url must end before /messages, which is added: https://acme.test/v1",
        ),
        ({"base_url": None}, "--base-url is needed: acme is a new provider."),
        ({"wire": "gopher"}, "--wire must be one of " + ", ".join(Wire) + ", not 'gopher'."),
        ({"wire": None}, "--wire is needed, one of " + ", ".join(Wire) + "."),
        (
            {"input_price": "-1"},
            "--input-price must be US dollars per million tokens, 0 or more, not '-1'.",
        ),
        ({"output_price": "cheap"}, "--output-price must be"),
        ({"output_price": "NaN"}, "--output-price must be"),
        ({"output_price": "1e30"}, "--output-price must be"),
        ({"cache_read_price": "-0.1"}, "--cache-read-price must be"),
        ({"context": "0"}, "--context must be a whole number of at least 1, not '0'."),
        ({"max_output": "many"}, "--max-output must be"),
        ({"priority": "-1"}, "--priority must be a whole number of at least 0"),
        ({"model": " "}, "--model must be"),
        ({"api_key_env": "MY KEY"}, "--api-key-env must be the name of a variable"),
        (
            {"api_key_env": "SECRET_KEY"},
            "--api-key-env must not be SECRET_KEY, which is the gateway's",
        ),
        ({"api_key_env": "DATABASE_URL"}, "--api-key-env must not be DATABASE_URL"),
    ],
)
def test_command_says_which_option_is_wrong_when_one_is(options, message):
    with pytest.raises(CommandError) as raised:
        add(**options)

    assert str(raised.value).startswith(message)
    assert "\n" not in str(raised.value)
    assert not Provider.objects.exists()


def test_command_refuses_when_the_slug_is_malformed_or_the_wire_changes():
    with pytest.raises(CommandError, match=r"^SLUG must be lower-case letters"):
        add("Acme!")
    add()
    with pytest.raises(CommandError, match=r"^--wire cannot change: acme speaks openai_chat"):
        add(wire="anthropic_messages")


def test_command_says_so_when_the_key_is_missing(capsys):
    add(api_key_env="ACME_KEY_THAT_IS_NOT_SET")

    captured = capsys.readouterr()
    assert (
        "acme/Large is offered by acme as acme/Large at https://acme.test/v1/chat/completions."
        in captured.out
    )
    assert "No request goes to acme yet: no key: set ACME_KEY_THAT_IS_NOT_SET." in captured.err


def test_provider_leaves_and_returns_when_disabled_and_enabled(capsys):
    add()
    call_command("provider", "disable", "acme")
    assert load_catalog().listed() == ()
    call_command("provider", "list")
    call_command("provider", "enable", "acme")

    assert load_catalog().listed()
    assert "disabled" in capsys.readouterr().out
    with pytest.raises(
        CommandError, match=r"^SLUG must be a provider's, not 'nobody'; known: acme.$"
    ):
        call_command("provider", "disable", "nobody")
