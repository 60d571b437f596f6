"""POST /v1/quote and /v1/route: what a request would cost, and where it would go, before it is made."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from ninja import Router

from apps.common.errors import BodyTooLarge
from apps.inference import quotes
from apps.inference.operations import CHAT_COMPLETIONS
from apps.inference.quote_schemas import QuoteBody
from apps.inference.route_schemas import RouteBody
from apps.keys.selectors import KeySnapshot

router = Router(tags=["Quotes"])

ASKED: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["request"],
                    "properties": {
                        "request": {
                            "type": "object",
                            "description": "The very body that would be sent.",
                        },
                        "path": {
                            "type": "string",
                            "description": "Where it would be sent. Left out: what the body's fields "
                            "tell, else /v1/chat/completions.",
                        },
                    },
                },
                "example": {"request": dict(CHAT_COMPLETIONS.example)},
            }
        },
    }
}


@router.post("/quote", response=QuoteBody, openapi_extra=ASKED, summary="What a request would cost")
async def create_quote(request: HttpRequest) -> QuoteBody:
    """By the host that would be asked; nothing is charged, set aside, recorded or sent to a provider."""
    return QuoteBody(data=await quotes.quote(_body_of(request), _key_of(request)))


@router.post("/route", response=RouteBody, openapi_extra=ASKED, summary="Where a request would go")
async def plan_route(request: HttpRequest) -> RouteBody:
    """The hosts in the order in which they would be asked, and those that would not be; nothing is sent or charged."""
    return RouteBody(data=await quotes.route(_body_of(request), _key_of(request)))


def _key_of(request: HttpRequest) -> KeySnapshot:
    key: KeySnapshot = request.auth  # type: ignore[attr-defined]
    return key


def _body_of(request: HttpRequest) -> bytes:
    """Django's own limit is for forms; here the one of the request inside holds."""
    raw = request.read(settings.MAX_BODY_BYTES + 1)
    if len(raw) > settings.MAX_BODY_BYTES:
        raise BodyTooLarge(f"The body is larger than {settings.MAX_BODY_BYTES:,} bytes.")
    return raw
