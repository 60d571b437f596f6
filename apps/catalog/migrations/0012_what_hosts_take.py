"""What each host of a model takes. Nullable, so that SQLite adds columns and does not rebuild the table without its triggers."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("catalog", "0002_triggers")]

    operations = [
        migrations.AddField(
            model_name="offering",
            name="supported_parameters",
            field=models.JSONField(
                blank=True,
                help_text="What this host takes. Empty when unknown: the model's.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="offering",
            name="input_modalities",
            field=models.JSONField(
                blank=True, help_text="Empty when unknown: the model's.", null=True
            ),
        ),
        migrations.AddField(
            model_name="offering",
            name="told_by",
            field=models.JSONField(
                editable=False,
                help_text="The source of each of these two; one of a lower rank does not change it.",
                null=True,
            ),
        ),
    ]
