"""The recorder: the columns of a request record, and how a batch of them is written with its settlements."""

import datetime
from collections.abc import Sequence
from typing import Any

import orjson
from django.db import connection

from apps.billing.services.ledger_postgresql import Further
from apps.inference.models import Outcome

Row = dict[str, Any]

# Column → its PostgreSQL type.
COLUMNS: dict[str, str] = {
    "organization_id": "bigint",
    "api_key_id": "bigint",
    "created_at": "timestamptz",
    "surface": "text",
    "streamed": "boolean",
    "requested_model": "text",
    "model": "text",
    "provider": "text",
    "price_id": "bigint",
    "markup_ppm": "integer",
    "terms_bp": "integer",
    "share_bp": "integer",
    "outcome": "text",
    "status": "smallint",
    "error_code": "text",
    "finish_reason": "text",
    "usage_source": "text",
    "input_tokens": "bigint",
    "cache_read_tokens": "bigint",
    "cache_write_5m_tokens": "bigint",
    "cache_write_1h_tokens": "bigint",
    "output_tokens": "bigint",
    "reasoning_tokens": "bigint",
    "audio_input_tokens": "bigint",
    "audio_output_tokens": "bigint",
    "images": "integer",
    "characters": "bigint",
    "seconds": "bigint",
    "searches": "integer",
    "cost": "bigint",
    "saved": "bigint",
    "cached": "boolean",
    "is_byok": "boolean",
    "first_token_ms": "integer",
    "latency_ms": "integer",
    "attempts": "jsonb",
    "route": "jsonb",
    "app_title": "text",
    "app_url": "text",
    "receipt": "text",
    "tag": "text",
}

_NAMES = ", ".join(COLUMNS)
# A receipt is signed before the ledger says what it could charge. Where that was less, it is made anew (certifying.py).
_VALUES = _NAMES.replace("receipt", "CASE WHEN charged = cost THEN receipt END")
_UPDATES = ", ".join(f"{name} = excluded.{name}" for name in (*COLUMNS, "charged"))
# A process that was only slow may settle after the sweep has called its request lost: the truth wins.
_CONFLICT = f"ON CONFLICT (id) DO UPDATE SET {_UPDATES} WHERE inference_requestrecord.outcome = '{Outcome.LOST}'"

INSERT_WITH_SETTLEMENT = Further(
    columns=COLUMNS,
    statement=f"""
recorded AS (
    INSERT INTO inference_requestrecord (id, charged, {_NAMES})
    SELECT request_id, charged, {_VALUES} FROM settled WHERE copy = 1
    {_CONFLICT}
)
""",  # noqa: S608 - built from the constants above
)
"""The records are part of the settling statement and of its transaction."""

_INSERT = (
    f"INSERT INTO inference_requestrecord (id, charged, {_NAMES}) "  # noqa: S608
    f"VALUES ({', '.join(['%s'] * (len(COLUMNS) + 2))}) {_CONFLICT}"
)


def insert(rows: Sequence[tuple[str, int, Row]]) -> None:
    """Write (id, charged, row) one after another, in the caller's transaction."""
    if not rows:
        return
    with connection.cursor() as cursor:
        cursor.executemany(
            _INSERT,
            [
                (record_id, charged, *(_plain(row[name]) for name in COLUMNS))
                for record_id, charged, row in map(_with_true_receipt, rows)
            ],
        )


def _with_true_receipt(member: tuple[str, int, Row]) -> tuple[str, int, Row]:
    record_id, charged, row = member
    return member if charged == row["cost"] else (record_id, charged, row | {"receipt": None})


def _plain(value: Any) -> Any:
    return orjson.dumps(value).decode() if isinstance(value, list | dict) else value


def lost_row(
    *,
    organization_id: int,
    api_key_id: int | None,
    model: str,
    created_at: datetime.datetime,
    latency_ms: int,
) -> Row:
    """The record of a request whose process died: nothing is known of its end and nothing is charged."""
    return {
        **dict.fromkeys(COLUMNS, 0),
        "organization_id": organization_id,
        "api_key_id": api_key_id,
        "created_at": created_at,
        "surface": "",
        "streamed": False,
        "cached": False,
        "is_byok": False,
        "requested_model": model,
        "model": "",
        "provider": "",
        "price_id": None,
        "markup_ppm": None,
        "terms_bp": None,
        "share_bp": None,
        "outcome": Outcome.LOST.value,
        "error_code": "",
        "finish_reason": "",
        "usage_source": "lost",
        "first_token_ms": None,
        "latency_ms": latency_ms,
        "attempts": [],
        "route": None,
        "app_title": "",
        "app_url": "",
        "receipt": None,
        "tag": "",
    }
