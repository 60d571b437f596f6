import apps.catalog.models.model
import apps.catalog.models.provider
import apps.catalog.providers.spec
import apps.common.clock
import django.db.models.deletion
import django.db.models.functions.text
from django.db import migrations, models


class Migration(migrations.Migration):

    replaces = [('catalog', '0001_schema'), ('catalog', '0003_unit_prices'), ('catalog', '0004_intake'), ('catalog', '0005_data_policy'), ('catalog', '0006_model_facts'), ('catalog', '0007_prefill'), ('catalog', '0008_weights_and_regions'), ('catalog', '0009_balances'), ('catalog', '0010_tiers_and_terms'), ('catalog', '0011_superseded')]

    initial = True

    dependencies = [
        ('accounts', '0001_squashed_0006'),
    ]

    operations = [
        migrations.CreateModel(
            name='CatalogEpoch',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('value', models.BigIntegerField(default=0)),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='Provider',
            fields=[
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('slug', models.SlugField(max_length=40, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=80)),
                ('enabled', models.BooleanField(default=True)),
                ('wire', models.CharField(choices=apps.catalog.models.provider.wire_choices, max_length=40)),
                ('base_url', models.CharField(blank=True, help_text='Empty: the address that ships with the release.', max_length=300, verbose_name='base URL')),
                ('api_key_env', models.CharField(blank=True, help_text='Environment variable that holds the key. Empty: the one that ships with the release, or no key.', max_length=80, verbose_name='API key variable')),
                ('api_key_ciphertext', models.TextField(blank=True, editable=False, help_text='Fernet; wins over the environment.')),
                ('priority', models.PositiveIntegerField(default=50, help_text='Lower is asked first.')),
                ('markup_ppm', models.PositiveIntegerField(default=0, help_text='Added to every price, in parts per million: 50000 is 5 %.', verbose_name='mark-up')),
                ('usage', models.CharField(choices=apps.catalog.models.provider.usage_choices, default=apps.catalog.providers.spec.UsageConvention['CACHE_INSIDE_INPUT'], help_text='Whether the reported input tokens already contain those served from the prompt cache.', max_length=40, verbose_name='usage convention')),
                ('is_sandbox', models.BooleanField(default=False, help_text="Stands in for a provider: test keys may use it, and `+options` after a model's name reach it.")),
                ('collects_data', models.BooleanField(blank=True, help_text='Whether it may use prompts for its own ends, such as training. Unknown: what ships with the release, else it counts as yes.', null=True, verbose_name='collects data')),
                ('keeps_nothing', models.BooleanField(blank=True, help_text='Whether it stores neither prompts nor answers. Unknown: what ships with the release, else it counts as no.', null=True, verbose_name='zero data retention')),
                ('region', models.CharField(blank=True, help_text='Where prompts are processed: eu, us, … Empty when unknown, which passes no `provider.regions`.', max_length=20)),
                ('prefill', models.CharField(blank=True, help_text='Its models, as patterns with spaces between, that go on from a message of the assistant at the end. Empty: those that the release knows of.', max_length=300)),
                ('is_spent', models.BooleanField(default=False, editable=False, help_text="The house's account there is known to be empty: it is asked after all others.")),
                ('connect_seconds', models.FloatField(blank=True, null=True)),
                ('first_content_seconds', models.FloatField(blank=True, null=True)),
                ('first_content_last_seconds', models.FloatField(blank=True, null=True)),
                ('idle_seconds', models.FloatField(blank=True, null=True)),
                ('reasoning_seconds', models.FloatField(blank=True, null=True)),
                ('total_seconds', models.FloatField(blank=True, null=True)),
                ('docs', models.CharField(blank=True, help_text='The page that describes its API.', max_length=300)),
            ],
            options={
                'ordering': ['priority', 'slug'],
                'constraints': [models.CheckConstraint(condition=models.Q(('connect_seconds', None), ('connect_seconds__gt', 0), _connector='OR'), name='catalog_provider_connect_positive'), models.CheckConstraint(condition=models.Q(('first_content_seconds', None), ('first_content_seconds__gt', 0), _connector='OR'), name='catalog_provider_first_content_positive'), models.CheckConstraint(condition=models.Q(('first_content_last_seconds', None), ('first_content_last_seconds__gt', 0), _connector='OR'), name='catalog_provider_first_content_last_positive'), models.CheckConstraint(condition=models.Q(('idle_seconds', None), ('idle_seconds__gt', 0), _connector='OR'), name='catalog_provider_idle_positive'), models.CheckConstraint(condition=models.Q(('reasoning_seconds', None), ('reasoning_seconds__gt', 0), _connector='OR'), name='catalog_provider_reasoning_positive'), models.CheckConstraint(condition=models.Q(('total_seconds', None), ('total_seconds__gt', 0), _connector='OR'), name='catalog_provider_total_positive')],
            },
        ),
        migrations.CreateModel(
            name='Model',
            fields=[
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('id', models.CharField(max_length=200, primary_key=True, serialize=False)),
                ('name', models.CharField(max_length=200)),
                ('description', models.TextField(blank=True)),
                ('context_length', models.PositiveIntegerField(blank=True, help_text='Tokens; empty when unknown.', null=True)),
                ('max_output_tokens', models.PositiveIntegerField(blank=True, help_text='Empty when unknown.', null=True)),
                ('input_modalities', models.JSONField(default=apps.catalog.models.model.text_only)),
                ('output_modalities', models.JSONField(default=apps.catalog.models.model.text_only)),
                ('supported_parameters', models.JSONField(blank=True, default=list, help_text='Empty when unknown.')),
                ('released_on', models.DateField(blank=True, help_text='When it came out; empty when unknown.', null=True, verbose_name='released')),
                ('learned', models.JSONField(default=dict, editable=False, help_text='How well each ability is known that no operator wrote; see services.abilities.')),
                ('is_active', models.BooleanField(default=True)),
            ],
            options={
                'ordering': ['id'],
                'constraints': [models.UniqueConstraint(django.db.models.functions.text.Lower('id'), name='catalog_model_id_unique_whatever_case'), models.CheckConstraint(condition=models.Q(('id', ''), _negated=True), name='catalog_model_id_not_empty')],
            },
        ),
        migrations.CreateModel(
            name='ModelAlias',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('alias', models.CharField(max_length=200, unique=True)),
                ('reason', models.CharField(blank=True, help_text='Why a request for this name goes to that model.', max_length=200)),
                ('model', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='aliases', to='catalog.model')),
            ],
            options={
                'verbose_name_plural': 'model aliases',
                'ordering': ['alias'],
                'constraints': [models.CheckConstraint(condition=models.Q(('alias', django.db.models.functions.text.Lower(models.F('alias')))), name='catalog_alias_lower_case', violation_error_message='An alias is written in lower case.')],
            },
        ),
        migrations.CreateModel(
            name='Offering',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('upstream_model', models.CharField(help_text="The model's id at the provider, in its case.", max_length=200)),
                ('variant', models.CharField(blank=True, help_text='How it is offered, after a colon in the public id: free. Empty: as usual.', max_length=20)),
                ('quantization', models.CharField(blank=True, help_text='Empty when unknown.', max_length=20)),
                ('context_length', models.PositiveIntegerField(blank=True, help_text="Empty: the model's.", null=True)),
                ('max_output_tokens', models.PositiveIntegerField(blank=True, help_text="Empty: the model's.", null=True)),
                ('priority', models.PositiveIntegerField(default=0, help_text="Lower is asked first; wins over the provider's priority.")),
                ('weight', models.PositiveIntegerField(blank=True, help_text='Its part of the requests, beside the other hosts of the model that have one: 80 and 20. Empty: it is asked by its priority.', null=True)),
                ('is_active', models.BooleanField(default=True)),
                ('missing', models.PositiveSmallIntegerField(default=0, editable=False, help_text='Lists in a row that did not name it.')),
                ('withdrawn_at', models.DateTimeField(blank=True, editable=False, help_text="When the provider's list had not named it several times in a row.", null=True)),
                ('model', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='offerings', to='catalog.model')),
                ('provider', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='offerings', to='catalog.provider')),
            ],
            options={
                'ordering': ['model', 'priority', 'provider'],
                'constraints': [models.UniqueConstraint(fields=('provider', 'upstream_model', 'model'), name='catalog_offering_once_per_provider')],
            },
        ),
        migrations.CreateModel(
            name='Price',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('valid_from', models.DateTimeField(db_index=True, default=apps.common.clock.now)),
                ('input', models.BigIntegerField()),
                ('output', models.BigIntegerField()),
                ('cache_read', models.BigIntegerField()),
                ('cache_write_5m', models.BigIntegerField()),
                ('cache_write_1h', models.BigIntegerField()),
                ('reasoning', models.BigIntegerField()),
                ('audio_input', models.BigIntegerField(default=0)),
                ('audio_output', models.BigIntegerField(default=0)),
                ('images', models.BigIntegerField(default=0, verbose_name='per image')),
                ('characters', models.BigIntegerField(default=0, verbose_name='per million characters')),
                ('seconds', models.BigIntegerField(default=0, verbose_name='per second')),
                ('searches', models.BigIntegerField(default=0, verbose_name='per search')),
                ('request', models.BigIntegerField(default=0, verbose_name='per request')),
                ('tiers', models.JSONField(blank=True, help_text='What long inputs cost; empty when their length does not matter.', null=True)),
                ('source', models.CharField(choices=[('seed', 'Seed: shipped with the release'), ('genai-prices', 'genai-prices: the price book'), ('provider', 'Provider: its own list'), ('manual', 'Manual: manage.py provider'), ('sandbox', 'Sandbox'), ('staff', 'Staff: the admin')], max_length=16)),
                ('note', models.CharField(blank=True, max_length=200)),
                ('added_by', models.CharField(blank=True, help_text='Who of staff; empty for what a source told.', max_length=254)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('offering', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='prices', to='catalog.offering')),
            ],
            options={
                'ordering': ['-valid_from'],
                'constraints': [models.UniqueConstraint(fields=('offering', 'valid_from'), name='catalog_price_once_per_moment'), models.CheckConstraint(condition=models.Q(('input__gte', 0)), name='catalog_price_input_not_negative'), models.CheckConstraint(condition=models.Q(('output__gte', 0)), name='catalog_price_output_not_negative'), models.CheckConstraint(condition=models.Q(('cache_read__gte', 0)), name='catalog_price_cache_read_not_negative'), models.CheckConstraint(condition=models.Q(('cache_write_5m__gte', 0)), name='catalog_price_cache_write_5m_not_negative'), models.CheckConstraint(condition=models.Q(('cache_write_1h__gte', 0)), name='catalog_price_cache_write_1h_not_negative'), models.CheckConstraint(condition=models.Q(('reasoning__gte', 0)), name='catalog_price_reasoning_not_negative'), models.CheckConstraint(condition=models.Q(('audio_input__gte', 0)), name='catalog_price_audio_input_not_negative'), models.CheckConstraint(condition=models.Q(('audio_output__gte', 0)), name='catalog_price_audio_output_not_negative'), models.CheckConstraint(condition=models.Q(('images__gte', 0)), name='catalog_price_images_not_negative'), models.CheckConstraint(condition=models.Q(('characters__gte', 0)), name='catalog_price_characters_not_negative'), models.CheckConstraint(condition=models.Q(('seconds__gte', 0)), name='catalog_price_seconds_not_negative'), models.CheckConstraint(condition=models.Q(('searches__gte', 0)), name='catalog_price_searches_not_negative'), models.CheckConstraint(condition=models.Q(('request__gte', 0)), name='catalog_price_request_not_negative')],
            },
        ),
        migrations.CreateModel(
            name='PriceProposal',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('former', models.JSONField(blank=True, help_text='What is in force; empty when nothing is.', null=True)),
                ('found', models.JSONField()),
                ('fingerprint', models.CharField(editable=False, max_length=64)),
                ('reason', models.CharField(max_length=300)),
                ('source', models.CharField(choices=[('seed', 'Seed: shipped with the release'), ('genai-prices', 'genai-prices: the price book'), ('provider', 'Provider: its own list'), ('manual', 'Manual: manage.py provider'), ('sandbox', 'Sandbox'), ('staff', 'Staff: the admin')], max_length=16)),
                ('note', models.CharField(blank=True, max_length=200)),
                ('state', models.CharField(choices=[('pending', 'Waiting for a decision'), ('approved', 'Approved'), ('rejected', 'Rejected'), ('superseded', 'Superseded: the source says something else now')], db_index=True, default='pending', max_length=16)),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('decided_at', models.DateTimeField(blank=True, null=True)),
                ('decided_by', models.CharField(blank=True, max_length=254)),
                ('offering', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='proposals', to='catalog.offering')),
            ],
            options={
                'ordering': ['-created_at'],
                'constraints': [models.UniqueConstraint(fields=('offering', 'fingerprint'), name='catalog_proposal_once_per_price')],
            },
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
        migrations.CreateModel(
            name='Feed',
            fields=[
                ('provider', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, serialize=False, to='catalog.provider')),
                ('every_minutes', models.PositiveIntegerField(default=60, help_text='How often the list is read; 0: only when somebody asks for it.')),
                ('etag', models.CharField(blank=True, editable=False, max_length=300, verbose_name='ETag')),
                ('content_hash', models.CharField(blank=True, editable=False, max_length=64)),
                ('listed', models.PositiveIntegerField(default=0, help_text='Models in the last list that was believed.')),
                ('priced', models.PositiveIntegerField(default=0, help_text='Those of them with a price.')),
                ('attempted_at', models.DateTimeField(blank=True, null=True)),
                ('refreshed_at', models.DateTimeField(blank=True, help_text='When a list was last read and believed, changed or not.', null=True)),
                ('claimed_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('error', models.CharField(blank=True, help_text='Of the last attempt; empty when it went well.', max_length=500)),
            ],
            options={
                'ordering': ['provider'],
            },
        ),
        migrations.CreateModel(
            name='UpstreamBalance',
            fields=[
                ('provider', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name='balance', serialize=False, to='catalog.provider')),
                ('amount', models.BigIntegerField(help_text='Billionths of the currency.', null=True)),
                ('currency', models.CharField(blank=True, max_length=8)),
                ('is_low', models.BooleanField(default=False, help_text='Below LOW_UPSTREAM_BALANCE_USD.')),
                ('attempted_at', models.DateTimeField(null=True)),
                ('read_at', models.DateTimeField(help_text='When it was last told.', null=True)),
                ('error', models.CharField(blank=True, help_text='Of the last attempt; empty when it went well.', max_length=300)),
            ],
            options={
                'ordering': ['provider'],
            },
        ),
    ]
