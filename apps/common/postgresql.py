"""PostgreSQL for the hot path: one statement a time on a connection of the event loop's own, prepared, autocommit.

Django's async ORM hops to a thread for every query; the ledger's statements are executed here without one. A
connection is opened when it is first used and again after it broke; its statements must be safe to send twice.
"""

import asyncio
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import psycopg
import structlog
from django.db import connection

log = structlog.get_logger(__name__)

KEEP_PLANS_GOOD = "SET enable_seqscan = off; SET jit = off"
"""A prepared plan lives on while its tables grow: one made when they were small must not scan them."""


def connection_parameters() -> dict[str, Any]:
    parameters = dict(connection.get_connection_params())
    for django_only in (
        "pool",
        "cursor_factory",
        "context",
        "prepare_threshold",
        "server_side_binding",
    ):
        parameters.pop(django_only, None)
    return parameters


_PARAMETER = re.compile(r"%\((\w+)\)s")


@lru_cache(maxsize=64)
def number_parameters(statement: str) -> tuple[bytes, tuple[str, ...]]:
    """``%(name)s`` as PostgreSQL's own ``$1``, and the names in that order.

    psycopg reads a statement for its parameters at every execution when it is longer than 4,096 characters: half a
    millisecond for the settlement's. A numbered one is sent as it stands.
    """
    names = tuple(dict.fromkeys(_PARAMETER.findall(statement)))
    numbers = {name: f"${number}" for number, name in enumerate(names, start=1)}
    numbered = _PARAMETER.sub(lambda found: numbers[found.group(1)], statement)
    return numbered.encode(), names


class StatementConnection:
    """Runs one statement at a time; callers that overlap queue."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._connection: psycopg.AsyncConnection[Any] | None = None
        self._lock = asyncio.Lock()

    async def fetch(self, statement: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Rows of the statement. Retries once on a broken connection, a deadlock or a serialisation failure.

        Raises psycopg.Error when it fails again.
        """
        async with self._lock:
            try:
                return await self._fetch_once(statement, parameters)
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                log.warning("postgresql.retry", connection=self._name, error=type(error).__name__)
                await self.close()
                return await self._fetch_once(statement, parameters)

    async def _fetch_once(
        self, statement: str, parameters: Mapping[str, Any]
    ) -> list[tuple[Any, ...]]:
        if self._connection is None or self._connection.closed:
            self._connection = await psycopg.AsyncConnection.connect(
                **connection_parameters(),
                autocommit=True,
                application_name=f"gatewayz {self._name}",
            )
            await self._connection.execute(KEEP_PLANS_GOOD)
        numbered, names = number_parameters(statement)
        cursor = psycopg.AsyncRawCursor(self._connection)
        await cursor.execute(numbered, [parameters[name] for name in names], prepare=True)
        return await cursor.fetchall()

    async def close(self) -> None:
        if self._connection is not None:
            broken, self._connection = self._connection, None
            await broken.close()
