"""A visitor without an account, and a catalogue that no other test and no running gateway shares."""

import pytest

from apps.catalog.models import Offering
from apps.catalog.selectors import load_catalog, read_epoch
from apps.common import cache
from apps.monitoring import views
from tests.monitoring import probing


@pytest.fixture
def visitor(client, settings, tmp_path):
    settings.STATIC_ROOT = tmp_path  # WhiteNoise warns when nobody has run collectstatic
    return client


@pytest.fixture
def use_catalogue(monkeypatch):
    """Puts a snapshot with this loader in the place of the process-wide one, which a running gateway watches."""

    def use(load=load_catalog):
        snapshot = cache.Snapshot("catalog of a test", load=load, epoch=read_epoch)
        cache._snapshots.remove(snapshot)
        monkeypatch.setattr(views, "catalog", snapshot)

    return use


@pytest.fixture
def empty_catalogue(db, use_catalogue):
    Offering.objects.update(is_active=False)
    use_catalogue()


@pytest.fixture
def field(upstream, committed, monkeypatch, settings):
    """Probes over real sockets, of the models that the test names, by a clock that it moves."""
    settings.PROBE_MONTHLY_BUDGET = 5 * 10**9
    probing.forget()
    yield probing.Field(monkeypatch, upstream)
    probing.forget()
