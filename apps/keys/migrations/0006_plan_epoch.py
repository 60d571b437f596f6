"""The epoch of key snapshots rises with every change of a plan too."""

from django.db import migrations

from apps.common.db import bump_epoch


class Migration(migrations.Migration):
    dependencies = [("keys", "0005_provider_credentials"), ("accounts", "0002_plan")]

    operations = [bump_epoch(table="accounts_plan", epoch_table="keys_keyepoch")]
