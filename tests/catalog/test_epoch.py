"""The epoch rises with every write, whoever writes."""

import pytest
from django.db import connection

from apps.catalog.models import AMOUNTS, Model, ModelAlias, Offering, Price, Provider
from apps.catalog.selectors import read_epoch

pytestmark = pytest.mark.django_db


def rises(write) -> bool:
    before = read_epoch()
    write()
    return read_epoch() > before


def test_epoch_rises_when_a_row_of_any_table_is_written(add_model):
    offering = add_model("acme/large")
    amounts = dict.fromkeys(AMOUNTS, 1)
    spare = Model.objects.create(id="acme/spare", name="Spare")

    assert rises(lambda: Provider.objects.create(slug="other", name="Other", wire="openai_chat"))
    assert rises(lambda: Provider.objects.filter(slug="other").update(enabled=False))
    assert rises(lambda: Provider.objects.filter(slug="other").delete())
    assert rises(lambda: Model.objects.filter(pk="acme/large").update(name="Large"))
    assert rises(lambda: ModelAlias.objects.create(alias="large", model=spare))
    assert rises(lambda: ModelAlias.objects.all().delete())
    assert rises(lambda: spare.delete())
    assert rises(lambda: Offering.objects.filter(pk=offering.pk).update(priority=3))
    assert rises(lambda: Price.objects.create(offering=offering, source="staff", **amounts))


def test_epoch_rises_when_raw_sql_writes(add_model):
    add_model("acme/large")

    def write():
        with connection.cursor() as cursor:
            cursor.execute("UPDATE catalog_model SET name = 'x'")

    assert rises(write)


def test_epoch_stays_when_nothing_is_written(add_model):
    add_model("acme/large")

    assert not rises(lambda: list(Model.objects.all()))
