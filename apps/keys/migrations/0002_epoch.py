"""The epoch of key snapshots rises with every change of what they are made of."""

from django.db import migrations

from apps.common.db import bump_epoch

TABLES = ("keys_apikey", "keys_providercredential", "accounts_organization", "accounts_plan")


def create_epoch(apps, schema_editor):
    apps.get_model("keys", "KeyEpoch").objects.get_or_create(id=1)


class Migration(migrations.Migration):
    replaces = [("keys", "0006_plan_epoch")]
    dependencies = [("keys", "0001_squashed_0007"), ("accounts", "0001_squashed_0006")]

    operations = [
        migrations.RunPython(create_epoch, migrations.RunPython.noop),
        *(bump_epoch(table=table, epoch_table="keys_keyepoch") for table in TABLES),
    ]
