"""What the database itself guarantees: the journal is append-only, every organisation has its balance and accounts."""

from django.db import migrations

from apps.common.db import VendorSQL, append_only

ORGANIZATION_KINDS = ("allowance", "promo", "purchased")
HOUSE_KINDS = ("revenue", "stripe_clearing", "promo_expense", "fees", "provider_cost", "written_off")

OPEN_ACCOUNTS = [
    "INSERT INTO billing_balance (organization_id, allowance, promo, purchased, held) VALUES (NEW.id, 0, 0, 0, 0);",
    *(f"INSERT INTO billing_account (organization_id, kind) VALUES (NEW.id, '{kind}');" for kind in ORGANIZATION_KINDS),
]


def open_house_accounts(apps, schema_editor):
    account = apps.get_model("billing", "Account")
    for kind in HOUSE_KINDS:
        account.objects.get_or_create(organization=None, kind=kind)


class Migration(migrations.Migration):
    dependencies = [("billing", "0001_initial"), ("accounts", "0001_initial")]

    operations = [
        migrations.RunPython(open_house_accounts, migrations.RunPython.noop),
        append_only(table="billing_journalentry"),
        append_only(table="billing_entryline"),
        VendorSQL(
            postgresql=[
                "CREATE OR REPLACE FUNCTION billing_open_accounts() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                + " ".join(OPEN_ACCOUNTS)
                + " RETURN NULL; END $$",
                "CREATE TRIGGER billing_open_accounts AFTER INSERT ON accounts_organization "
                "FOR EACH ROW EXECUTE FUNCTION billing_open_accounts()",
            ],
            sqlite=[
                "CREATE TRIGGER billing_open_accounts AFTER INSERT ON accounts_organization BEGIN "
                + " ".join(OPEN_ACCOUNTS)
                + " END"
            ],
        ),
    ]
