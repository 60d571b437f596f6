"""What of a row depends on the environment: addresses, headers, keys that may be missing, keys that are files."""

import json

import pytest
import structlog

from apps.catalog.models import Provider
from apps.catalog.providers.registry import PROVIDERS
from apps.catalog.providers.spec import NoAuth, Operation, Wire, endpoint_of
from apps.catalog.reach import read_provider, why_not_asked
from apps.catalog.services.providers import registered_facts
from apps.common import crypto

ACCOUNT = '{"client_email": "a"}'


@pytest.fixture
def environment(settings):
    """Sets variables as providers' rows see them."""

    def put(**values):
        settings.PROVIDER_SECRET = lambda name: values.get(name, "")

    put()
    return put


def row_of(slug, **columns):
    return Provider(slug=slug, **registered_facts(PROVIDERS[slug]), **columns)


def read(slug, **columns):
    found = read_provider(row_of(slug, **columns))
    assert found is not None, why_not_asked(row_of(slug, **columns))
    return found


def url_at(provider, model, *, operation=Operation.CHAT, wire=Wire.OPENAI_CHAT, stream=False):
    endpoint = endpoint_of(provider.endpoints, operation, model, wire)
    assert endpoint is not None
    return (endpoint.base_url or provider.base_url) + endpoint.path_for(model, stream=stream)


def test_row_says_which_variables_are_missing_when_its_address_needs_them(environment):
    environment(CLOUDFLARE_API_TOKEN="k", GOOGLE_APPLICATION_CREDENTIALS=ACCOUNT)

    assert (
        why_not_asked(row_of("cloudflare-workers-ai")) == "no base URL: set CLOUDFLARE_ACCOUNT_ID"
    )
    assert why_not_asked(row_of("google-vertex")) == "no base URL: set GOOGLE_PROJECT_ID"


def test_addresses_are_filled_in_when_the_variables_are_set(environment):
    environment(GOOGLE_APPLICATION_CREDENTIALS=ACCOUNT, GOOGLE_PROJECT_ID="p")
    provider = read("google-vertex")

    assert url_at(provider, "gemini-2.5-pro", stream=True) == (
        "https://us-central1-aiplatform.googleapis.com/v1/projects/p/locations/us-central1"
        "/publishers/google/models/gemini-2.5-pro:streamGenerateContent?alt=sse"
    )
    assert url_at(provider, "gemini-3.5-flash") == (
        "https://aiplatform.googleapis.com/v1/projects/p/locations/global"
        "/publishers/google/models/gemini-3.5-flash:generateContent"
    )


def test_everything_goes_to_the_operators_address_when_the_row_has_one(environment):
    environment(GOOGLE_APPLICATION_CREDENTIALS=ACCOUNT, DEEPSEEK_API_KEY="k")
    vertex = read("google-vertex", base_url="https://proxy.test/v1")
    deepseek = read("deepseek", base_url="https://proxy.test/v1/")

    assert url_at(vertex, "gemini-3.5-flash").startswith("https://proxy.test/v1/publishers/google/")
    assert url_at(deepseek, "m", wire=Wire.ANTHROPIC_MESSAGES) == (
        "https://proxy.test/v1/chat/completions"
    )


def test_operation_is_gone_when_it_lived_only_at_another_address(environment):
    environment(COHERE_API_KEY="k")

    assert Operation.RERANK in read("cohere").endpoints
    assert Operation.RERANK not in read("cohere", base_url="https://proxy.test/v1").endpoints


def test_header_is_left_out_when_its_variable_is_not_set(environment):
    environment(OPENROUTER_API_KEY="k")
    assert dict(read("openrouter").headers) == {
        "anthropic-version": "2023-06-01",
        "x-title": "Gatewayz",
    }

    environment(OPENROUTER_API_KEY="k", OPENROUTER_SITE_URL="https://me.test/")
    assert read("openrouter").headers["http-referer"] == "https://me.test"


@pytest.mark.parametrize(
    ("slug", "variable"),
    [
        ("vllm", "VLLM_BASE_URL"),
        ("ollama", "OLLAMA_BASE_URL"),
        ("lmstudio", "LM_STUDIO_BASE_URL"),
    ],
)
def test_own_server_is_asked_without_a_key_when_it_has_an_address(environment, slug, variable):
    assert read_provider(row_of(slug)) is None

    environment(**{variable: "http://localhost:8000/v1/"})
    provider = read(slug)

    assert isinstance(provider.auth, NoAuth)
    assert "authorization" not in provider.request_headers()
    assert url_at(provider, "m") == "http://localhost:8000/v1/chat/completions"


def test_own_server_is_sent_a_key_when_there_is_one(environment):
    environment(VLLM_BASE_URL="http://localhost:8000/v1", VLLM_API_KEY="k")

    assert read("vllm").request_headers()["authorization"] == "Bearer k"


def test_account_is_read_from_its_file_when_the_variable_is_a_path(environment, tmp_path):
    path = tmp_path / "account.json"
    path.write_text(ACCOUNT)
    environment(GOOGLE_APPLICATION_CREDENTIALS=str(path), GOOGLE_PROJECT_ID="p")

    assert json.loads(read("google-vertex").secret) == {"client_email": "a"}


@pytest.mark.parametrize("path", ["/nowhere/account.json", "/", "no\0path"])
def test_provider_is_not_asked_when_the_accounts_file_cannot_be_read(environment, path):
    environment(GOOGLE_APPLICATION_CREDENTIALS=path, GOOGLE_PROJECT_ID="p")

    with structlog.testing.capture_logs() as events:
        assert (
            why_not_asked(row_of("google-vertex")) == "no key: set GOOGLE_APPLICATION_CREDENTIALS"
        )
    assert events[0]["event"] == "catalog.provider_key_file_unreadable"
    assert path not in str(events)


def test_no_file_is_read_when_the_key_was_entered_by_hand(environment, tmp_path):
    path = tmp_path / "account.json"
    path.write_text(ACCOUNT)
    environment(GOOGLE_PROJECT_ID="p")

    entered = read("google-vertex", api_key_ciphertext=crypto.encrypt(str(path)))

    assert entered.secret == str(path)


def test_region_is_known_to_the_signature_when_the_row_is_read(environment):
    environment(AWS_BEDROCK_API_KEY="a:b", AWS_REGION="eu-west-1")
    provider = read("aws-bedrock")

    assert provider.settings == {"AWS_REGION": "eu-west-1"}
    assert provider.base_url == "https://bedrock-runtime.eu-west-1.amazonaws.com"
