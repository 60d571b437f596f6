import apps.keys.models
import django.core.validators
import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    replaces = [('keys', '0001_initial'), ('keys', '0003_cache_ttl'), ('keys', '0004_recover'), ('keys', '0005_provider_credentials'), ('keys', '0007_provider_policy')]

    initial = True

    dependencies = [
        ('accounts', '0001_squashed_0006'),
    ]

    operations = [
        migrations.CreateModel(
            name='KeyEpoch',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('value', models.BigIntegerField(default=0)),
            ],
            options={
                'abstract': False,
            },
        ),
        migrations.CreateModel(
            name='ApiKey',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('name', models.CharField(max_length=80)),
                ('environment', models.CharField(choices=[('live', 'Live'), ('test', 'Test: sandbox provider only, never charged')], default='live', max_length=4)),
                ('key_hash', models.CharField(editable=False, help_text='HMAC-SHA256 under the pepper.', max_length=64, unique=True)),
                ('last4', models.CharField(editable=False, max_length=4)),
                ('ciphertext', models.TextField(editable=False, help_text='Fernet; exists so that the pepper can be rotated.')),
                ('expires_at', models.DateTimeField(blank=True, null=True)),
                ('revoked_at', models.DateTimeField(blank=True, editable=False, null=True)),
                ('requests_per_minute', models.PositiveIntegerField(blank=True, null=True)),
                ('tokens_per_minute', models.PositiveBigIntegerField(blank=True, null=True)),
                ('concurrency', models.PositiveIntegerField(blank=True, null=True)),
                ('cache_ttl', models.PositiveIntegerField(blank=True, help_text='Seconds that answers are kept for the same request; empty: only when it asks for it.', null=True, validators=[django.core.validators.MinValueValidator(1), django.core.validators.MaxValueValidator(86400)])),
                ('recover', models.CharField(choices=[('match', 'Match: go on with a host whose answer begins with the same'), ('continue', 'Continue: also with a host that goes on from a given beginning'), ('off', 'Off: end with an error')], default='match', help_text='What is done when a provider fails in the middle of a stream, unless the request says so itself.', max_length=8)),
                ('provider_policy', models.JSONField(blank=True, help_text='A "provider" object that holds for every request of the key, such as {"zdr": true}; requests can only narrow what it allows (docs/routing.md, "The policy of a key").', null=True, validators=[apps.keys.models.check_policy])),
                ('created_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                ('organization', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='api_keys', to='accounts.organization')),
            ],
            options={
                'verbose_name': 'API key',
                'ordering': ['-created_at'],
            },
        ),
        migrations.CreateModel(
            name='ProviderCredential',
            fields=[
                ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                ('created_at', models.DateTimeField(auto_now_add=True)),
                ('updated_at', models.DateTimeField(auto_now=True)),
                ('provider', models.SlugField(help_text="The provider's slug.", max_length=40)),
                ('ciphertext', models.TextField(editable=False, help_text='Fernet.')),
                ('last4', models.CharField(editable=False, max_length=4)),
                ('settings', models.JSONField(blank=True, default=dict, help_text='Parts of the address, such as a region, by the names of docs/byok.md.')),
                ('falls_back', models.BooleanField(default=True, help_text="Whether the gateway's own key of this provider may be used too.")),
                ('is_active', models.BooleanField(default=True, help_text='Off: as if it were not there.')),
                ('organization', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='provider_credentials', to='accounts.organization')),
            ],
            options={
                'ordering': ['provider'],
                'constraints': [models.UniqueConstraint(fields=('organization', 'provider'), name='keys_provider_credential_once')],
            },
        ),
    ]
