"""What the routes about usage share: parameters that are checked by name, filters, and the range that an answer tells."""

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from django.http import HttpRequest, HttpResponse
from ninja import Schema

from apps.catalog.queries import refuse_unknown
from apps.common.errors import InvalidRequest
from apps.inference.usage_sums import Range
from apps.monitoring import showing
from apps.monitoring.schemas import UsageQuery

Json = dict[str, Any]


def check_names(request: HttpRequest, shape: type[Schema]) -> None:
    """Raises InvalidRequest for a parameter that ``shape`` does not have, or that no database could compare."""
    for name, value in request.GET.items():
        if "\x00" in str(value):
            raise InvalidRequest(f"'{name[:60]}' has a NUL.", param=name[:60], code="invalid_value")
    known = [field.alias or name for name, field in shape.model_fields.items()]
    refuse_unknown(request.GET, known=known)


def filters_of(query: UsageQuery, *, model: str | None) -> Mapping[str, Any]:
    """By the columns of the roll-ups."""
    asked = {"model": model, "provider": query.provider, "api_key_id": query.key, "tag": query.tag}
    return {name: value for name, value in asked.items() if value is not None}


def told(whole: Range, zone: ZoneInfo) -> Json:
    return {"from": showing.iso(whole.start, zone), "to": showing.iso(whole.end, zone)}


def answer(body: Json) -> HttpResponse:
    return HttpResponse(orjson.dumps(body), content_type="application/json")
