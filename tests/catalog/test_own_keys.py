"""What a provider is asked like with a customer's key: an address that is its own, with nothing of the customer's but the parts it may choose."""

import pytest
import yarl
from hypothesis import given
from hypothesis import strategies as st

from apps.catalog import own_keys
from apps.catalog.models import Provider
from apps.catalog.own_keys import SETTINGS, SettingWrong, asked_with, check_settings
from apps.catalog.providers.registry import PROVIDERS
from apps.catalog.providers.spec import Operation, Wire, endpoint_of
from apps.catalog.reach import describe_provider
from apps.catalog.services.providers import registered_facts
from apps.catalog.snapshots import ProviderSnapshot

SECRET = "secret-of-the-customer"
HOUSE = {
    "AZURE_OPENAI_RESOURCE": "resource-of-the-house",
    "AWS_REGION": "us-west-2",
    "GOOGLE_PROJECT_ID": "project-of-the-house",
    "GOOGLE_VERTEX_LOCATION": "us-east5",
    "CLOUDFLARE_ACCOUNT_ID": "f" * 32,
    "OPENROUTER_APP_NAME": "Ours",
    "MODELZ_BASE_URL": "https://modelz.example/v1",
}


@pytest.fixture(autouse=True)
def house(settings):
    settings.PROVIDER_SECRET = lambda name: HOUSE.get(name, "")


def described(slug, **columns) -> ProviderSnapshot:
    return describe_provider(Provider(slug=slug, **registered_facts(PROVIDERS[slug]), **columns))


def asked(slug, settings=(), **columns) -> ProviderSnapshot | None:
    return asked_with(
        described(slug, **columns), version="7.1", secret=SECRET, settings=dict(settings)
    )


def addresses(provider: ProviderSnapshot) -> set[str]:
    own = {e.base_url for found in provider.endpoints.values() for e in found if e.base_url}
    return {provider.base_url, *own}


@pytest.mark.parametrize(
    ("slug", "chosen", "address"),
    [
        ("groq", {}, "https://api.groq.com/openai/v1"),
        ("azure-openai", {"resource": "mine"}, "https://mine.openai.azure.com/openai/v1"),
        ("aws-bedrock", {}, "https://bedrock-runtime.us-east-1.amazonaws.com"),
        ("aws-bedrock", {"region": "eu-central-1"}, "https://bedrock-runtime.eu-central-1.amazonaws.com"),
        ("modelz", {}, "https://modelz.example/v1"),
    ],
)  # fmt: skip
def test_address_has_the_customers_parts_and_never_the_houses(slug, chosen, address):
    provider = asked(slug, chosen)

    assert provider is not None
    assert provider.base_url == address
    assert provider.secret == SECRET
    assert provider.own_key == "7.1"
    assert SECRET not in repr(provider)


def test_addresses_of_endpoints_are_the_customers_too():
    provider = asked("google-vertex", {"project": "my-project-1", "location": "europe-west4"})

    assert provider is not None
    assert all("my-project-1" in address for address in addresses(provider))
    assert not any("house" in address for address in addresses(provider))
    claude = endpoint_of(provider.endpoints, Operation.CHAT, "claude-x", Wire.ANTHROPIC_MESSAGES)
    assert claude is not None


def test_signature_names_the_customers_region():
    provider = asked("aws-bedrock", {"region": "eu-central-1"})

    assert provider is not None
    assert provider.settings["AWS_REGION"] == "eu-central-1"


def test_authentication_is_the_rows_though_the_house_has_no_key():
    assert described("groq").request_headers() == {}
    provider = asked("groq")

    assert provider is not None
    assert provider.request_headers()["authorization"] == f"Bearer {SECRET}"


@pytest.mark.parametrize(
    ("slug", "chosen"),
    [
        ("sandbox", {}),
        ("ollama", {}),
        ("azure-openai", {}),
        ("azure-openai", {"resource": "evil.example/"}),
        ("aws-bedrock", {"region": "us-east-1.evil.example#"}),
        ("groq", {"resource": "mine"}),
    ],
)
def test_provider_is_not_asked_when_it_wants_no_key_or_the_settings_do_not_fit(slug, chosen):
    assert asked(slug, chosen) is None


def test_provider_is_not_asked_without_a_secret_or_an_address(settings):
    assert asked_with(described("groq"), version="1", secret="", settings={}) is None
    settings.PROVIDER_SECRET = lambda name: ""
    assert asked("modelz") is None


@given(st.sampled_from(sorted(SETTINGS)), st.text(max_size=40) | st.from_regex(r"[a-z.:/@#?-]+"))
def test_no_setting_leads_out_of_its_place(variable, text):
    setting = SETTINGS[variable]
    if not setting.pattern.fullmatch(text):
        return
    address = yarl.URL(f"https://{text}.host.example/{text}/v1")

    assert address.host == f"{text}.host.example".lower()
    assert address.path == f"/{text}/v1"


@pytest.mark.parametrize("variable", SETTINGS)
def test_examples_are_of_the_right_form(variable):
    assert SETTINGS[variable].pattern.fullmatch(SETTINGS[variable].example)


OUR_OWN = {"AIHUBMIX_APP_CODE", "OPENROUTER_APP_NAME", "OPENROUTER_SITE_URL", "SANDBOX_URL"}
"""What the house says of itself, also with a customer's key."""


def test_every_variable_of_a_row_is_the_customers_or_the_houses():
    """A new one must be decided upon: an account of the house's is none for a customer's key."""
    named = {variable for spec in PROVIDERS.values() for variable in spec.settings}

    addresses = {variable for variable in named if variable.endswith("_BASE_URL")}
    assert named == set(SETTINGS) | OUR_OWN | addresses


@pytest.mark.parametrize("variable", [v for v in HOUSE if v.endswith("_BASE_URL")])
def test_addresses_are_nobodys_to_choose(variable):
    assert variable not in SETTINGS


def test_setting_that_is_missing_is_named():
    template = described("cloudflare-workers-ai").template
    assert template is not None

    with pytest.raises(SettingWrong) as wrong:
        check_settings(template, {})

    assert (wrong.value.name, wrong.value.code) == ("account_id", "missing_field")


def test_staffs_word_of_the_houses_account_says_nothing_of_the_customers():
    agreed = {"collects_data": False, "keeps_nothing": True, "region": "eu"}

    house, own = described("aws-bedrock", **agreed), asked("aws-bedrock", **agreed)

    assert own is not None
    assert (house.collects_data, house.keeps_nothing, house.region) == (False, True, "eu")
    assert (own.collects_data, own.keeps_nothing, own.region) == (None, False, "")


def test_published_policy_says_the_same_of_the_customers_account():
    own = asked("fireworks")

    assert own is not None
    assert (own.collects_data, own.keeps_nothing) == (False, True)


def test_address_of_staffs_own_stays_for_customers_keys():
    own = asked("groq", base_url="https://proxy.example/v1/")

    assert own is not None
    assert own.base_url == "https://proxy.example/v1"


@pytest.mark.django_db
def test_provider_is_found_with_or_without_a_key_but_not_when_it_is_off():
    for slug, enabled in (("groq", True), ("openai", False)):
        Provider.objects.create(slug=slug, enabled=enabled, **registered_facts(PROVIDERS[slug]))

    assert own_keys.find_provider("groq") is not None
    assert own_keys.find_provider("openai") is None
    assert own_keys.find_provider("nobody") is None
    assert own_keys.find_provider("gr\x00oq") is None
