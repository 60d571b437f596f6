"""An empty catalogue to test with, and ways to fill and read it.

Other tests of the same process may have committed a catalogue and may run a gateway that watches the process-wide
snapshot. So every test here starts by emptying the tables inside its own transaction, and reads a snapshot of its own.
"""

import pytest
from django.db import connection

from apps.catalog import api, entries
from apps.catalog.models import (
    Model,
    ModelAlias,
    Offering,
    Price,
    PriceProposal,
    PriceTerms,
    Provider,
)
from apps.catalog.selectors import load_catalog, read_epoch
from apps.catalog.services import offers, providers
from apps.common import cache
from apps.common.money import usd_to_nano


@pytest.fixture(autouse=True)
def empty_catalogue(request):
    if not (request.node.get_closest_marker("django_db") or "db" in request.fixturenames):
        return
    request.getfixturevalue("db")
    if Price.objects.exists():
        delete_prices()
    with (
        connection.cursor() as cursor
    ):  # Model.delete() would first read each row and all that hangs on it
        for model in (PriceTerms, PriceProposal, Offering, ModelAlias, Model, Provider):
            cursor.execute(f"DELETE FROM {model._meta.db_table}")


def delete_prices():
    """Takes the append-only trigger off and puts it on again; the test's rollback restores the rest."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("ALTER TABLE catalog_price DISABLE TRIGGER catalog_price_append_only")
            cursor.execute("DELETE FROM catalog_price; SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute("ALTER TABLE catalog_price ENABLE TRIGGER catalog_price_append_only")
            return
        cursor.execute(
            "SELECT sql FROM sqlite_master WHERE name = 'catalog_price_append_only_delete'"
        )
        (trigger,) = cursor.fetchone()
        cursor.execute("DROP TRIGGER catalog_price_append_only_delete")
        cursor.execute("DELETE FROM catalog_price")
        cursor.execute(trigger)


@pytest.fixture
def live(monkeypatch):
    """A snapshot like the process-wide one, in its place in the API, that no watcher knows."""
    snapshot = cache.Snapshot("catalog of a test", load=load_catalog, epoch=read_epoch)
    cache._snapshots.remove(snapshot)  # type: ignore[arg-type]
    for module in (api, entries):
        monkeypatch.setattr(module, "catalog", snapshot)
    return snapshot


@pytest.fixture
def add_model(db, empty_catalogue):
    """Offers a model at a provider that needs no key: ``add_model("acme/large", host="acme")``."""

    def add(model, *, host="acme", input_usd="1", output_usd="2", prices=None, **options):
        amounts = {"input": usd_to_nano(input_usd), "output": usd_to_nano(output_usd)}
        return providers.add_provider(
            host,
            model=model,
            amounts=offers.Amounts.of(**amounts | (prices or {})),
            **{"base_url": f"https://{host}.test/v1", "wire": "openai_chat"} | options,
        )

    return add


@pytest.fixture
def add_shaped(add_model):
    """A model as ``add_model`` offers it, with modalities, parameters, a name and prices in nano-USD of its own."""

    def add(
        model,
        *,
        host="acme",
        name="",
        takes=("text",),
        makes=("text",),
        parameters=(),
        context_length=None,
        **prices,
    ):
        offering = add_model(model, host=host, prices=prices, context_length=context_length)
        Model.objects.filter(pk=model).update(
            name=name or model,
            input_modalities=list(takes),
            output_modalities=list(makes),
            supported_parameters=list(parameters),
        )
        return offering

    return add
