"""The epoch of key snapshots rises with every change of a key or of its organisation."""

from django.db import migrations

from apps.common.db import bump_epoch


def create_epoch(apps, schema_editor):
    apps.get_model("keys", "KeyEpoch").objects.get_or_create(id=1)


class Migration(migrations.Migration):
    dependencies = [("keys", "0001_initial"), ("accounts", "0001_initial")]

    operations = [
        migrations.RunPython(create_epoch, migrations.RunPython.noop),
        bump_epoch(table="keys_apikey", epoch_table="keys_keyepoch"),
        bump_epoch(table="accounts_organization", epoch_table="keys_keyepoch"),
    ]
