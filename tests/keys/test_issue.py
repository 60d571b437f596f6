"""Keys: what they look like, what is kept of them, and what is not."""

import re
import string

import pytest
from django.apps import apps
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from apps.accounts.models import Organization
from apps.common import clock, crypto
from apps.common.errors import Unauthenticated
from apps.keys import services
from apps.keys.authenticate import authenticate_now, read_secret
from apps.keys.models import ApiKey, Environment
from apps.keys.services import IssuedKey, checksum, is_well_formed

CHARACTERS = string.ascii_letters + string.digits + "-_"


@pytest.fixture
def organization(db) -> Organization:
    return Organization.objects.create(name="Acme")


@pytest.fixture
def issued(organization) -> IssuedKey:
    return services.issue(organization.pk, name="ci")


@pytest.mark.parametrize("environment", Environment)
def test_secret_tells_its_environment_and_proves_itself_when_issued(organization, environment):
    secret = services.issue(organization.pk, name="ci", environment=environment).secret

    assert re.fullmatch(rf"gw_{environment}_[\w-]{{43}}[\w-]{{6}}", secret)
    assert is_well_formed(secret)


def test_secrets_differ_when_two_are_issued(organization):
    secrets = {services.issue(organization.pk, name="ci").secret for _ in range(50)}

    assert len(secrets) == 50


def test_only_hash_ending_and_ciphertext_are_kept_when_issued(issued):
    row = ApiKey.objects.get(pk=issued.key.pk)

    assert row.key_hash == crypto.lookup_hash(issued.secret)
    assert row.last4 == issued.secret[-4:]
    assert crypto.decrypt(row.ciphertext) == issued.secret


def test_secret_is_in_no_column_of_any_table_when_issued(issued):
    secret_parts = {issued.secret, issued.secret.removeprefix("gw_live_")[:43]}

    found: list[str] = []
    with connection.cursor() as cursor:
        for model in apps.get_models(include_auto_created=True):
            cursor.execute(f'SELECT * FROM "{model._meta.db_table}"')
            for row in cursor.fetchall():
                written = " ".join(str(value) for value in row)
                found.extend(model.__name__ for part in secret_parts if part in written)

    assert ApiKey.objects.exists()
    assert found == []


def test_hash_depends_on_the_pepper_when_it_is_rotated(issued, settings):
    before = crypto.lookup_hash(issued.secret)

    settings.KEY_PEPPER = "another"

    assert crypto.lookup_hash(issued.secret) != before


def test_ciphertext_is_still_read_when_the_keyring_got_a_new_first_key(issued, settings):
    ciphertext = ApiKey.objects.get(pk=issued.key.pk).ciphertext

    settings.KEYRING = ["0nKWqlZfPYDPYiGkOkvIzIUzM1gxZbQyo1Y3nFJ8Z2g=", *settings.KEYRING]

    assert crypto.decrypt(ciphertext) == issued.secret


def test_ciphertext_is_unreadable_when_the_keyring_lost_its_key(issued, settings):
    ciphertext = ApiKey.objects.get(pk=issued.key.pk).ciphertext

    settings.KEYRING = ["0nKWqlZfPYDPYiGkOkvIzIUzM1gxZbQyo1Y3nFJ8Z2g="]

    with pytest.raises(crypto.SecretUnreadable):
        crypto.decrypt(ciphertext)


def test_nothing_secret_is_shown_when_a_key_is_printed(issued):
    shown = f"{issued.key} {issued.key!r}"

    assert issued.secret not in shown
    assert issued.key.key_hash not in shown
    assert shown.count(issued.key.last4) >= 1


@given(body=st.text(CHARACTERS, min_size=1, max_size=60), position=st.integers(0, 100))
def test_checksum_finds_a_changed_character(body: str, position: int):
    secret = f"gw_live_{body}"
    whole = secret + checksum(secret)
    at = len("gw_live_") + position % len(body)
    other = "a" if whole[at] != "a" else "b"

    assert is_well_formed(whole)
    assert not is_well_formed(whole[:at] + other + whole[at + 1 :])


@given(text=st.text(max_size=80))
def test_any_text_is_judged_without_an_error(text: str):
    assert is_well_formed(text) in {True, False}


@pytest.mark.parametrize(
    ("authorization", "x_api_key"),
    [
        ("Bearer {}", None),
        ("bearer {}", None),
        ("Bearer   {}  ", None),
        (None, "{}"),
        (None, " {} "),
        ("", "{}"),
        ("Bearer ", "{}"),
        ("Basic dXNlcg==", "{}"),
        ("Bearer {}", "sk-ant-something-else"),
    ],
)
def test_secret_is_read_from_either_header(issued, authorization, x_api_key):
    found = read_secret(
        authorization=authorization and authorization.format(issued.secret),
        x_api_key=x_api_key and x_api_key.format(issued.secret),
    )

    assert found == issued.secret


@pytest.mark.parametrize(
    "secret", ["sk-1234", "gw_live_", "gw_live_short", "gw_prod_x", "x" * 5000]
)
def test_secret_is_refused_without_the_database_when_it_cannot_be_ours(secret):
    with pytest.raises(Unauthenticated) as refused:
        authenticate_now(read_secret(authorization=None, x_api_key=secret))

    assert refused.value.code == "invalid_api_key"
    assert secret not in refused.value.message


def test_key_is_found_with_one_query_when_authenticated(issued, django_assert_num_queries):
    with django_assert_num_queries(1):
        found = authenticate_now(issued.secret)

    assert (found.id, found.organization_id) == (issued.key.pk, issued.key.organization_id)
    assert not found.is_test


def test_key_has_the_settings_limits_when_it_has_none_of_its_own(issued, settings):
    found = authenticate_now(issued.secret)

    assert found.requests_per_minute == 250
    assert found.tokens_per_minute == 1_000_000
    assert found.concurrency == 10


def test_limit_of_zero_is_kept_when_the_key_has_one(organization):
    issued = services.issue(organization.pk, name="ci", requests_per_minute=0)

    assert authenticate_now(issued.secret).requests_per_minute == 0


def test_revoking_keeps_the_first_moment_when_done_twice(issued):
    services.revoke(issued.key)
    first = issued.key.revoked_at

    services.revoke(ApiKey.objects.get(pk=issued.key.pk))

    assert ApiKey.objects.get(pk=issued.key.pk).revoked_at == first


def test_revoked_key_says_so_only_to_its_holder(issued):
    services.revoke(issued.key)

    with pytest.raises(Unauthenticated) as refused:
        authenticate_now(issued.secret)

    assert refused.value.code == "api_key_revoked"


def test_expired_key_is_refused_from_the_moment_on(issued):
    ApiKey.objects.filter(pk=issued.key.pk).update(expires_at=clock.now())

    with pytest.raises(Unauthenticated) as refused:
        authenticate_now(issued.secret)

    assert refused.value.code == "api_key_expired"


def test_key_is_refused_when_its_organisation_is_inactive(issued, organization):
    organization.is_active = False
    organization.save()

    with pytest.raises(Unauthenticated):
        authenticate_now(issued.secret)
