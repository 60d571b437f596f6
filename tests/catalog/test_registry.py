"""Sanity of the rows that ship, and that nothing else in the code knows a provider by name."""

import re
from pathlib import Path

import pytest

from apps.catalog.providers.registry import PROVIDERS, TEMPLATES, by_slug
from apps.catalog.providers.spec import (
    Endpoint,
    HeaderKey,
    NoAuth,
    Tier,
    Wire,
    auth_env,
    auth_headers,
    is_secret_needed,
)
from gatewayz import env

ROWS = pytest.mark.parametrize("spec", PROVIDERS.values(), ids=PROVIDERS.keys())
APPS = Path(__file__).resolve().parents[2] / "apps"
OWN_SERVER = 5
"""The priority of servers of one's own, which are asked first and may want no key."""
SOURCES = [path.read_text() for path in (APPS / "catalog/providers/rows").glob("*.py")]


@ROWS
def test_row_is_complete_when_shipped(spec):
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", spec.slug)
    assert spec.name
    assert spec.docs.startswith("https://")
    own = [endpoint.base_url for endpoint in endpoints_of(spec) if endpoint.base_url]
    for base_url in (spec.base_url, *own):
        assert re.match(r"https://|\{[A-Z_]+_(BASE_)?URL\}", base_url)
        assert not base_url.endswith("/")
    templates = (spec.base_url, *own, *spec.headers.values())
    assert set(re.findall(r"\{(\w+)\}", " ".join(templates))) == set(spec.settings)
    assert all(spec.endpoints.values())
    assert all(endpoint.path.startswith("/") for endpoint in endpoints_of(spec))
    assert all(name == name.lower() for name in spec.headers)


def endpoints_of(spec):
    return [endpoint for found in spec.endpoints.values() for endpoint in found]


@ROWS
def test_settings_have_the_defaults_of_the_configuration_when_shipped(spec):
    for name, default in spec.settings.items():
        assert env.VARIABLES[name].default == default
        assert name == "SANDBOX_URL" or name in env.PROVIDER_SETTINGS


def test_provider_variables_all_belong_to_a_row_when_compared():
    used = {auth_env(spec.auth) for spec in PROVIDERS.values()}
    used |= {name for spec in PROVIDERS.values() for name in spec.settings}

    assert {*env.PROVIDER_KEYS, *env.PROVIDER_SETTINGS} == used - {"", "SANDBOX_URL"}


@ROWS
def test_hearsay_is_named_when_a_row_is_not_documented(spec):
    """A row whose facts could not be read says so in a comment beside it."""
    source = next(text for text in SOURCES if f'slug="{spec.slug}"' in text or spec.is_sandbox)
    before, _, after = source.partition(f'slug="{spec.slug}"')
    row = re.split(r"\n\)", before)[-1] + re.split(r"\n\)", after)[0]

    assert (spec.tier is Tier.COMMUNITY) == ("Hearsay: " in row)


@ROWS
def test_key_variable_is_documented_when_the_row_wants_one(spec):
    assert isinstance(spec.auth, NoAuth) == spec.is_sandbox
    assert is_secret_needed(spec.auth) == (not spec.is_sandbox and spec.priority > OWN_SERVER)
    assert spec.is_sandbox or auth_env(spec.auth) in env.VARIABLES


@ROWS
def test_quirk_says_why_and_where_from_when_shipped(spec):
    for quirk in (*spec.quirks, *(quirk for found in endpoints_of(spec) for quirk in found.quirks)):
        assert re.search(r"\(\d{4}-\d{2}-\d{2}, https://\S+\)", quirk.reason), quirk.name


def test_rows_are_alphabetical_when_listed():
    assert list(PROVIDERS) == sorted(PROVIDERS)


def test_every_row_is_in_its_files_list_when_searched():
    slugs = {slug for text in SOURCES for slug in re.findall(r'slug="([^"]+)"', text)}

    assert slugs == {slug for slug, spec in PROVIDERS.items() if not spec.is_sandbox}


def test_by_slug_refuses_when_two_rows_share_a_slug():
    row = PROVIDERS["openai"]

    with pytest.raises(ValueError, match="share a slug"):
        by_slug(row, row)


def test_every_wire_has_a_template_when_an_operator_adds_a_provider():
    assert set(TEMPLATES) == set(Wire)


@pytest.mark.parametrize(
    ("model", "served"),
    [("gpt-5", True), ("GPT-5-Pro", False), ("gpt-5.1-codex-max", False), ("o3-pro-2025-06-10", False)],
)  # fmt: skip
def test_endpoint_leaves_models_to_others_when_excepted(model, served):
    endpoint = Endpoint(Wire.OPENAI_CHAT, "/x", except_models=("*-pro", "*-pro-20*", "*codex*"))

    assert endpoint.serves(model) is served


def test_model_in_a_path_is_one_segment_when_its_name_has_slashes():
    endpoint = Endpoint(Wire.BEDROCK_CONVERSE, "/model/{model}/converse")
    name = "arn:aws:bedrock:us-east-1:1:inference-profile/p"

    assert endpoint.path_for(name, stream=False) == (
        "/model/arn:aws:bedrock:us-east-1:1:inference-profile%2Fp/converse"
    )


def test_anthropic_speaks_its_own_wire_when_asked():
    spec = PROVIDERS["anthropic"]

    assert spec.wire is Wire.ANTHROPIC_MESSAGES
    assert spec.auth == HeaderKey("x-api-key", "ANTHROPIC_API_KEY")
    assert auth_headers(spec.auth, "k") == {"x-api-key": "k"}
    assert spec.headers == {"anthropic-version": "2023-06-01"}


def test_no_code_branches_on_a_provider_when_searched():
    slugs = "|".join(PROVIDERS)
    branch = re.compile(
        rf"""([=!]=\s*["']({slugs})["']|["']({slugs})["']\s*[=!]=|case\s+["']({slugs})["'])"""
    )
    found = [
        f"{path.relative_to(APPS)}:{number}"
        for path in APPS.rglob("*.py")
        if "sandbox" not in path.relative_to(APPS).parts[:1]
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if branch.search(line) or re.search(r"provider\w*(\.slug|_id)?\s*[=!]=\s*[\"']", line)
    ]

    assert found == []
