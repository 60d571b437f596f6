"""Answers of the models routes: JSON with a tag, or 304 for those who have it. Nothing here asks the database."""

from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse
from django.utils.cache import get_conditional_response

from apps.catalog.dialects import HEADERS
from apps.common.prepared import Prepared

VARY = ", ".join(HEADERS)


def answer(request: HttpRequest, body: Prepared | dict[str, Any]) -> HttpResponse:
    prepared = body if isinstance(body, Prepared) else Prepared(orjson.dumps(body))
    response = HttpResponse(
        prepared.body,
        content_type="application/json",
        headers={"ETag": prepared.etag, "Vary": VARY},
    )
    conditional = get_conditional_response(request, etag=prepared.etag, response=response)
    assert isinstance(conditional, HttpResponse)
    return conditional
