"""The plans of a new installation; staff edit them in the admin afterwards."""

from django.db import migrations

USD = 10**9

PLANS = (
    {
        "slug": "dev", "name": "Dev", "requests_per_minute": 250, "tokens_per_minute": 1_000_000, "concurrency": 10,
        "admission_percent": 80, "velocity_percent": 50, "price_cents": 0, "allowance": 0,
        "description": "Pay as you go.",
        "features": ["Every model", "Automatic failover", "Credit that you buy never expires"],
    },
    {
        "slug": "pro", "name": "Pro", "requests_per_minute": 300, "tokens_per_minute": 1_500_000, "concurrency": 20,
        "admission_percent": 90, "velocity_percent": 75, "price_cents": 2900, "allowance": 30 * USD,
        "description": "For those who ask every day.",
        "features": ["Everything in Dev", "$30 of credit each month", "Higher limits"],
    },
    {
        "slug": "team", "name": "Team", "requests_per_minute": 600, "tokens_per_minute": 3_000_000, "concurrency": 50,
        "admission_percent": 95, "velocity_percent": 90, "price_cents": 9900, "allowance": 105 * USD,
        "description": "For teams.",
        "features": ["Everything in Pro", "$105 of credit each month", "Limits for a team"],
    },
    {
        "slug": "enterprise", "name": "Enterprise", "requests_per_minute": 1000, "tokens_per_minute": 5_000_000,
        "concurrency": 100, "admission_percent": 100, "velocity_percent": 90, "price_cents": None, "allowance": 0,
        "description": "By agreement.",
        "features": ["Everything in Team", "The highest limits", "An agreement of your own"],
    },
)  # fmt: skip


def create_plans(apps, schema_editor):
    plan = apps.get_model("accounts", "Plan")
    for position, row in enumerate(PLANS, start=1):
        plan.objects.create(position=position, **row)


class Migration(migrations.Migration):
    replaces = [("accounts", "0002_plan")]
    dependencies = [("accounts", "0001_squashed_0006")]

    operations = [migrations.RunPython(create_plans, migrations.RunPython.noop)]
