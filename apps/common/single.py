"""One web process without Redis: limits and snapshots of the in-process kind belong to one process alone.

The claim is a lock that the operating system or the database gives up by itself when the process dies, so a killed
process never stands in the way of the next.
"""

import fcntl
from typing import IO, Any

import psycopg
from django.conf import settings
from django.db import connection

from apps.common.postgresql import connection_parameters

ADVISORY_LOCK = 0x6761_7465  # "gate"


class SecondWebProcess(RuntimeError):
    """Another web process of this installation runs already, and there is no Redis to share state through."""


_claim: Any = None


def claim() -> None:
    """Be the only web process, until this process ends or ``release`` is called. Raises SecondWebProcess."""
    global _claim
    if settings.REDIS_URL or _claim is not None:
        return
    _claim = _lock_database() if connection.vendor == "postgresql" else _lock_file()


def release() -> None:
    global _claim
    if _claim is not None:
        _claim.close()
        _claim = None


def _refusal() -> SecondWebProcess:
    return SecondWebProcess(
        "another web process of this installation is running; more than one needs REDIS_URL."
    )


def _lock_file() -> IO[str]:
    file = (settings.DATA_DIR / "web.lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise _refusal() from error
    return file


def _lock_database() -> psycopg.Connection[Any]:
    """An advisory lock lives as long as the connection that took it."""
    keeper = psycopg.connect(
        **connection_parameters(), autocommit=True, application_name="gatewayz single"
    )
    row = keeper.execute("SELECT pg_try_advisory_lock(%s)", (ADVISORY_LOCK,)).fetchone()
    if row is None or not row[0]:
        keeper.close()
        raise _refusal()
    return keeper
