"""Request records of a test's own, written as the gateway writes them."""

import datetime
import itertools
from typing import Any

from django.db import transaction

from apps.common import clock
from apps.inference import recorder
from apps.inference.models import RequestRecord
from apps.monitoring.models import UsageDay, UsageHour, UsageLate, UsageProgress, UsageTail

_numbers = itertools.count(1)
UTC = datetime.UTC


def row_of(organization_id: int, **fields: Any) -> tuple[str, int, recorder.Row]:
    """A full answer a minute ago, unless the fields say otherwise; ``charged`` is the cost unless told."""
    values: dict[str, Any] = {
        **recorder.lost_row(
            organization_id=organization_id, api_key_id=None, model="large",
            created_at=clock.now() - datetime.timedelta(minutes=1), latency_ms=20,
        ),
        "surface": "openai_chat", "streamed": True, "model": "acme/large", "provider": "acme", "price_id": 7,
        "outcome": "completed", "status": 200, "usage_source": "provider", "first_token_ms": 10,
    } | fields  # fmt: skip
    charged = values.pop("charged", values["cost"])
    record_id = values.pop("id", None) or f"gen_usage_{next(_numbers)}"
    return record_id, charged, values


@transaction.atomic
def write(organization_id: int, *rows: dict[str, Any], **fields: Any) -> list[str]:
    """One record for each of the rows, or one of the fields; their ids."""
    made = [row_of(organization_id, **fields | row) for row in (rows or ({},))]
    recorder.insert(made)
    return [record_id for record_id, _, _ in made]


def forget() -> None:
    """All records and what was made of them."""
    RequestRecord.objects.all().delete()
    UsageDay.objects.all().delete()
    UsageHour.objects.all().delete()
    UsageTail.objects.all().delete()
    UsageLate.objects.all().delete()
    UsageProgress.objects.all().delete()


def at(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text).replace(tzinfo=UTC)
