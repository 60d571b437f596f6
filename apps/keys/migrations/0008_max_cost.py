import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('keys', '0002_epoch'),
    ]

    operations = [
        migrations.AddField(
            model_name='apikey',
            name='max_cost',
            field=models.BigIntegerField(blank=True, help_text='Nano-USD that each request of the key may cost at most; a request can only ask for less.', null=True, validators=[django.core.validators.MinValueValidator(1)]),
        ),
    ]
