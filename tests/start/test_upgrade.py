"""An installation that has been upgraded step by step is the same as a new one: no trigger was lost on the way.

SQLite rebuilds a table that a migration alters, and its triggers go with the old one.
"""

import json
import os
import subprocess
import sys

from tests.installation import ROOT

MIGRATE = """
import json
import django
django.setup()
from django.core.management import call_command
from django.db import connection
from django.db.migrations.loader import MigrationLoader

# The lowest layer last.
LAYERS = ("accounts", "catalog", "billing", "keys", "inference", "monitoring")
if {step_by_step}:
    graph = MigrationLoader(connection).graph
    waiting, done = set(graph.nodes), set()
    while waiting:
        ready = [node for node in waiting if graph.node_map[node].parents <= done]
        chosen = max(ready, key=lambda node: LAYERS.index(node[0]) if node[0] in LAYERS else len(LAYERS))
        call_command("migrate", *chosen, verbosity=0)
        waiting.discard(chosen)
        done.add(chosen)
else:
    call_command("migrate", verbosity=0)
with connection.cursor() as cursor:
    cursor.execute("SELECT name, tbl_name FROM sqlite_master WHERE type = 'trigger' ORDER BY name")
    print(json.dumps(cursor.fetchall()))
"""


def test_has_every_trigger_when_it_was_upgraded(tmp_path):
    """Each table is altered when all that stands on it has been there for long."""
    new = triggers(tmp_path / "new", step_by_step=False)
    upgraded = triggers(tmp_path / "upgraded", step_by_step=True)

    assert len(new) > 20
    assert upgraded == new


def triggers(folder, *, step_by_step):
    folder.mkdir()
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in {"DATABASE_URL", "REDIS_URL"}
    }
    environment |= {
        "GATEWAYZ_DATA_DIR": str(folder),
        "DJANGO_SETTINGS_MODULE": "gatewayz.settings.main",
    }
    done = subprocess.run(
        [sys.executable, "-c", MIGRATE.format(step_by_step=step_by_step)],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=180,
    )  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1])
