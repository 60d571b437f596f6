"""Nobody searches references or request ids by pattern; Django's indexes for that cost every request two inserts."""

from django.db import migrations

from apps.common.db import VendorSQL


class Migration(migrations.Migration):
    dependencies = [("billing", "0002_invariants")]

    operations = [
        VendorSQL(
            postgresql=[
                "DROP INDEX IF EXISTS billing_hold_request_id_ee850e6f_like",
                "DROP INDEX IF EXISTS billing_journalentry_reference_b3230e2a_like",
            ],
            sqlite=[],
        ),
    ]
