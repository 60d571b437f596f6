"""Which model a name means."""

import pytest

from apps.catalog.models import ModelAlias
from apps.catalog.selectors import load_catalog
from apps.catalog.services import sandbox
from tests.catalog.finding import find

pytestmark = pytest.mark.django_db


@pytest.fixture
def snapshot(add_model, settings):
    settings.SANDBOX_ENABLED, settings.SANDBOX_URL = True, "http://127.0.0.1:9"
    sandbox.sync_sandbox()
    add_model("acme/Large-4.5", host="acme", upstream_model="large")
    add_model("acme/Large-4.5", host="reseller", upstream_model="Acme/large-4-5")
    add_model("other/large-4.5", host="other", upstream_model="other-large")
    add_model("one/twin", host="host-a")
    add_model("two/twin", host="host-b")
    add_model("acme/pinned-2024-08-06", host="acme")
    add_model("acme/pinned", host="acme")
    ModelAlias.objects.create(alias="big", model_id="acme/Large-4.5")
    ModelAlias.objects.create(alias="one/twin", model_id="two/twin")
    return load_catalog()


@pytest.mark.parametrize(
    ("name", "model_id"),
    [
        ("acme/Large-4.5", "acme/Large-4.5"),
        ("ACME/large-4.5", "acme/Large-4.5"),
        ("big", "acme/Large-4.5"),
        ("BIG", "acme/Large-4.5"),
        ("large", "acme/Large-4.5"),
        ("large-4-5", "acme/Large-4.5"),
        ("Acme/large-4-5", "acme/Large-4.5"),
        ("other-large", "other/large-4.5"),
        ("one/twin", "one/twin"),
        ("acme/pinned-2024-08-06", "acme/pinned-2024-08-06"),
        ("acme/pinned-2025-01-01", "acme/pinned"),
        ("acme/pinned-20250101", "acme/pinned"),
        ("pinned-20250101", "acme/pinned"),
        ("echo", "sandbox/echo"),
    ],
)
def test_resolve_finds_the_model_when_the_name_is_known(snapshot, name, model_id):
    assert find(name, snapshot).id == model_id


@pytest.mark.parametrize(
    "name",
    [
        "",
        "twin",
        "large-4.5",
        "nothing",
        "acme/",
        "acme/pinned-1",
        "big+status=503",
        "+",
        "nothing+x",
    ],
)
def test_resolve_finds_nothing_when_the_name_is_unknown_or_ambiguous(snapshot, name):
    assert snapshot.resolve(name) is None


def test_bare_name_means_the_vendors_model_when_others_have_it_too(add_model):
    add_model("acme/base", host="acme")
    add_model("copy/base", host="reseller")

    assert find("base").id == "acme/base"


def test_options_reach_the_sandbox_when_they_follow_a_plus(snapshot):
    model = find("sandbox/echo+status=503+first=2", snapshot)

    assert model.id == "sandbox/echo"
    assert [offering.upstream_model for offering in model.offerings] == ["echo+status=503+first=2"]
    assert model.offerings[0].id == find("sandbox/echo", snapshot).offerings[0].id
    assert find("sandbox/claude+cut=1", snapshot).offerings[0].upstream_model == "echo+cut=1"


def test_options_reach_only_the_sandbox_when_a_real_host_serves_the_model_too(add_model):
    add_model("acme/large", host="acme")
    add_model("acme/large", host="pretender", is_sandbox=True)

    model = find("acme/large+delay=5")
    assert [offering.provider.slug for offering in model.offerings] == ["pretender"]
    assert not find("acme/large").is_sandbox


def test_case_of_a_hosts_name_is_restored_whatever_case_the_client_writes(add_model, settings):
    """Hugging Face, Together and others know names in one case only."""
    settings.PROVIDER_SECRET = lambda name: "key"
    add_model("qwen/qwen3-32b", host="huggingface", upstream_model="Qwen/Qwen3-32B")

    for name in ("qwen/qwen3-32b", "QWEN/QWEN3-32B", "Qwen/Qwen3-32B", "qwen3-32b"):
        assert [one.upstream_model for one in find(name).offerings] == ["Qwen/Qwen3-32B"]
