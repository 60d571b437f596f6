"""The database notes each record that is written long after its moment, and each that becomes another one.

A migration that makes SQLite rebuild the table of records must be followed by this again.
"""

from django.db import migrations

from apps.common.db import VendorSQL

RECORDS, LATE = "inference_requestrecord", "monitoring_usagelate"
SQLITE_HOUR = "CAST(strftime('%s', substr({}.created_at, 1, 19)) AS INTEGER) / 3600"


def _sqlite(event: str, condition: str, *rows: str) -> str:
    name = f"{RECORDS}_late_{event.split()[0].lower()}"
    note = " ".join(
        f"INSERT INTO {LATE} (hour) VALUES ({SQLITE_HOUR.format(row)});"  # noqa: S608 - names of ours
        for row in rows
    )
    return f"CREATE TRIGGER IF NOT EXISTS {name} AFTER {event} ON {RECORDS} {condition} BEGIN {note} END"


class Migration(migrations.Migration):
    replaces = [("monitoring", "0003_late_records")]
    dependencies = [("monitoring", "0001_squashed_0004"), ("inference", "0001_squashed_0011")]

    operations = [
        VendorSQL(
            postgresql=[
                f"CREATE OR REPLACE FUNCTION {RECORDS}_late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                f"INSERT INTO {LATE} (hour) VALUES (floor(extract(epoch FROM NEW.created_at) / 3600)); "
                f"IF TG_OP = 'UPDATE' THEN INSERT INTO {LATE} (hour) "
                "VALUES (floor(extract(epoch FROM OLD.created_at) / 3600)); END IF; RETURN NULL; END $$",
                # Not now(), which is when the transaction began: it may write much later.
                f"CREATE OR REPLACE TRIGGER {RECORDS}_late_insert AFTER INSERT ON {RECORDS} FOR EACH ROW "
                "WHEN (NEW.created_at < clock_timestamp() - interval '60 seconds') "
                f"EXECUTE FUNCTION {RECORDS}_late()",
                f"CREATE OR REPLACE TRIGGER {RECORDS}_late_update AFTER UPDATE OF outcome ON {RECORDS} "
                f"FOR EACH ROW EXECUTE FUNCTION {RECORDS}_late()",
            ],
            sqlite=[
                _sqlite(
                    "INSERT",
                    "WHEN NEW.created_at < strftime('%Y-%m-%d %H:%M:%f', 'now', '-60 seconds')",
                    "NEW",
                ),
                _sqlite("UPDATE OF outcome", "", "NEW", "OLD"),
            ],
        )
    ]
