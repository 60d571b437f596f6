"""What customers see of plans, verified addresses, and rules for domains of addresses."""

import django.core.validators
from django.db import migrations, models

from apps.common.db import VendorSQL

PLANS = (
    # slug, cents a month, allowance in dollars, description, features
    ("dev", 0, 0, "Pay as you go.", ["Every model", "Automatic failover", "Credit that you buy never expires"]),
    ("pro", 2900, 30, "For those who ask every day.", ["Everything in Dev", "$30 of credit each month", "Higher limits"]),
    ("team", 9900, 105, "For teams.", ["Everything in Pro", "$105 of credit each month", "Limits for a team"]),
    ("enterprise", None, 0, "By agreement.", ["Everything in Team", "The highest limits", "An agreement of your own"]),
)

COLUMNS = (
    # SQLite adds a column with a default in place when asked in so many words; Django would rebuild the table, and its
    # triggers, which are of another app, would go with the old one.
    ("price_cents", "integer NULL CHECK (price_cents >= 0)", "integer unsigned NULL CHECK (price_cents >= 0)"),
    ("allowance", "bigint NOT NULL DEFAULT 0", "bigint NOT NULL DEFAULT 0"),
    ("description", "varchar(200) NOT NULL DEFAULT ''", "varchar(200) NOT NULL DEFAULT ''"),
    ("features", "jsonb NOT NULL DEFAULT '[]'", "text NOT NULL DEFAULT '[]' CHECK (JSON_VALID(features))"),
    ("is_public", "boolean NOT NULL DEFAULT true", "bool NOT NULL DEFAULT 1"),
    ("position", "smallint NOT NULL DEFAULT 0 CHECK (position >= 0)", "smallint unsigned NOT NULL DEFAULT 0 CHECK (position >= 0)"),
)


def describe_plans(apps, schema_editor):
    plan = apps.get_model("accounts", "Plan")
    for position, (slug, cents, dollars, description, features) in enumerate(PLANS, start=1):
        plan.objects.filter(pk=slug).update(
            price_cents=cents,
            allowance=dollars * 10**9,
            description=description,
            features=features,
            position=position,
        )
    # Plans of staff's own were never shown to anybody; whether they are, staff say.
    plan.objects.exclude(pk__in=[row[0] for row in PLANS]).update(is_public=False)


class Migration(migrations.Migration):

    dependencies = [
        ("accounts", "0003_notices"),
    ]

    operations = [
        migrations.CreateModel(
            name='EmailDomainRule',
            fields=[
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('domain', models.CharField(help_text='example.com', max_length=253, primary_key=True, serialize=False, validators=[django.core.validators.RegexValidator('\\A[a-z0-9-]+(\\.[a-z0-9-]+)+\\Z', 'Write the domain in small letters, as in example.com.')])),
                ('verdict', models.CharField(choices=[('deny', 'Deny: no trial for its addresses'), ('allow', 'Allow: as any other, whatever the list says')], default='deny', max_length=5)),
                ('note', models.CharField(blank=True, max_length=200)),
            ],
            options={'ordering': ['domain']},
        ),
        migrations.AddField('user', 'email_verified_at', models.DateTimeField(blank=True, help_text='When the user proved to read this mailbox; empty: never. A trial needs it.', null=True, verbose_name='e-mail verified at')),
        migrations.SeparateDatabaseAndState(
            database_operations=[
                VendorSQL(
                    postgresql=[f'ALTER TABLE accounts_plan ADD COLUMN "{name}" {kind}' for name, kind, _ in COLUMNS],
                    sqlite=[f'ALTER TABLE accounts_plan ADD COLUMN "{name}" {kind}' for name, _, kind in COLUMNS],
                ),
            ],
            state_operations=[
                migrations.AddField('plan', 'price_cents', models.PositiveIntegerField(blank=True, help_text='A month, in US cents; empty: by agreement.', null=True, verbose_name='price in cents')),
                migrations.AddField('plan', 'allowance', models.BigIntegerField(db_default=0, default=0, help_text='Nano-USD of credit that comes with each month and is spent first.', validators=[django.core.validators.MinValueValidator(0)], verbose_name='monthly allowance')),
                migrations.AddField('plan', 'description', models.CharField(blank=True, db_default='', default='', max_length=200)),
                migrations.AddField('plan', 'features', models.JSONField(blank=True, db_default=[], default=list, help_text='A list of lines, as customers read them.')),
                migrations.AddField('plan', 'is_public', models.BooleanField(db_default=True, default=True, help_text='Shown to everybody; others are given by staff.')),
                migrations.AddField('plan', 'position', models.PositiveSmallIntegerField(db_default=0, default=0, help_text='Among the plans that are shown, the lowest first.')),
            ],
        ),
        migrations.RunPython(describe_plans, migrations.RunPython.noop),
    ]
