"""POST /v1/quote: what a request would cost, before it is made."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from ninja import Router

from apps.common.errors import BodyTooLarge
from apps.inference import quotes
from apps.inference.quote_schemas import QuoteBody
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
                }
            }
        },
    }
}


@router.post("/quote", response=QuoteBody, openapi_extra=ASKED, summary="What a request would cost")
async def create_quote(request: HttpRequest) -> QuoteBody:
    """By the host that would be asked; nothing is charged, set aside, recorded or sent to a provider."""
    key: KeySnapshot = request.auth  # type: ignore[attr-defined]
    # Django's own limit is for forms; here the one of the request inside holds.
    raw = request.read(settings.MAX_BODY_BYTES + 1)
    if len(raw) > settings.MAX_BODY_BYTES:
        raise BodyTooLarge(f"The body is larger than {settings.MAX_BODY_BYTES:,} bytes.")
    return QuoteBody(data=await quotes.quote(raw, key))
