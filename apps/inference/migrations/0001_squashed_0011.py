import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    replaces = [('inference', '0001_initial'), ('inference', '0003_units'), ('inference', '0004_stored_responses'), ('inference', '0005_cached'), ('inference', '0006_route'), ('inference', '0007_is_byok'), ('inference', '0008_stopped'), ('inference', '0009_receipts'), ('inference', '0010_rates_named'), ('inference', '0011_tags_and_savings')]

    initial = True

    dependencies = [
        ('accounts', '0001_squashed_0006'),
        ('keys', '0001_squashed_0007'),
    ]

    operations = [
        migrations.CreateModel(
            name='StoredResponse',
            fields=[
                ('id', models.CharField(help_text="The generation's.", max_length=40, primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField()),
                ('expires_at', models.DateTimeField(db_index=True)),
                ('previous', models.CharField(blank=True, help_text='The response before it.', max_length=40)),
                ('content', models.TextField(editable=False, help_text='Encrypted.')),
                ('api_key', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, to='keys.apikey')),
                ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, to='accounts.organization')),
            ],
            options={
                'ordering': ['-created_at'],
            },
        ),
        migrations.CreateModel(
            name='RequestRecord',
            fields=[
                ('id', models.CharField(max_length=40, primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(db_index=True)),
                ('surface', models.CharField(help_text='The endpoint, by its name.', max_length=24)),
                ('streamed', models.BooleanField()),
                ('requested_model', models.CharField(max_length=200)),
                ('model', models.CharField(blank=True, help_text='The model that answered.', max_length=200)),
                ('provider', models.CharField(blank=True, max_length=60)),
                ('price_id', models.BigIntegerField(null=True)),
                ('markup_ppm', models.IntegerField(help_text='Of the provider, on that price.', null=True)),
                ('terms_bp', models.IntegerField(help_text='Of the organisation, on top of that.', null=True)),
                ('share_bp', models.IntegerField(help_text='Of it all: 10000, or the routing fee.', null=True)),
                ('outcome', models.CharField(choices=[('completed', 'Completed'), ('client_gone', 'The client went away'), ('failed', 'Every provider failed before content'), ('interrupted', 'The provider failed after content'), ('stopped', 'The credit was used up while it was answered'), ('empty', 'The answer was empty'), ('lost', 'The process that served it died')], max_length=12)),
                ('status', models.PositiveSmallIntegerField(help_text='HTTP status sent to the client.')),
                ('error_code', models.CharField(blank=True, max_length=40)),
                ('finish_reason', models.CharField(blank=True, max_length=20)),
                ('usage_source', models.CharField(choices=[('provider', 'provider'), ('counted', 'counted'), ('none', 'none'), ('lost', 'lost')], max_length=8)),
                ('input_tokens', models.BigIntegerField(default=0, help_text='Uncached.')),
                ('cache_read_tokens', models.BigIntegerField(default=0)),
                ('cache_write_5m_tokens', models.BigIntegerField(default=0)),
                ('cache_write_1h_tokens', models.BigIntegerField(default=0)),
                ('output_tokens', models.BigIntegerField(default=0, help_text='Without reasoning.')),
                ('reasoning_tokens', models.BigIntegerField(default=0)),
                ('audio_input_tokens', models.BigIntegerField(default=0)),
                ('audio_output_tokens', models.BigIntegerField(default=0)),
                ('images', models.IntegerField(default=0, help_text='Made.')),
                ('characters', models.BigIntegerField(default=0, help_text='Spoken.')),
                ('seconds', models.BigIntegerField(default=0, help_text='Of sound transcribed.')),
                ('searches', models.IntegerField(default=0)),
                ('cost', models.BigIntegerField(default=0, help_text='Usage times price.')),
                ('charged', models.BigIntegerField(default=0, help_text='What the balance covered of the cost.')),
                ('saved', models.BigIntegerField(db_default=0, default=0, help_text='What it would have cost more without the response cache and the prompt caches of providers.')),
                ('cached', models.BooleanField(db_default=False, default=False, help_text='No provider was asked: the answer was there.')),
                ('is_byok', models.BooleanField(db_default=False, default=False, help_text="Asked with the customer's own key: the cost is the routing fee.", verbose_name='own key')),
                ('first_token_ms', models.IntegerField(null=True)),
                ('latency_ms', models.IntegerField()),
                ('attempts', models.JSONField(default=list)),
                ('route', models.JSONField(help_text='The hosts that were considered, where there was a choice.', null=True)),
                ('app_title', models.CharField(blank=True, max_length=120)),
                ('app_url', models.CharField(blank=True, max_length=200)),
                ('receipt', models.TextField(editable=False, help_text='The proof of what it used and cost, as JSON.', null=True)),
                ('tag', models.CharField(blank=True, db_default='', default='', help_text="The client's own word for it.", max_length=100)),
                ('api_key', models.ForeignKey(db_index=False, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='request_records', to='keys.apikey')),
                ('organization', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='request_records', to='accounts.organization')),
            ],
            options={
                'ordering': ['-created_at'],
                'indexes': [models.Index(fields=['organization', '-created_at'], name='inference_record_by_org'), models.Index(fields=['api_key', '-created_at'], name='inference_record_by_key'), models.Index(fields=['provider', '-created_at'], name='inference_record_by_provider'), models.Index(condition=models.Q(('receipt', None)), fields=['created_at'], name='inference_record_unsigned')],
            },
        ),
    ]
