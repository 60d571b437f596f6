import apps.billing.models.budget
import django.core.validators
import django.db.models.deletion
import django.db.models.expressions
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    replaces = [('billing', '0001_initial'), ('billing', '0004_lots'), ('billing', '0005_credit_watch'), ('billing', '0006_promotions'), ('billing', '0007_budgets'), ('billing', '0009_payments')]

    initial = True

    dependencies = [
        ('accounts', '0001_squashed_0006'),
    ]

    operations = [
        migrations.CreateModel(
            name='BudgetEpoch',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('value', models.BigIntegerField(default=0)),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='CodeGuesses',
            fields=[
                ('organization', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='+', serialize=False, to='accounts.organization')),
                ('since', models.DateTimeField()),
                ('wrong', models.PositiveIntegerField(default=0)),
            ],
            options={
                'verbose_name_plural': 'code guesses',
                'ordering': ['-since'],
            },
        ),
        migrations.CreateModel(
            name='CreditWatch',
            fields=[
                ('organization', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='+', serialize=False, to='accounts.organization')),
                ('level', models.CharField(choices=[('low', 'Low'), ('used_up', 'Used up')], max_length=8)),
                ('since', models.DateTimeField()),
            ],
            options={
                'verbose_name_plural': 'credit watches',
            },
        ),
        migrations.CreateModel(
            name='Account',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('kind', models.CharField(choices=[('allowance', "Allowance: comes with a plan, expires at the period's end"), ('promo', 'Promo: trial, coupon and referral credit'), ('purchased', 'Purchased: paid for, never expires'), ('revenue', 'Revenue: what requests were charged'), ('stripe_clearing', 'Stripe clearing: payments received'), ('promo_expense', 'Promo expense: credit given away'), ('fees', 'Fees: top-up and routing fees'), ('provider_cost', 'Provider cost: what providers bill us'), ('written_off', 'Written off: served but not covered by credit')], max_length=16)),
                ('organization', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='ledger_accounts', to='accounts.organization')),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('organization', 'kind'), name='billing_account_once_per_organization'), models.UniqueConstraint(condition=models.Q(('organization', None)), fields=('kind',), name='billing_account_once_per_house'), models.CheckConstraint(condition=models.Q(models.Q(('kind__in', ['revenue', 'stripe_clearing', 'promo_expense', 'fees', 'provider_cost', 'written_off']), ('organization', None)), models.Q(('kind__in', ('allowance', 'promo', 'purchased')), ('organization__isnull', False)), _connector='OR'), name='billing_account_kind_fits_owner')],
            },
        ),
        migrations.CreateModel(
            name='AutoTopUp',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('is_enabled', models.BooleanField(db_index=True, default=False)),
                ('threshold', models.BigIntegerField(help_text='Nano-USD available, below which it buys.')),
                ('price_cents', models.PositiveIntegerField(help_text='Cents of credit bought, before the fee.')),
                ('monthly_cap_cents', models.PositiveIntegerField(blank=True, help_text='Most that is charged in a calendar month, UTC.', null=True)),
                ('card_id', models.CharField(max_length=64)),
                ('failures', models.PositiveSmallIntegerField(default=0, help_text='In a row.')),
                ('next_attempt_at', models.DateTimeField(blank=True, null=True)),
                ('stopped_because', models.CharField(blank=True, help_text='Why it turned itself off, or waits.', max_length=200)),
                ('organization', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='auto_top_up', to='accounts.organization')),
            ],
            options={
                'verbose_name': 'auto top-up',
            },
        ),
        migrations.CreateModel(
            name='Balance',
            fields=[
                ('organization', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, primary_key=True, related_name='balance', serialize=False, to='accounts.organization')),
                ('allowance', models.BigIntegerField(default=0)),
                ('promo', models.BigIntegerField(default=0)),
                ('purchased', models.BigIntegerField(default=0)),
                ('held', models.BigIntegerField(default=0, help_text='Sum of the open holds.')),
                ('budget_version', models.BigIntegerField(db_default=models.Value(0), editable=False, help_text='Rises with every change of one of its budgets.', null=True)),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('budget_version__gt', 0)), fields=['organization'], name='billing_balance_with_budgets')],
                'constraints': [models.CheckConstraint(condition=models.Q(('allowance__gte', 0)), name='billing_balance_allowance_not_negative'), models.CheckConstraint(condition=models.Q(('promo__gte', 0)), name='billing_balance_promo_not_negative'), models.CheckConstraint(condition=models.Q(('purchased__gte', 0)), name='billing_balance_purchased_not_negative'), models.CheckConstraint(condition=models.Q(('held__gte', 0)), name='billing_balance_held_not_negative'), models.CheckConstraint(condition=models.Q(('held__lte', django.db.models.expressions.CombinedExpression(django.db.models.expressions.CombinedExpression(models.F('allowance'), '+', models.F('promo')), '+', models.F('purchased')))), name='billing_balance_covers_holds')],
            },
        ),
        migrations.CreateModel(
            name='Budget',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('api_key_id', models.BigIntegerField(blank=True, null=True)),
                ('member_id', models.BigIntegerField(blank=True, help_text='The user.', null=True)),
                ('period', models.CharField(choices=[('day', 'Day'), ('week', 'Week: begins on Monday'), ('month', 'Month')], max_length=5)),
                ('amount', models.BigIntegerField(help_text='Nano-USD a period.')),
                ('is_hard', models.BooleanField(default=True, help_text='Refuse what would exceed it; off: only tell.')),
                ('alerts', models.JSONField(blank=True, default=apps.billing.models.budget.usual_alerts, help_text='Percent of the amount at which it tells.', validators=[apps.billing.models.budget.check_alerts])),
                ('ended_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('organization', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='budgets', to='accounts.organization')),
            ],
            options={
                'ordering': ['id'],
                'constraints': [models.CheckConstraint(condition=models.Q(('amount__gt', 0)), name='billing_budget_amount_above_zero'), models.CheckConstraint(condition=models.Q(('api_key_id', None), ('member_id', None), _connector='OR'), name='billing_budget_one_subject')],
            },
        ),
        migrations.CreateModel(
            name='BudgetWindow',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('starts_at', models.DateTimeField()),
                ('ends_at', models.DateTimeField(db_index=True, help_text='The first moment after it.')),
                ('spent', models.BigIntegerField(default=0, help_text='Nano-USD: what its requests were charged.')),
                ('held', models.BigIntegerField(default=0, help_text='Nano-USD: the sum of their open holds.')),
                ('budget', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='windows', to='billing.budget')),
            ],
            options={
                'ordering': ['-starts_at'],
                'constraints': [models.UniqueConstraint(fields=('budget', 'starts_at'), name='billing_budget_window_once'), models.CheckConstraint(condition=models.Q(('starts_at__lt', models.F('ends_at'))), name='billing_budget_window_has_time')],
            },
        ),
        migrations.CreateModel(
            name='BudgetAlert',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('percent', models.PositiveSmallIntegerField()),
                ('spent', models.BigIntegerField(help_text='Nano-USD, when it was found.')),
                ('created_at', models.DateTimeField()),
                ('window', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name='alerts', to='billing.budgetwindow')),
            ],
            options={
                'ordering': ['-id'],
                'constraints': [models.UniqueConstraint(fields=('window', 'percent'), name='billing_budget_alert_once')],
            },
        ),
        migrations.CreateModel(
            name='Coupon',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('code', models.CharField(max_length=32, unique=True, validators=[django.core.validators.RegexValidator('\\A[A-Z0-9_-]{3,32}\\Z', 'Write 3 to 32 capital letters, digits, hyphens and underscores.')])),
                ('amount', models.BigIntegerField(help_text='Nano-USD that each use gives.', validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(1000000000000)])),
                ('max_uses', models.PositiveIntegerField(default=1, validators=[django.core.validators.MinValueValidator(1)])),
                ('used', models.PositiveIntegerField(default=0, editable=False)),
                ('valid_from', models.DateTimeField()),
                ('valid_until', models.DateTimeField(blank=True, help_text='Empty: for good.', null=True)),
                ('credit_days', models.PositiveSmallIntegerField(blank=True, help_text='Days after which credit that is left is taken back; empty: never.', null=True, validators=[django.core.validators.MinValueValidator(1)])),
                ('is_active', models.BooleanField(default=True)),
                ('note', models.CharField(blank=True, help_text='What it is for; staff see it.', max_length=160)),
                ('organization', models.ForeignKey(blank=True, help_text='The only one that may use it.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='coupons', to='accounts.organization')),
                ('user', models.ForeignKey(blank=True, help_text='Only an organisation that this user owns may use it.', null=True, on_delete=django.db.models.deletion.PROTECT, related_name='coupons', to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'ordering': ['-pk'],
                'constraints': [models.CheckConstraint(condition=models.Q(('amount__gt', 0), ('amount__lte', 1000000000000)), name='billing_coupon_amount'), models.CheckConstraint(condition=models.Q(('max_uses__gte', 1), ('used__lte', models.F('max_uses'))), name='billing_coupon_used_within_max'), models.CheckConstraint(condition=models.Q(('valid_until', None), ('valid_from__lt', models.F('valid_until')), _connector='OR'), name='billing_coupon_dates_in_order'), models.CheckConstraint(condition=models.Q(('organization', None), ('user', None), _connector='OR'), name='billing_coupon_for_one'), models.CheckConstraint(condition=models.Q(models.Q(('organization', None), ('user', None)), ('max_uses', 1), _connector='OR'), name='billing_coupon_for_one_once')],
            },
        ),
        migrations.CreateModel(
            name='CouponRedemption',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('identity', models.CharField(blank=True, editable=False, help_text="Hash of the owner's mailbox; empty without an owner.", max_length=64)),
                ('amount', models.BigIntegerField(help_text='Nano-USD.')),
                ('created_at', models.DateTimeField()),
                ('coupon', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='redemptions', to='billing.coupon')),
                ('organization', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='coupon_redemptions', to='accounts.organization')),
            ],
            options={
                'ordering': ['-pk'],
                'constraints': [models.UniqueConstraint(fields=('coupon', 'organization'), name='billing_coupon_once_per_organization'), models.UniqueConstraint(condition=models.Q(('identity', ''), _negated=True), fields=('coupon', 'identity'), name='billing_coupon_once_per_identity')],
            },
        ),
        migrations.CreateModel(
            name='CreditLot',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('bucket', models.CharField(choices=[('allowance', "Allowance: comes with a plan, expires at the period's end"), ('promo', 'Promo: trial, coupon and referral credit')], max_length=16)),
                ('reference', models.CharField(help_text='Of the entry that it came with.', max_length=120)),
                ('amount', models.BigIntegerField(help_text='Nano-USD.')),
                ('remaining', models.BigIntegerField(help_text='Nano-USD, less what has been spent since the last booking.')),
                ('expires_at', models.DateTimeField(blank=True, null=True)),
                ('created_at', models.DateTimeField()),
                ('organization', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='credit_lots', to='accounts.organization')),
            ],
            options={
                'ordering': [models.OrderBy(models.F('expires_at'), nulls_last=True), 'id'],
                'indexes': [models.Index(condition=models.Q(('remaining__gt', 0)), fields=['expires_at'], name='billing_lot_by_expiry')],
                'constraints': [models.CheckConstraint(condition=models.Q(('remaining__gte', 0), ('remaining__lte', models.F('amount'))), name='billing_lot_remaining_within_amount')],
            },
        ),
        migrations.CreateModel(
            name='CreditPackage',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('slug', models.SlugField(unique=True)),
                ('name', models.CharField(max_length=60)),
                ('price_cents', models.PositiveIntegerField(help_text='Cents, before the fee.')),
                ('credit', models.BigIntegerField(help_text='Nano-USD that the price buys.')),
                ('bonus', models.BigIntegerField(default=0, help_text='Nano-USD given on top of it.')),
                ('is_active', models.BooleanField(default=True, help_text='Off: no longer sold.')),
            ],
            options={
                'ordering': ['price_cents', 'slug'],
                'constraints': [models.CheckConstraint(condition=models.Q(('bonus__gte', 0), ('credit__gt', 0), ('price_cents__gt', 0)), name='billing_package_worth_something')],
            },
        ),
        migrations.CreateModel(
            name='Hold',
            fields=[
                ('request_id', models.CharField(max_length=40, primary_key=True, serialize=False)),
                ('amount', models.BigIntegerField(help_text='Nano-USD.')),
                ('owner', models.CharField(help_text='The web process that serves the request.', max_length=40)),
                ('api_key_id', models.BigIntegerField(null=True)),
                ('member_id', models.BigIntegerField(null=True)),
                ('windows', models.JSONField(help_text="Ids of the budgets' windows that it counts in.", null=True)),
                ('model', models.CharField(blank=True, max_length=200)),
                ('created_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField(db_index=True)),
                ('organization', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='holds', to='accounts.organization')),
            ],
            options={
                'indexes': [models.Index(fields=['owner'], name='billing_hold_by_owner')],
                'constraints': [models.CheckConstraint(condition=models.Q(('amount__gte', 0)), name='billing_hold_not_negative')],
            },
        ),
        migrations.CreateModel(
            name='JournalEntry',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('reference', models.CharField(help_text='The same reference twice is one write.', max_length=120, unique=True)),
                ('kind', models.CharField(choices=[('grant', 'Grant: credit given by staff or a trial'), ('settlement', 'Settlement: a request was charged'), ('expiry', 'Expiry: allowance or promo credit whose time is over'), ('payment', 'Payment: credit was bought'), ('refund', 'Refund: money went back, and credit with it; or the refund failed'), ('dispute', 'Dispute: a bank took a payment back; or the dispute was won'), ('adjustment', 'Adjustment: mends an earlier entry')], max_length=16)),
                ('price_id', models.BigIntegerField(blank=True, help_text='The price row that a settlement used.', null=True)),
                ('memo', models.CharField(blank=True, max_length=200)),
                ('created_at', models.DateTimeField(db_index=True)),
                ('api_key_id', models.BigIntegerField(blank=True, null=True)),
                ('member_id', models.BigIntegerField(blank=True, help_text='The user who had made the key.', null=True)),
                ('held_at', models.DateTimeField(blank=True, help_text='When its credit was set aside.', null=True)),
                ('organization', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='journal_entries', to='accounts.organization')),
            ],
            options={
                'verbose_name_plural': 'journal entries',
                'ordering': ['-id'],
                'indexes': [models.Index(fields=['organization', '-id'], name='billing_entry_by_organization')],
            },
        ),
        migrations.CreateModel(
            name='EntryLine',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('amount', models.BigIntegerField(help_text='Nano-USD; positive adds to the account.')),
                ('account', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='lines', to='billing.account')),
                ('entry', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='lines', to='billing.journalentry')),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('amount', 0), _negated=True), name='billing_line_not_zero'), models.UniqueConstraint(fields=('entry', 'account'), name='billing_line_once_per_account')],
            },
        ),
        migrations.CreateModel(
            name='Order',
            fields=[
                ('id', models.CharField(max_length=40, primary_key=True, serialize=False)),
                ('api_key_id', models.BigIntegerField(blank=True, help_text='The key that asked.', null=True)),
                ('kind', models.CharField(choices=[('checkout', "Checkout: paid on Stripe's page"), ('intent', "Payment intent: paid in the customer's own page"), ('auto_top_up', 'Auto top-up: charged to the saved card')], max_length=12)),
                ('status', models.CharField(choices=[('created', 'Created: Stripe has not told of it yet'), ('open', 'Open: waits for the customer to pay'), ('paid', 'Paid: the credit was given'), ('expired', 'Expired: nobody paid in time'), ('failed', 'Failed: the payment was refused'), ('quarantined', 'Quarantined: what was paid is not what was ordered')], default='created', max_length=12)),
                ('credit', models.BigIntegerField(help_text='Nano-USD that the price buys.')),
                ('bonus', models.BigIntegerField(default=0, help_text='Nano-USD given on top of it.')),
                ('price_cents', models.PositiveIntegerField(help_text='What the credit costs.')),
                ('fee_cents', models.PositiveIntegerField(help_text='The top-up fee.')),
                ('amount_cents', models.PositiveIntegerField(help_text='Price and fee: what is charged.')),
                ('refunded_cents', models.PositiveIntegerField(default=0, help_text='Refunded or disputed, less what came back.')),
                ('currency', models.CharField(default='usd', max_length=3)),
                ('session_id', models.CharField(blank=True, max_length=100, null=True, unique=True)),
                ('intent_id', models.CharField(blank=True, max_length=64, null=True, unique=True)),
                ('idempotency_key', models.CharField(blank=True, max_length=255, null=True)),
                ('request', models.JSONField(blank=True, default=dict, help_text='Parameters of the call to Stripe, to repeat it.')),
                ('problem', models.CharField(blank=True, max_length=200)),
                ('created_at', models.DateTimeField(db_index=True)),
                ('paid_at', models.DateTimeField(blank=True, null=True)),
                ('checked_at', models.DateTimeField(blank=True, help_text='When Stripe was last asked about it.', null=True)),
                ('organization', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='orders', to='accounts.organization')),
                ('package', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='orders', to='billing.creditpackage')),
            ],
            options={
                'ordering': ['-created_at'],
                'indexes': [models.Index(condition=models.Q(('status__in', ('created', 'open'))), fields=['created_at'], name='billing_order_unsettled'), models.Index(fields=['organization', '-created_at'], name='billing_order_by_organization')],
                'constraints': [models.CheckConstraint(condition=models.Q(('amount_cents', django.db.models.expressions.CombinedExpression(models.F('price_cents'), '+', models.F('fee_cents'))), ('amount_cents__gt', 0)), name='billing_order_amount_is_price_and_fee'), models.CheckConstraint(condition=models.Q(('refunded_cents__lte', models.F('amount_cents'))), name='billing_order_refunded_within_amount'), models.UniqueConstraint(fields=('organization', 'idempotency_key'), name='billing_order_once_per_key'), models.UniqueConstraint(condition=models.Q(('kind', 'auto_top_up'), ('status__in', ('created', 'open'))), fields=('organization',), name='billing_order_one_auto_top_up_at_a_time')],
            },
        ),
        migrations.CreateModel(
            name='RedemptionBatch',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('name', models.CharField(help_text='Whom they are for; customers do not see it.', max_length=80)),
                ('amount', models.BigIntegerField(help_text='Nano-USD that each code gives.', validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(1000000000000)])),
                ('valid_until', models.DateTimeField(blank=True, help_text='Empty: for good.', null=True)),
                ('is_active', models.BooleanField(default=True, help_text='Off: no code of it is taken.')),
                ('created_by', models.ForeignKey(editable=False, null=True, on_delete=django.db.models.deletion.SET_NULL, to=settings.AUTH_USER_MODEL)),
            ],
            options={
                'verbose_name_plural': 'redemption batches',
                'ordering': ['-pk'],
                'constraints': [models.CheckConstraint(condition=models.Q(('amount__gt', 0), ('amount__lte', 1000000000000)), name='billing_batch_amount')],
            },
        ),
        migrations.CreateModel(
            name='RedemptionCode',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('lookup', models.CharField(editable=False, max_length=64, unique=True)),
                ('last4', models.CharField(editable=False, max_length=4)),
                ('redeemed_at', models.DateTimeField(blank=True, null=True)),
                ('batch', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='codes', to='billing.redemptionbatch')),
                ('redeemed_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='redemption_codes', to='accounts.organization')),
            ],
            options={
                'ordering': ['-pk'],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('redeemed_at', None), ('redeemed_by', None)), models.Q(('redeemed_at__isnull', False), ('redeemed_by__isnull', False)), _connector='OR'), name='billing_code_redeemed_by_somebody')],
            },
        ),
        migrations.CreateModel(
            name='ReferralCode',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('code', models.CharField(max_length=8, unique=True)),
                ('max_uses', models.PositiveSmallIntegerField(validators=[django.core.validators.MinValueValidator(1)])),
                ('used', models.PositiveSmallIntegerField(default=0, editable=False)),
                ('organization', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='referral_code', to='accounts.organization')),
            ],
            options={
                'ordering': ['-pk'],
                'constraints': [models.CheckConstraint(condition=models.Q(('max_uses__gte', 1), ('used__lte', models.F('max_uses'))), name='billing_referral_used_within_max')],
            },
        ),
        migrations.CreateModel(
            name='Referral',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('identity', models.CharField(blank=True, editable=False, help_text="Hash of its owner's mailbox; empty without an owner.", max_length=64)),
                ('status', models.CharField(choices=[('pending', 'Pending: the first purchase is waited for'), ('earned', 'Earned: it was made, the credit is being given'), ('completed', 'Completed: both sides have their credit')], default='pending', max_length=9)),
                ('reward', models.BigIntegerField(blank=True, help_text='Nano-USD for each side.', null=True)),
                ('purchase_reference', models.CharField(blank=True, max_length=120)),
                ('earned_at', models.DateTimeField(blank=True, null=True)),
                ('organization', models.OneToOneField(help_text='The one that was brought.', on_delete=django.db.models.deletion.PROTECT, related_name='referral', to='accounts.organization')),
                ('code', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='referrals', to='billing.referralcode')),
            ],
            options={
                'ordering': ['-pk'],
                'indexes': [models.Index(condition=models.Q(('status', 'earned')), fields=['id'], name='billing_referral_earned')],
                'constraints': [models.CheckConstraint(condition=models.Q(models.Q(('earned_at', None), ('reward', None), ('status', 'pending')), models.Q(models.Q(('status', 'pending'), _negated=True), ('earned_at__isnull', False), ('reward__isnull', False)), _connector='OR'), name='billing_referral_earned_has_reward'), models.UniqueConstraint(condition=models.Q(('identity', ''), _negated=True), fields=('identity',), name='billing_referral_once_per_identity')],
            },
        ),
        migrations.CreateModel(
            name='ReferralTerms',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('reward', models.BigIntegerField(help_text='Nano-USD for each side.', validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(1000000000000)])),
                ('least_purchase', models.BigIntegerField(help_text='Nano-USD.', validators=[django.core.validators.MinValueValidator(1)])),
                ('max_uses', models.PositiveSmallIntegerField(help_text='Of a code that is made from now on.', validators=[django.core.validators.MinValueValidator(1)])),
            ],
            options={
                'verbose_name_plural': 'referral terms',
                'constraints': [models.CheckConstraint(condition=models.Q(('pk', 1)), name='billing_referral_terms_are_one'), models.CheckConstraint(condition=models.Q(('reward__gt', 0), ('reward__lte', 1000000000000)), name='billing_referral_terms_reward'), models.CheckConstraint(condition=models.Q(('least_purchase__gt', 0), ('max_uses__gte', 1)), name='billing_referral_terms_positive')],
            },
        ),
        migrations.CreateModel(
            name='Reversal',
            fields=[
                ('id', models.CharField(max_length=40, primary_key=True, serialize=False)),
                ('kind', models.CharField(choices=[('refund', 'Refund'), ('dispute', 'Dispute')], max_length=8)),
                ('status', models.CharField(choices=[('requested', 'Requested: Stripe has not told of it yet'), ('taken', 'Taken: the money went back, and the credit with it'), ('returned', 'Returned: failed or won, the credit is there again')], default='requested', max_length=10)),
                ('stripe_id', models.CharField(blank=True, max_length=64, null=True, unique=True)),
                ('idempotency_key', models.CharField(blank=True, max_length=255, null=True)),
                ('amount_cents', models.PositiveIntegerField()),
                ('taken', models.BigIntegerField(default=0, help_text='Nano-USD of credit taken back.')),
                ('uncovered', models.BigIntegerField(default=0, help_text='Nano-USD that had been spent already: written off, spending frozen.')),
                ('fee', models.BigIntegerField(default=0, help_text='Nano-USD of the fee given back.')),
                ('bonus', models.BigIntegerField(default=0, help_text='Nano-USD of the bonus taken back.')),
                ('reason', models.CharField(blank=True, max_length=200)),
                ('created_at', models.DateTimeField(db_index=True)),
                ('order', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='reversals', to='billing.order')),
            ],
            options={
                'ordering': ['-created_at'],
                'constraints': [models.CheckConstraint(condition=models.Q(('amount_cents__gt', 0), ('taken__gte', 0), ('uncovered__gte', 0)), name='billing_reversal_not_negative'), models.UniqueConstraint(fields=('order', 'idempotency_key'), name='billing_reversal_once_per_key')],
            },
        ),
        migrations.CreateModel(
            name='StripeCustomer',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('token', models.CharField(help_text='Idempotency key of the call that makes it.', max_length=40, unique=True)),
                ('stripe_id', models.CharField(blank=True, max_length=64, null=True, unique=True)),
                ('organization', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='stripe_customer', to='accounts.organization')),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='StripeEvent',
            fields=[
                ('id', models.CharField(max_length=64, primary_key=True, serialize=False)),
                ('type', models.CharField(db_index=True, max_length=80)),
                ('payload', models.TextField(help_text='The body, byte for byte.')),
                ('status', models.CharField(choices=[('received', 'Received: waits to be processed'), ('processed', 'Processed'), ('ignored', 'Ignored: of a kind that changes nothing here'), ('failed', 'Failed: is tried again'), ('given_up', 'Given up: staff may process it again')], default='received', max_length=10)),
                ('attempts', models.PositiveSmallIntegerField(default=0)),
                ('next_attempt_at', models.DateTimeField(blank=True, help_text='Also the end of the attempt that is under way.', null=True)),
                ('problem', models.CharField(blank=True, max_length=200)),
                ('received_at', models.DateTimeField(db_index=True)),
                ('processed_at', models.DateTimeField(blank=True, null=True)),
            ],
            options={
                'verbose_name': 'Stripe event',
                'ordering': ['-received_at'],
                'indexes': [models.Index(fields=['status', 'next_attempt_at'], name='billing_event_due')],
            },
        ),
        migrations.CreateModel(
            name='TrialTerms',
            fields=[
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('slug', models.SlugField(primary_key=True, serialize=False)),
                ('days', models.PositiveSmallIntegerField(validators=[django.core.validators.MinValueValidator(1)])),
                ('credit', models.BigIntegerField(help_text='Nano-USD.', validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(1000000000000)])),
                ('tokens', models.PositiveBigIntegerField(help_text='In and out, of requests that cost something.', validators=[django.core.validators.MinValueValidator(1)])),
                ('requests', models.PositiveIntegerField(help_text='Of those that cost something.', validators=[django.core.validators.MinValueValidator(1)])),
                ('is_offered', models.BooleanField(default=True, help_text='Off: no trial begins under them.')),
            ],
            options={
                'verbose_name_plural': 'trial terms',
                'ordering': ['slug'],
                'constraints': [models.CheckConstraint(condition=models.Q(('credit__gt', 0), ('credit__lte', 1000000000000)), name='billing_terms_credit'), models.CheckConstraint(condition=models.Q(('days__gte', 1), ('requests__gte', 1), ('tokens__gte', 1)), name='billing_terms_positive')],
            },
        ),
        migrations.CreateModel(
            name='PartnerOffer',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('code', models.CharField(max_length=32, unique=True, validators=[django.core.validators.RegexValidator('\\A[A-Z0-9_-]{3,32}\\Z', 'Write 3 to 32 capital letters, digits, hyphens and underscores.')])),
                ('partner', models.CharField(help_text='As customers read it.', max_length=80)),
                ('max_uses', models.PositiveIntegerField(blank=True, help_text='Empty: no limit.', null=True)),
                ('used', models.PositiveIntegerField(default=0, editable=False)),
                ('valid_from', models.DateTimeField()),
                ('valid_until', models.DateTimeField(blank=True, help_text='Empty: for good.', null=True)),
                ('is_active', models.BooleanField(default=True)),
                ('terms', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='offers', to='billing.trialterms')),
            ],
            options={
                'ordering': ['code'],
                'constraints': [models.CheckConstraint(condition=models.Q(('max_uses', None), ('used__lte', models.F('max_uses')), _connector='OR'), name='billing_offer_used_within_max'), models.CheckConstraint(condition=models.Q(('valid_until', None), ('valid_from__lt', models.F('valid_until')), _connector='OR'), name='billing_offer_dates_in_order')],
            },
        ),
        migrations.CreateModel(
            name='Trial',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('identity', models.CharField(editable=False, help_text="Hash of the owner's mailbox.", max_length=64, unique=True)),
                ('credit', models.BigIntegerField(help_text='Nano-USD.')),
                ('tokens', models.PositiveBigIntegerField()),
                ('requests', models.PositiveIntegerField()),
                ('tokens_used', models.PositiveBigIntegerField(default=0, help_text='When last counted.')),
                ('requests_used', models.PositiveIntegerField(default=0, help_text='When last counted.')),
                ('started_at', models.DateTimeField()),
                ('ends_at', models.DateTimeField(help_text='At the latest.')),
                ('ended_at', models.DateTimeField(blank=True, null=True)),
                ('end_reason', models.CharField(blank=True, choices=[('time', 'Its days are over'), ('tokens', 'Its tokens are used up'), ('requests', 'Its requests are used up'), ('staff', 'Ended by staff')], max_length=8)),
                ('offer', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='trials', to='billing.partneroffer')),
                ('organization', models.OneToOneField(on_delete=django.db.models.deletion.PROTECT, related_name='trial', to='accounts.organization')),
            ],
            options={
                'ordering': ['-started_at'],
                'indexes': [models.Index(condition=models.Q(('ended_at', None)), fields=['ends_at'], name='billing_trial_running')],
                'constraints': [models.CheckConstraint(condition=models.Q(('started_at__lt', models.F('ends_at'))), name='billing_trial_dates_in_order'), models.CheckConstraint(condition=models.Q(models.Q(('end_reason', ''), ('ended_at', None)), models.Q(('ended_at__isnull', False), models.Q(('end_reason', ''), _negated=True)), _connector='OR'), name='billing_trial_end_has_reason')],
            },
        ),
    ]
