"""The epoch's one row, the triggers that raise it, and append-only prices."""

from django.db import migrations

from apps.common.db import append_only, bump_epoch

TABLES = ("provider", "model", "modelalias", "offering", "price", "priceterms")


def create_epoch(apps, schema_editor):
    apps.get_model("catalog", "CatalogEpoch").objects.create(id=1)


class Migration(migrations.Migration):
    dependencies = [("catalog", "0001_squashed_0011")]

    operations = [
        migrations.RunPython(create_epoch, migrations.RunPython.noop),
        *(
            bump_epoch(table=f"catalog_{table}", epoch_table="catalog_catalogepoch")
            for table in TABLES
        ),
        append_only(table="catalog_price"),
    ]
