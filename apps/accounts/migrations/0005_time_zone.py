import apps.accounts.models
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("accounts", "0004_plans_and_identities"),
    ]

    operations = [
        migrations.AddField(
            model_name='organization',
            name='time_zone',
            field=models.CharField(blank=True, help_text='In which its days, weeks and months begin: a name of the IANA database, such as Europe/Berlin. Empty: UTC.', max_length=60, null=True, validators=[apps.accounts.models.check_time_zone]),
        ),
    ]
