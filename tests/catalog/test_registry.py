"""Sanity of the rows that ship, and that nothing else in the code knows a provider by name."""

import re
from pathlib import Path

import pytest

from apps.catalog.providers.registry import PROVIDERS, TEMPLATES, by_slug
from apps.catalog.providers.spec import HeaderKey, NoAuth, Wire, auth_env, auth_headers
from gatewayz import env

ROWS = pytest.mark.parametrize("spec", PROVIDERS.values(), ids=PROVIDERS.keys())
APPS = Path(__file__).resolve().parents[2] / "apps"


@ROWS
def test_row_is_complete_when_shipped(spec):
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", spec.slug)
    assert spec.name
    assert spec.docs.startswith("https://")
    assert spec.base_url.startswith(("https://", "{SANDBOX_URL}"))
    assert set(re.findall(r"\{(\w+)\}", spec.base_url)) == set(spec.settings)
    assert not spec.base_url.endswith("/")
    for endpoints in spec.endpoints.values():
        assert endpoints
        assert all(endpoint.path.startswith("/") for endpoint in endpoints)


@ROWS
def test_key_variable_is_documented_when_the_row_wants_one(spec):
    assert isinstance(spec.auth, NoAuth) == spec.is_sandbox
    assert spec.is_sandbox or auth_env(spec.auth) in env.VARIABLES


@ROWS
def test_quirk_says_why_and_where_from_when_shipped(spec):
    for quirk in spec.quirks:
        assert re.search(r"\(\d{4}-\d{2}-\d{2}, https://\S+\)", quirk.reason), quirk.name


def test_rows_are_alphabetical_when_listed():
    assert list(PROVIDERS) == sorted(PROVIDERS)


def test_by_slug_refuses_when_two_rows_share_a_slug():
    row = PROVIDERS["openai"]

    with pytest.raises(ValueError, match="share a slug"):
        by_slug(row, row)


def test_every_wire_has_a_template_when_an_operator_adds_a_provider():
    assert set(TEMPLATES) == set(Wire)


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
