import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    replaces = [('monitoring', '0001_probes'), ('monitoring', '0002_usage'), ('monitoring', '0004_usage_days')]

    initial = True

    dependencies = [
        ('accounts', '0001_squashed_0006'),
    ]

    operations = [
        migrations.CreateModel(
            name='UsageLate',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('hour', models.PositiveIntegerField()),
            ],
        ),
        migrations.CreateModel(
            name='Watch',
            fields=[
                ('offering_id', models.BigIntegerField(primary_key=True, serialize=False)),
                ('provider', models.CharField(max_length=60)),
                ('model', models.CharField(max_length=200)),
                ('tier', models.CharField(choices=[('critical', 'Critical'), ('popular', 'Popular'), ('standard', 'Standard'), ('on_demand', 'On demand')], max_length=12)),
                ('requests', models.PositiveIntegerField(default=0, help_text='Of clients, in a day.')),
                ('due_at', models.DateTimeField(db_index=True, help_text='Empty: on demand alone.', null=True)),
                ('probed_at', models.DateTimeField(null=True)),
                ('exercised_at', models.DateTimeField(help_text='When it last gave a client a full answer, as far as was looked.', null=True)),
                ('failures', models.PositiveIntegerField(default=0, help_text='Probes in a row.')),
                ('dearest', models.BigIntegerField(default=0, help_text='The most that a probe of it has cost: the next may cost as much.')),
                ('claimed_until', models.DateTimeField(db_index=True, null=True)),
                ('reserved', models.BigIntegerField(default=0, help_text='For the probe under way.')),
            ],
            options={
                'verbose_name_plural': 'watches',
                'ordering': ['provider', 'model'],
                'permissions': [('probe_now', 'Can probe hosts now')],
            },
        ),
        migrations.CreateModel(
            name='Probe',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('offering_id', models.BigIntegerField(help_text="The catalogue's; it may be gone by now.")),
                ('provider', models.CharField(max_length=60)),
                ('model', models.CharField(help_text='As clients name it.', max_length=200)),
                ('tier', models.CharField(choices=[('critical', 'Critical'), ('popular', 'Popular'), ('standard', 'Standard'), ('on_demand', 'On demand')], max_length=12)),
                ('succeeded', models.BooleanField(help_text='Unknown: what happened says nothing of the host.', null=True)),
                ('fault', models.CharField(blank=True, help_text='Empty for an answer.', max_length=20)),
                ('status', models.PositiveSmallIntegerField(help_text='Of a refusal, by HTTP.', null=True)),
                ('latency_ms', models.PositiveIntegerField(help_text="Until the answer's end.", null=True)),
                ('first_content_ms', models.PositiveIntegerField(null=True)),
                ('cost', models.BigIntegerField(default=0, help_text="The provider's price, without mark-up.")),
                ('at', models.DateTimeField(db_index=True)),
            ],
            options={
                'ordering': ['-at'],
                'indexes': [models.Index(fields=['offering_id', '-at'], name='monitoring_probe_by_offering'), models.Index(fields=['provider', '-at'], name='monitoring_probe_by_provider'), models.Index(condition=models.Q(('cost__gt', 0)), fields=['at'], include=('cost',), name='monitoring_probe_spent')],
            },
        ),
        migrations.CreateModel(
            name='ProbeRound',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('sorted_at', models.DateTimeField(help_text='When offerings were put into tiers.', null=True)),
                ('warned_at', models.DateTimeField(help_text='When it was last told that the budget does not do for all that is due.', null=True)),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('pk', 1)), name='monitoring_round_is_one')],
            },
        ),
        migrations.CreateModel(
            name='ProbeTotal',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('provider', models.CharField(max_length=60)),
                ('tier', models.CharField(choices=[('critical', 'Critical'), ('popular', 'Popular'), ('standard', 'Standard'), ('on_demand', 'On demand')], max_length=12)),
                ('result', models.CharField(choices=[('answered', 'Answered'), ('failed', 'Failed'), ('undecided', 'Says nothing of the host'), ('unaffordable', 'Not made: no budget')], max_length=12)),
                ('number', models.BigIntegerField(default=0)),
                ('cost', models.BigIntegerField(default=0)),
            ],
            options={
                'constraints': [models.UniqueConstraint(fields=('provider', 'tier', 'result'), name='monitoring_probe_total_once')],
            },
        ),
        migrations.CreateModel(
            name='UsageProgress',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('until', models.DateTimeField(null=True)),
                ('days_until', models.PositiveIntegerField(default=0, help_text='Days since 1970; those before it have their sums.')),
                ('version', models.BigIntegerField(default=0, help_text='Rises with every change of a roll-up.')),
            ],
            options={
                'constraints': [models.CheckConstraint(condition=models.Q(('pk', 1)), name='monitoring_usage_one')],
            },
        ),
        migrations.CreateModel(
            name='UsageDay',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('model', models.CharField(blank=True, max_length=200)),
                ('provider', models.CharField(blank=True, max_length=60)),
                ('api_key_id', models.BigIntegerField(help_text='0 for a key that is gone.')),
                ('tag', models.CharField(blank=True, max_length=100)),
                ('billing', models.CharField(max_length=8)),
                ('completed', models.BigIntegerField()),
                ('client_gone', models.BigIntegerField()),
                ('rejected', models.BigIntegerField(help_text='By the host, for what the client sent.')),
                ('failed', models.BigIntegerField()),
                ('interrupted', models.BigIntegerField()),
                ('stopped', models.BigIntegerField()),
                ('empty', models.BigIntegerField()),
                ('lost', models.BigIntegerField()),
                ('rated', models.BigIntegerField(help_text='Requests whose usage was known.')),
                ('input_tokens', models.BigIntegerField()),
                ('cache_read_tokens', models.BigIntegerField()),
                ('cache_write_5m_tokens', models.BigIntegerField()),
                ('cache_write_1h_tokens', models.BigIntegerField()),
                ('output_tokens', models.BigIntegerField()),
                ('reasoning_tokens', models.BigIntegerField()),
                ('audio_input_tokens', models.BigIntegerField()),
                ('audio_output_tokens', models.BigIntegerField()),
                ('images', models.BigIntegerField()),
                ('characters', models.BigIntegerField()),
                ('seconds', models.BigIntegerField()),
                ('searches', models.BigIntegerField()),
                ('cost', models.BigIntegerField()),
                ('charged', models.BigIntegerField()),
                ('saved', models.BigIntegerField()),
                ('latency', models.TextField(blank=True, help_text='A histogram (apps.common.histograms).')),
                ('first_token', models.TextField(blank=True, help_text='A histogram, of streams.')),
                ('day', models.PositiveIntegerField(db_index=True, help_text='Days since 1970, UTC.')),
                ('organization', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.organization')),
            ],
            options={
                'ordering': ['-day'],
                'constraints': [models.UniqueConstraint(fields=('organization', 'day', 'model', 'provider', 'api_key_id', 'tag', 'billing'), name='monitoring_usage_day_once')],
            },
        ),
        migrations.CreateModel(
            name='UsageHour',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('model', models.CharField(blank=True, max_length=200)),
                ('provider', models.CharField(blank=True, max_length=60)),
                ('api_key_id', models.BigIntegerField(help_text='0 for a key that is gone.')),
                ('tag', models.CharField(blank=True, max_length=100)),
                ('billing', models.CharField(max_length=8)),
                ('completed', models.BigIntegerField()),
                ('client_gone', models.BigIntegerField()),
                ('rejected', models.BigIntegerField(help_text='By the host, for what the client sent.')),
                ('failed', models.BigIntegerField()),
                ('interrupted', models.BigIntegerField()),
                ('stopped', models.BigIntegerField()),
                ('empty', models.BigIntegerField()),
                ('lost', models.BigIntegerField()),
                ('rated', models.BigIntegerField(help_text='Requests whose usage was known.')),
                ('input_tokens', models.BigIntegerField()),
                ('cache_read_tokens', models.BigIntegerField()),
                ('cache_write_5m_tokens', models.BigIntegerField()),
                ('cache_write_1h_tokens', models.BigIntegerField()),
                ('output_tokens', models.BigIntegerField()),
                ('reasoning_tokens', models.BigIntegerField()),
                ('audio_input_tokens', models.BigIntegerField()),
                ('audio_output_tokens', models.BigIntegerField()),
                ('images', models.BigIntegerField()),
                ('characters', models.BigIntegerField()),
                ('seconds', models.BigIntegerField()),
                ('searches', models.BigIntegerField()),
                ('cost', models.BigIntegerField()),
                ('charged', models.BigIntegerField()),
                ('saved', models.BigIntegerField()),
                ('latency', models.TextField(blank=True, help_text='A histogram (apps.common.histograms).')),
                ('first_token', models.TextField(blank=True, help_text='A histogram, of streams.')),
                ('hour', models.PositiveIntegerField(db_index=True, help_text='Hours since 1970, UTC.')),
                ('organization', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.organization')),
            ],
            options={
                'ordering': ['-hour'],
                'constraints': [models.UniqueConstraint(fields=('organization', 'hour', 'model', 'provider', 'api_key_id', 'tag', 'billing'), name='monitoring_usage_hour_once')],
            },
        ),
    ]
