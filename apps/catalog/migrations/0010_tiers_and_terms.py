import django.db.models.deletion
from django.db import migrations, models

import apps.common.clock
from apps.common.db import append_only, bump_epoch


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0002_plan'),
        ("catalog", "0009_balances"),
    ]

    operations = [
        migrations.AddField(
            model_name='price',
            name='tiers',
            field=models.JSONField(blank=True, help_text='What long inputs cost; empty when their length does not matter.', null=True),
        ),
        migrations.AddField(
            model_name='price',
            name='added_by',
            field=models.CharField(blank=True, default='', help_text='Who of staff; empty for what a source told.', max_length=254),
            preserve_default=False,
        ),
        migrations.CreateModel(
            name='PriceTerms',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('model_pattern', models.CharField(blank=True, help_text="The model's id, where * stands for anything: anthropic/*. Empty: every model.", max_length=200)),
                ('basis_points', models.IntegerField(help_text='Added to the price, in hundredths of a percent: 500 is 5 % more, -1000 is 10 % less.')),
                ('valid_from', models.DateTimeField(default=apps.common.clock.now)),
                ('valid_until', models.DateTimeField(blank=True, help_text='Not included. Empty: until further notice.', null=True)),
                ('note', models.CharField(blank=True, max_length=200)),
                ('added_by', models.CharField(blank=True, editable=False, max_length=254)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('organization', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='price_terms', to='accounts.organization')),
                ('provider', models.ForeignKey(blank=True, help_text='Empty: all of them.', null=True, on_delete=django.db.models.deletion.PROTECT, to='catalog.provider')),
            ],
            options={
                'verbose_name_plural': 'price terms',
                'ordering': ['organization', '-valid_from'],
                'constraints': [models.CheckConstraint(condition=models.Q(('basis_points__gte', -9999), ('basis_points__lte', 100000)), name='catalog_terms_within_bounds'), models.CheckConstraint(condition=models.Q(('valid_until', None), ('valid_until__gt', models.F('valid_from')), _connector='OR'), name='catalog_terms_end_after_they_begin')],
            },
        ),
        bump_epoch(table="catalog_priceterms", epoch_table="catalog_catalogepoch"),
        # SQLite has rebuilt the table, and its triggers went with the old one.
        bump_epoch(table="catalog_price", epoch_table="catalog_catalogepoch"),
        append_only(table="catalog_price"),
    ]
