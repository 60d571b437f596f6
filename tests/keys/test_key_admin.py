"""Keys in the back office: issued with one look at the secret, revoked, never deleted."""

import re

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse

from apps.accounts.models import Organization
from apps.common import crypto
from apps.common.preferences import NOBODY
from apps.keys import provider_keys, services
from apps.keys.authenticate import authenticate_now
from apps.keys.models import ApiKey, ProviderCredential
from apps.keys.services import is_well_formed

pytestmark = pytest.mark.django_db
SECRET = re.compile(r"gw_(?:live|test)_[\w-]{49}")


@pytest.fixture
def staff(client, settings, tmp_path):
    settings.STATIC_ROOT = tmp_path  # WhiteNoise warns when nobody has run collectstatic
    client.force_login(get_user_model().objects.create_superuser("dave@example.com", "pw"))
    return client


@pytest.fixture
def organization() -> Organization:
    return Organization.objects.create(name="Acme")


def url(page: str, *args: object) -> str:
    return reverse(f"admin:keys_apikey_{page}", args=args)


def issue(staff, organization, **fields):
    form = {
        "name": "ci",
        "organization": organization.pk,
        "environment": "live",
        "recover": "match",
        **fields,
    }
    return staff.post(url("add"), form, follow=True)


def test_secret_is_shown_once_when_a_key_is_issued(staff, organization):
    page = issue(staff, organization)

    (secret,) = set(SECRET.findall(page.content.decode()))
    assert is_well_formed(secret)
    assert authenticate_now(secret).organization_id == organization.pk
    for address in (
        url("changelist"),
        url("change", ApiKey.objects.get(organization=organization).pk),
    ):
        assert not SECRET.search(staff.get(address).content.decode())


def test_key_keeps_who_issued_it_and_its_limits_when_issued(staff, organization):
    limits = {"requests_per_minute": "7", "concurrency": "2", "cache_ttl": "60"}
    issue(staff, organization, environment="test", **limits)

    key = ApiKey.objects.get(organization=organization)
    assert (key.environment, key.requests_per_minute, key.concurrency) == ("test", 7, 2)
    assert key.cache_ttl == 60
    assert key.created_by is not None
    assert key.created_by.email == "dave@example.com"


def test_limits_change_and_secret_stays_when_a_key_is_edited(staff, organization):
    issued = services.issue(organization.pk, name="ci")

    answer = staff.post(
        url("change", issued.key.pk),
        {"name": "renamed", "requests_per_minute": "3", "recover": "off"},
    )

    assert answer.status_code == 302
    found = authenticate_now(issued.secret)
    assert (found.name, found.requests_per_minute, found.recover) == ("renamed", 3, "off")


def test_organisation_and_environment_stay_when_a_key_is_edited(staff, organization):
    issued = services.issue(organization.pk, name="ci")
    other = Organization.objects.create(name="Other")

    staff.post(
        url("change", issued.key.pk),
        {"name": "ci", "organization": other.pk, "environment": "test"},
    )

    key = ApiKey.objects.get(pk=issued.key.pk)
    assert (key.organization_id, key.environment) == (organization.pk, "live")


def test_keys_are_revoked_when_the_action_runs(staff, organization):
    kept, ended, other = (services.issue(organization.pk, name=name).key for name in "abc")

    staff.post(
        url("changelist"), {"action": "revoke_keys", "_selected_action": [ended.pk, other.pk]}
    )

    states = dict(ApiKey.objects.values_list("pk", "revoked_at"))
    assert states[kept.pk] is None
    assert states[ended.pk] is not None
    assert states[other.pk] is not None


def test_no_key_is_deleted_when_staff_try(staff, organization):
    key = services.issue(organization.pk, name="ci").key

    page = staff.get(url("changelist")).content.decode()
    answer = staff.post(url("delete", key.pk), {"post": "yes"})
    staff.post(
        url("changelist"),
        {"action": "delete_selected", "_selected_action": [key.pk], "post": "yes"},
    )

    assert "delete_selected" not in page
    assert answer.status_code == 403
    assert ApiKey.objects.filter(pk=key.pk).exists()


@pytest.mark.parametrize("query", ["deployment", "Acme"])
def test_keys_are_found_when_searched_for(staff, organization, query):
    found = services.issue(organization.pk, name="deployment").key
    other = services.issue(Organization.objects.create(name="Other").pk, name="laptop").key

    page = staff.get(url("changelist"), {"q": query}).content.decode()

    assert url("change", found.pk) in page
    assert url("change", other.pk) not in page


@pytest.fixture
def credential(organization) -> ProviderCredential:
    provider_keys.store(organization.pk, provider="groq", secret="gsk_of-the-customer-7Kq2")
    return ProviderCredential.objects.get(organization=organization)


def credential_url(page: str, *args: object) -> str:
    return reverse(f"admin:keys_providercredential_{page}", args=args)


def test_customers_key_is_never_shown_when_staff_look(staff, credential):
    for address in (credential_url("changelist"), credential_url("change", credential.pk)):
        page = staff.get(address).content.decode()
        assert "…7Kq2" in page
        assert "gsk_of" not in page
        assert credential.ciphertext not in page


def test_customers_key_stays_when_staff_leave_it_empty(staff, credential):
    answer = staff.post(credential_url("change", credential.pk), {"is_active": "on"})

    assert answer.status_code == 302
    row = ProviderCredential.objects.get(pk=credential.pk)
    assert crypto.decrypt(row.ciphertext) == "gsk_of-the-customer-7Kq2"
    assert (row.falls_back, row.is_active) == (False, True)


def test_customers_key_is_replaced_when_staff_write_one(staff, credential):
    page = {"falls_back": "on", "is_active": "on"}
    refused = staff.post(credential_url("change", credential.pk), page | {"key": "two words"})
    answer = staff.post(credential_url("change", credential.pk), page | {"key": "gsk_renewed-9Xy1"})

    assert (refused.status_code, answer.status_code) == (200, 302)
    assert "two words" not in refused.content.decode()
    row = ProviderCredential.objects.get(pk=credential.pk)
    assert (crypto.decrypt(row.ciphertext), row.last4) == ("gsk_renewed-9Xy1", "9Xy1")


def test_customers_keys_are_not_added_by_staff_but_deleted(staff, credential):
    assert staff.get(credential_url("add")).status_code == 403

    staff.post(credential_url("delete", credential.pk), {"post": "yes"})

    assert not ProviderCredential.objects.filter(pk=credential.pk).exists()


def test_policy_is_kept_when_a_key_is_issued_and_when_it_is_changed(staff, organization):
    issue(staff, organization, provider_policy='{"zdr": true}')
    key = ApiKey.objects.get(organization=organization)
    form = {"name": "ci", "recover": "match"}

    staff.post(url("change", key.pk), {**form, "provider_policy": '{"only": ["openai"]}'})
    assert key.provider_policy == {"zdr": True}
    key.refresh_from_db()
    assert key.provider_policy == {"only": ["openai"]}

    staff.post(url("change", key.pk), {**form, "provider_policy": ""})
    assert ApiKey.objects.filter(pk=key.pk, provider_policy__isnull=True).exists()


@pytest.mark.parametrize(
    ("policy", "named"),
    [
        ('{"zdr": "yes"}', "zdr"),
        ('{"max_price": {"prompt": -1}}', "max_price.prompt"),
        ('{"max_prize": {}}', "max_prize"),
        ("[1]", "Expected `object`"),
    ],
)
def test_policy_that_is_not_understood_is_refused_with_its_field(
    staff, organization, policy, named
):
    page = issue(staff, organization, provider_policy=policy)

    assert not ApiKey.objects.filter(organization=organization).exists()
    (error,) = page.context["adminform"].form.errors["provider_policy"]
    assert named in error


def test_policy_that_cannot_be_read_any_more_allows_nobody(organization):
    issued = services.issue(organization.pk, name="ci", provider_policy={"gone": 1})

    assert authenticate_now(issued.secret).provider_policy == NOBODY


def test_limit_in_dollars_and_tag_are_kept_when_a_key_is_issued_and_changed(staff, organization):
    issue(staff, organization, max_cost="0.25", tag="team blue")
    key = ApiKey.objects.get(organization=organization)
    assert (key.max_cost, key.tag) == (250_000_000, "team blue")
    shown = staff.get(url("change", key.pk)).content.decode()
    assert 'value="0.25"' in shown

    staff.post(url("change", key.pk), {"name": "ci", "recover": "match", "max_cost": "", "tag": ""})

    key.refresh_from_db()
    assert (key.max_cost, key.tag) == (None, "")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_cost", "0"),
        ("max_cost", "-1"),
        ("max_cost", "NaN"),
        ("max_cost", "1000000.01"),
        ("max_cost", "0.0000000001"),
        ("tag", "x" * 101),
        ("tag", "a\x00b"),
    ],
)
def test_limit_or_tag_that_is_none_is_refused_by_its_field(staff, organization, field, value):
    page = issue(staff, organization, **{field: value})

    assert list(page.context["adminform"].form.errors) == [field]
    assert not ApiKey.objects.filter(organization=organization).exists()
