"""The bridge from async code to the database, the base model, and triggers in migrations."""

import asyncio
import datetime
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from django.db import close_old_connections, connection, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from typing_extensions import override

P = ParamSpec("P")
R = TypeVar("R")

_threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="db")


async def run_db(work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run synchronous database work in a thread of its own; the connection goes back to the pool afterwards."""

    def run() -> R:
        try:
            return work(*args, **kwargs)
        finally:
            close_old_connections()

    return await asyncio.get_running_loop().run_in_executor(_threads, run)


def is_postgresql() -> bool:
    return connection.vendor == "postgresql"


class Timestamped(models.Model):
    created_at = models.DateTimeField(auto_now_add=True, editable=False)
    updated_at = models.DateTimeField(auto_now=True, editable=False)

    class Meta:
        abstract = True


class Epoch(models.Model):
    """One row whose value rises, by trigger and in the same transaction, with every change of the tables it stands for.

    Processes poll it to learn that their snapshot is stale; because the database itself counts, no writer can forget to.
    """

    value = models.BigIntegerField(default=0)

    class Meta:
        abstract = True

    @override
    def __str__(self) -> str:
        return str(self.value)


class VendorSQL(Operation):
    """SQL that differs between PostgreSQL and SQLite. Each side is a list of statements; there is no way back.

    SQLite rebuilds a table that a migration alters, and its triggers go with the old one: such a migration must make
    them anew, which ``bump_epoch`` and ``append_only`` may be asked to do again.
    """

    reduces_to_sql = True

    def __init__(self, *, postgresql: list[str], sqlite: list[str]) -> None:
        self.statements = {"postgresql": postgresql, "sqlite": sqlite}

    @override
    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """The models stay as they are. (``RunPython`` would make all of them again, for code that asks for none.)"""

    @override
    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        with schema_editor.connection.cursor() as cursor:
            for statement in self.statements[schema_editor.connection.vendor]:
                cursor.execute(statement)

    @override
    def describe(self) -> str:
        return "Run SQL of the database's own"


def bump_epoch(*, table: str, epoch_table: str) -> VendorSQL:
    """Every insert, update and delete on ``table`` raises the one row of ``epoch_table``."""
    name = f"{table}_epoch"
    bump = f"UPDATE {epoch_table} SET value = value + 1 WHERE id = 1"  # noqa: S608 - names from migrations
    events = ("INSERT", "UPDATE", "DELETE")
    return VendorSQL(
        postgresql=[
            f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN {bump}; RETURN NULL; END $$",
            f"CREATE OR REPLACE TRIGGER {name} AFTER INSERT OR UPDATE OR DELETE ON {table} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {name}()",
        ],
        sqlite=[
            f"CREATE TRIGGER IF NOT EXISTS {name}_{event.lower()} AFTER {event} ON {table} BEGIN {bump}; END"
            for event in events
        ],
    )


def append_only(*, table: str) -> VendorSQL:
    """The database refuses UPDATE and DELETE on ``table``."""
    name = f"{table}_append_only"
    message = f"{table} is append-only"
    return VendorSQL(
        postgresql=[
            f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{message}'; END $$",
            f"CREATE OR REPLACE TRIGGER {name} BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()",
            f"CREATE OR REPLACE TRIGGER {name}_truncate BEFORE TRUNCATE ON {table} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION {name}()",
        ],
        sqlite=[
            f"CREATE TRIGGER IF NOT EXISTS {name}_{event.lower()} BEFORE {event} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
            for event in ("UPDATE", "DELETE")
        ],
    )


def to_iso(moment: datetime.datetime | None) -> str | None:
    return moment.isoformat().replace("+00:00", "Z") if moment else None
