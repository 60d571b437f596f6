"""Answers that are the same for all: JSON with an entity tag, and 304 for a client that has it already."""

from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse
from django.utils.cache import get_conditional_response

from apps.common.prepared import Prepared


def answer(request: HttpRequest, body: Prepared | dict[str, Any]) -> HttpResponse:
    prepared = body if isinstance(body, Prepared) else Prepared(orjson.dumps(body))
    response = HttpResponse(
        prepared.body, content_type="application/json", headers={"ETag": prepared.etag}
    )
    conditional = get_conditional_response(request, etag=prepared.etag, response=response)
    assert isinstance(conditional, HttpResponse)
    return conditional
