"""Every change of a budget raises the epoch and its organisation's version, so that no writer can forget to."""

from django.db import migrations

from apps.common.db import VendorSQL, bump_epoch

RAISE = (
    "UPDATE billing_balance SET budget_version = coalesce(budget_version, 0) + 1 WHERE organization_id = {row}.organization_id;"
)
EVENTS = {"INSERT": "NEW", "UPDATE": "NEW", "DELETE": "OLD"}


def create_epoch(apps, schema_editor):
    apps.get_model("billing", "BudgetEpoch").objects.get_or_create(id=1)


class Migration(migrations.Migration):
    dependencies = [("billing", "0007_budgets")]

    operations = [
        migrations.RunPython(create_epoch, migrations.RunPython.noop),
        bump_epoch(table="billing_budget", epoch_table="billing_budgetepoch"),
        VendorSQL(
            postgresql=[
                "CREATE OR REPLACE FUNCTION billing_budget_version() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                f"IF TG_OP = 'DELETE' THEN {RAISE.format(row='OLD')} ELSE {RAISE.format(row='NEW')} END IF; "
                "RETURN NULL; END $$",
                "CREATE OR REPLACE TRIGGER billing_budget_version AFTER INSERT OR UPDATE OR DELETE ON billing_budget "
                "FOR EACH ROW EXECUTE FUNCTION billing_budget_version()",
            ],
            sqlite=[
                f"CREATE TRIGGER IF NOT EXISTS billing_budget_version_{event.lower()} AFTER {event} ON billing_budget "
                f"BEGIN {RAISE.format(row=row)} END"
                for event, row in EVENTS.items()
            ],
        ),
    ]
