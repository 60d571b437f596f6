"""What the database itself guarantees: the journal is append-only, every organisation has its balance and accounts, and
no writer of a budget can forget to raise its version. And the rows in force at the start; staff edit them afterwards."""

from django.db import migrations

from apps.common.db import VendorSQL, append_only, bump_epoch

ORGANIZATION_KINDS = ("allowance", "promo", "purchased")
HOUSE_KINDS = ("revenue", "stripe_clearing", "promo_expense", "fees", "provider_cost", "written_off")
USD = 10**9
PACKAGES = (("starter", "Starter", 10), ("standard", "Standard", 25), ("large", "Large", 100))

OPEN_ACCOUNTS = [
    "INSERT INTO billing_balance (organization_id, allowance, promo, purchased, held) VALUES (NEW.id, 0, 0, 0, 0);",
    *(f"INSERT INTO billing_account (organization_id, kind) VALUES (NEW.id, '{kind}');" for kind in ORGANIZATION_KINDS),
]
RAISE = (
    "UPDATE billing_balance SET budget_version = coalesce(budget_version, 0) + 1 WHERE organization_id = {row}.organization_id;"
)
EVENTS = {"INSERT": "NEW", "UPDATE": "NEW", "DELETE": "OLD"}


def create_rows(apps, schema_editor):
    for kind in HOUSE_KINDS:
        apps.get_model("billing", "Account").objects.get_or_create(organization=None, kind=kind)
    apps.get_model("billing", "BudgetEpoch").objects.get_or_create(id=1)
    trial = apps.get_model("billing", "TrialTerms")
    trial.objects.create(slug="standard", days=3, credit=10 * USD, tokens=1_000_000, requests=10_000)
    trial.objects.create(slug="partner", days=14, credit=20 * USD, tokens=1_000_000, requests=10_000)
    referral = apps.get_model("billing", "ReferralTerms")
    referral.objects.create(pk=1, reward=10 * USD, least_purchase=10 * USD, max_uses=10)
    package = apps.get_model("billing", "CreditPackage")
    for slug, name, dollars in PACKAGES:
        package.objects.create(slug=slug, name=name, price_cents=dollars * 100, credit=dollars * USD)


class Migration(migrations.Migration):
    replaces = [("billing", "0003_no_pattern_indexes"), ("billing", "0008_budget_triggers")]
    dependencies = [("billing", "0001_squashed_0009"), ("accounts", "0001_squashed_0006")]

    operations = [
        migrations.RunPython(create_rows, migrations.RunPython.noop),
        append_only(table="billing_journalentry"),
        append_only(table="billing_entryline"),
        bump_epoch(table="billing_budget", epoch_table="billing_budgetepoch"),
        VendorSQL(
            postgresql=[
                "CREATE OR REPLACE FUNCTION billing_open_accounts() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                + " ".join(OPEN_ACCOUNTS)
                + " RETURN NULL; END $$",
                "CREATE TRIGGER billing_open_accounts AFTER INSERT ON accounts_organization "
                "FOR EACH ROW EXECUTE FUNCTION billing_open_accounts()",
                "CREATE OR REPLACE FUNCTION billing_budget_version() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                f"IF TG_OP = 'DELETE' THEN {RAISE.format(row='OLD')} ELSE {RAISE.format(row='NEW')} END IF; "
                "RETURN NULL; END $$",
                "CREATE TRIGGER billing_budget_version AFTER INSERT OR UPDATE OR DELETE ON billing_budget "
                "FOR EACH ROW EXECUTE FUNCTION billing_budget_version()",
                # Nobody searches these by pattern; Django's indexes for that cost every request two inserts.
                "DROP INDEX billing_hold_request_id_ee850e6f_like",
                "DROP INDEX billing_journalentry_reference_b3230e2a_like",
            ],
            sqlite=[
                "CREATE TRIGGER billing_open_accounts AFTER INSERT ON accounts_organization BEGIN "
                + " ".join(OPEN_ACCOUNTS)
                + " END",
                *(
                    f"CREATE TRIGGER billing_budget_version_{event.lower()} AFTER {event} ON billing_budget "
                    f"BEGIN {RAISE.format(row=row)} END"
                    for event, row in EVENTS.items()
                ),
            ],
        ),
    ]
