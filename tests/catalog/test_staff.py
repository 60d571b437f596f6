"""POST /admin/refresh-providers: who may, what is started, what is named when it is wrong."""

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client

from apps.catalog import tasks
from apps.catalog.services import feeds

pytestmark = pytest.mark.django_db
PATH = "/admin/refresh-providers"


@pytest.fixture
def started(monkeypatch):
    found: list[str] = []
    monkeypatch.setattr(tasks.refresh_provider, "delay", found.append)
    monkeypatch.setattr(feeds, "readable", lambda: {"acme", "zenith"})
    return found


@pytest.fixture
def user(db):
    return get_user_model().objects.create_user(
        email="staff@example.com", password="x", is_staff=True
    )


@pytest.fixture
def allowed(client, user):
    user.user_permissions.add(Permission.objects.get(codename="change_provider"))
    client.force_login(user)
    return client


def test_all_that_can_be_read_are_started(allowed, started, add_model):
    add_model("acme/large")
    answer = allowed.post(PATH)

    assert (answer.status_code, answer.json()) == (
        202,
        {"started": ["acme", "zenith"], "skipped": []},
    )
    assert started == ["acme", "zenith"]


def test_those_named_are_started_and_the_others_told(allowed, started, add_model):
    add_model("acme/large", host="acme")
    add_model("acme/large", host="reseller")
    answer = allowed.post(PATH, {"provider": ["acme", "reseller"]})

    assert answer.json() == {"started": ["acme"], "skipped": ["reseller"]}
    assert started == ["acme"]


@pytest.mark.parametrize("body", [{"provider": ["acme"]}, {"provider": "acme"}])
def test_json_names_them_too(allowed, started, add_model, body):
    add_model("acme/large", host="acme")

    answer = allowed.post(PATH, body, content_type="application/json")

    assert answer.json() == {"started": ["acme"], "skipped": []}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ('{"provider": ["nobody"]}', "provider"),
        ('{"provider": 7}', "provider"),
        ('{"providers": ["acme"]}', "provider"),
        ("[]", "provider"),
        ("{", None),
    ],
)
def test_json_that_is_wrong_starts_nothing(allowed, started, body, field):
    answer = allowed.post(PATH, body, content_type="application/json")

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, field)
    assert started == []


def test_an_unknown_provider_is_named(allowed, started):
    answer = allowed.post(PATH, {"provider": "nobody"})

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "provider")
    assert started == []


def test_nobody_else_may(client, user, started):
    assert client.post(PATH).status_code == 403
    client.force_login(user)
    assert client.post(PATH).status_code == 403
    assert started == []


def test_only_a_post_of_this_site_starts_anything(allowed, user, started):
    assert allowed.get(PATH).status_code == 405
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(user)
    assert strict.post(PATH).status_code == 403
    assert started == []
