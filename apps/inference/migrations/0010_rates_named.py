from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("inference", "0009_receipts"),
    ]

    operations = [
        migrations.AddField(
            model_name='requestrecord',
            name='markup_ppm',
            field=models.IntegerField(help_text='Of the provider, on that price.', null=True),
        ),
        migrations.AddField(
            model_name='requestrecord',
            name='terms_bp',
            field=models.IntegerField(help_text='Of the organisation, on top of that.', null=True),
        ),
        migrations.AddField(
            model_name='requestrecord',
            name='share_bp',
            field=models.IntegerField(help_text='Of it all: 10000, or the routing fee.', null=True),
        ),
    ]
