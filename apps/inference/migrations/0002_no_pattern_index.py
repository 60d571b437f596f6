"""Nobody searches record ids by pattern; Django's index for that costs every request an insert."""

from django.db import migrations

from apps.common.db import VendorSQL


class Migration(migrations.Migration):
    dependencies = [("inference", "0001_squashed_0011")]

    operations = [
        VendorSQL(
            postgresql=["DROP INDEX inference_requestrecord_id_efdfd046_like"], sqlite=[]
        ),
    ]
