"""The log of an organisation's requests, read page by page."""

from collections.abc import Mapping
from typing import Any

from django.db.models import Q, Subquery

from apps.common.errors import InvalidRequest
from apps.inference.models import RequestRecord as RequestRecord
from apps.inference.usage_sums import Range


def read_log(
    organization_id: int,
    *,
    whole: Range,
    only: Mapping[str, Any],
    before: str | None,
    limit: int,
) -> tuple[list[RequestRecord], bool]:
    """The newest first, and whether there are more.

    ``only`` are values of columns, 0 for a key that is gone. ``before`` is the id of the last one seen. Raises
    InvalidRequest when that is none of the organisation's.
    """
    records = RequestRecord.objects.filter(organization_id=organization_id)
    found = records.filter(created_at__gte=whole.start, created_at__lt=whole.end)
    for column, value in only.items():
        found = found.filter(**{column: value or None if column == "api_key_id" else value})
    if before is not None:
        last = records.filter(pk=before)
        if not last.exists():
            raise InvalidRequest(
                "'before' is no generation of this organisation.",
                param="before",
                code="invalid_value",
            )
        # Compared inside the database: SQLite keeps a moment as text, and not as a parameter is written.
        moment = Subquery(last.order_by().values("created_at"))
        found = found.filter(Q(created_at__lt=moment) | Q(created_at=moment, pk__lt=before))
    rows = list(found.order_by("-created_at", "-pk").defer("attempts", "route", "receipt")[: limit + 1])  # fmt: skip
    return rows[:limit], len(rows) > limit
