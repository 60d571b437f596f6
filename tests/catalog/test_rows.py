"""What every row sends is what was last read and found right: a change of a row shows as a difference of ``rows.txt``.

The table holds, for each row, its headers with the secret marked and, for each operation, wire and kind of model, the
address and the body, streamed and not. ``row_table`` says how to write it anew.
"""

import pytest

from apps.catalog.providers.registry import PROVIDERS
from apps.catalog.providers.spec import auth_env
from tests.catalog import row_table


@pytest.fixture(scope="module")
def rendered():
    return row_table.render()


@pytest.mark.parametrize("slug", PROVIDERS)
def test_row_sends_what_was_found_right_when_asked(slug, rendered):
    assert rendered[slug].rstrip() == row_table.committed()[slug].rstrip()


def test_table_has_every_row_and_no_other_when_compared():
    assert list(row_table.committed()) == list(PROVIDERS)


def test_every_model_of_the_table_is_served_when_asked(rendered):
    for slug, models in row_table.MODELS.items():
        endpoints = [e for found in PROVIDERS[slug].endpoints.values() for e in found]
        assert all(any(e.serves(model) for e in endpoints) for model in models), slug


def test_secret_is_marked_when_a_row_wants_one(rendered):
    for slug, spec in PROVIDERS.items():
        if not spec.is_sandbox:
            assert f"<{auth_env(spec.auth)}>" in rendered[slug], slug


def test_data_policy_names_its_page_when_a_row_has_one():
    told = {slug: spec.data_policy for slug, spec in PROVIDERS.items() if spec.data_policy}

    assert set(told) >= {
        "openai",
        "anthropic",
        "google-vertex",
        "xai",
        "fireworks",
        "baseten",
        "together",
    }
    for slug, policy in told.items():
        assert policy.page.startswith("https://"), slug
        assert (policy.collects, policy.keeps_nothing) != (None, None), slug
        # Who keeps nothing has nothing to use.
        assert not (policy.keeps_nothing and policy.collects is not False), slug
