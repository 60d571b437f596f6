from django.db import migrations, models

from apps.common.db import bump_epoch


class Migration(migrations.Migration):

    dependencies = [
        ('keys', '0008_max_cost'),
    ]

    operations = [
        migrations.AddField(
            model_name='apikey',
            name='tag',
            field=models.CharField(blank=True, db_default='', default='', help_text='Of every request that has no tag of its own (docs/usage.md).', max_length=100),
        ),
        # SQLite has rebuilt the table, and its triggers went with the old one.
        bump_epoch(table="keys_apikey", epoch_table="keys_keyepoch"),
    ]
