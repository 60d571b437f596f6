from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("catalog", "0010_tiers_and_terms"),
    ]

    operations = [
        migrations.AlterField(
            model_name='priceproposal',
            name='state',
            field=models.CharField(choices=[('pending', 'Waiting for a decision'), ('approved', 'Approved'), ('rejected', 'Rejected'), ('superseded', 'Superseded: the source says something else now')], db_index=True, default='pending', max_length=16),
        ),
    ]
