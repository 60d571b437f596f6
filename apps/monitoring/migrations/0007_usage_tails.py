"""What follows in the hour when a day begins at a quarter or a half: summed, so that days of such zones need no records."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0002_plans'),
        ('monitoring', '0006_usage_export_mappings'),
    ]

    operations = [
        migrations.AddField(
            model_name='usageprogress',
            name='tails_since',
            field=models.PositiveIntegerField(default=0, help_text='Hours since 1970; from this one on, tails have their sums.'),
        ),
        migrations.AddField(
            model_name='usageprogress',
            name='tails_version',
            field=models.BigIntegerField(default=0, help_text='Another than the version: who wrote last knew no tails.'),
        ),
        migrations.CreateModel(
            name='UsageTail',
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
                ('quarter', models.PositiveIntegerField(db_index=True, help_text='With which it begins: quarters of an hour since 1970, UTC.')),
                ('organization', models.ForeignKey(db_index=False, on_delete=django.db.models.deletion.PROTECT, related_name='+', to='accounts.organization')),
            ],
            options={
                'ordering': ['-quarter'],
                'constraints': [models.UniqueConstraint(fields=('organization', 'quarter', 'model', 'provider', 'api_key_id', 'tag', 'billing'), name='monitoring_usage_tail_once')],
            },
        ),
    ]
