"""The mappings and rules to begin with; staff change them, so what is there already stays."""

import json
from pathlib import Path

from django.db import migrations

SEEDS = Path(__file__).parent.parent / "seeds" / "usage_exports.json"


def write_seeds(apps, schema_editor):
    seeds = json.loads(SEEDS.read_text())
    rules = apps.get_model("monitoring", "BillRules")
    for row in seeds["rules"]:
        rules.objects.get_or_create(provider=row["provider"], defaults=row)
    mappings = apps.get_model("monitoring", "UsageExportMapping")
    for row in seeds["mappings"]:
        mappings.objects.get_or_create(slug=row["slug"], defaults=row)


class Migration(migrations.Migration):
    dependencies = [("monitoring", "0005_reconciliation")]

    operations = [migrations.RunPython(write_seeds, migrations.RunPython.noop)]
