"""Customers' keys at providers as the hot path sees them: open in memory, none where there are none, never printed."""

import pytest
import structlog
from cryptography.fernet import Fernet
from django.db import IntegrityError, transaction

from apps.accounts.models import Organization
from apps.keys import provider_keys, services
from apps.keys.authenticate import authenticate_now
from apps.keys.models import Environment, KeyEpoch, ProviderCredential

pytestmark = pytest.mark.django_db
SECRET = "gsk_of-the-customer-7Kq2"


@pytest.fixture
def organization() -> Organization:
    return Organization.objects.create(name="Acme")


def seen(organization, **fields):
    return authenticate_now(services.issue(organization.pk, name="ci", **fields).secret)


def store(organization, provider="groq", **fields):
    provider_keys.store(organization.pk, provider=provider, **{"secret": SECRET, **fields})


def read_epoch() -> int:
    return KeyEpoch.objects.get(pk=1).value


def test_keys_are_open_in_the_snapshot_and_not_printed(organization, django_assert_num_queries):
    store(organization, settings={"region": "eu-central-1"}, falls_back=False)
    secret = services.issue(organization.pk, name="ci").secret

    with django_assert_num_queries(2):
        found = authenticate_now(secret)

    kept = found.provider_keys["groq"]
    assert (kept.secret, kept.falls_back) == (SECRET, False)
    assert kept.settings == {"region": "eu-central-1"}
    assert SECRET not in f"{found!r} {found} {kept!r} {kept}"


def test_key_that_is_switched_off_is_not_seen_beside_another(organization):
    store(organization)
    store(organization, "openai", is_active=False)

    assert set(seen(organization).provider_keys) == {"groq"}


def test_no_keys_are_seen_where_none_count(organization):
    store(organization, is_active=False)
    store(Organization.objects.create(name="Other"), "openai")

    assert seen(organization).provider_keys == {}


def test_test_key_has_none(organization):
    store(organization)

    assert seen(organization, environment=Environment.TEST).provider_keys == {}


def test_key_that_the_keyring_cannot_open_is_empty_and_logged_without_it(organization, settings):
    store(organization, falls_back=False)
    settings.KEYRING = [Fernet.generate_key().decode()]

    with structlog.testing.capture_logs() as logs:
        found = seen(organization)

    kept = found.provider_keys["groq"]
    assert (kept.secret, kept.falls_back) == ("", False)
    assert [line["event"] for line in logs] == ["keys.provider_key_unreadable"]


def test_version_changes_with_every_change(organization):
    store(organization)
    before = seen(organization).provider_keys["groq"].version

    store(organization, secret=None, falls_back=False)

    assert seen(organization).provider_keys["groq"].version != before


def test_epoch_rises_whoever_writes(organization):
    steps = [read_epoch()]
    store(organization)
    steps.append(read_epoch())
    ProviderCredential.objects.filter(organization=organization).update(is_active=False)
    steps.append(read_epoch())
    provider_keys.forget(organization.pk, "groq")
    steps.append(read_epoch())

    assert steps == sorted(set(steps))


def test_database_keeps_one_key_of_an_organisation_and_provider(organization):
    store(organization)
    twin = ProviderCredential(organization=organization, provider="groq", ciphertext="x")

    with pytest.raises(IntegrityError), transaction.atomic():
        twin.save()


def test_secret_is_in_no_column_when_stored(organization):
    store(organization)

    row = ProviderCredential.objects.filter(organization=organization).values_list().get()
    assert SECRET not in str(row)
