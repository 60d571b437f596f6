"""Stored responses: what ``store`` and ``previous_response_id`` of OpenAI's Responses mean here.

The gateway keeps the conversation, not the provider, so the next turn may go to any host. What is kept is encrypted, belongs to
the organisation, and goes after ``settings.RESPONSES_KEPT_FOR``. A response is stored before its last bytes are sent,
so that a client may name it at once.
"""

import datetime
import zlib
from dataclasses import dataclass
from typing import Any

import orjson
from django.conf import settings
from django.db import DatabaseError

from apps.common import clock, crypto
from apps.common.db import run_db
from apps.common.errors import InvalidRequest, ServiceUnavailable
from apps.inference.canonical.sse import SseDecoder
from apps.inference.context import RequestContext
from apps.inference.models import StoredResponse
from apps.inference.protocols.openai_responses import conversation, echo
from apps.inference.requests.responses import read_responses

Json = dict[str, Any]

LONGEST = 1000
"""Turns of one conversation."""

CHAIN = """
WITH RECURSIVE chain(id, previous, depth) AS (
    SELECT id, previous, 0 FROM inference_storedresponse
    WHERE id = %(id)s AND organization_id = %(organization)s AND expires_at > %(now)s
    UNION ALL
    SELECT earlier.id, earlier.previous, chain.depth + 1
    FROM inference_storedresponse earlier JOIN chain ON earlier.id = chain.previous
    WHERE earlier.organization_id = %(organization)s AND chain.depth < %(longest)s
)
SELECT stored.* FROM chain JOIN inference_storedresponse stored ON stored.id = chain.id
ORDER BY chain.depth DESC
"""


@dataclass(frozen=True, slots=True)
class Content:
    """What a stored response holds: the request's own input, and the answer as the client got it."""

    input: list[Json]
    response: Json

    def seal(self) -> str:
        plain = orjson.dumps({"input": self.input, "response": self.response})
        return crypto.seal(zlib.compress(plain, 1))

    @classmethod
    def unseal(cls, text: str) -> "Content":
        """Raises crypto.SecretUnreadable."""
        found = orjson.loads(zlib.decompress(crypto.unseal(text)))
        return cls(found["input"], found["response"])


async def expand(context: RequestContext, body: Json) -> Json:
    """The request with its earlier turns in front of it. Raises InvalidRequest for a response that is not there."""
    assert context.key is not None
    context.echo = echo({**body, "store": body.get("store") is not False})
    context.own_input = conversation.input_items(body)
    previous = body.get("previous_response_id")
    named = conversation.referenced_ids(body)
    if not previous and not named:
        _refuse_unpaired(body, own_start=0)
        return body
    turns: list[Content] = []
    if previous:
        turns = await run_db(_read_chain, str(previous), context.key.organization_id)
    items = [
        item for turn in turns for item in (*turn.input, *conversation.output_items(turn.response))
    ]
    if named:
        body = conversation.with_references(body, {str(item.get("id")): item for item in items})
        _refuse_unknown(body)
    if previous:
        body = conversation.with_history(body, items)
    _refuse_unpaired(body, own_start=len(items) if previous else 0)
    # With its history the request is longer: measured again, and refused when that is too long.
    context.facts = read_responses(orjson.dumps(body))
    return body


def _read_chain(response_id: str, organization_id: int) -> list[Content]:
    """Earliest turn first."""
    rows = list(
        StoredResponse.objects.raw(
            CHAIN,
            {
                "id": response_id,
                "organization": organization_id,
                "now": clock.now(),
                "longest": LONGEST,
            },
        )
    )
    if not rows or rows[0].previous:
        raise InvalidRequest(
            f"There is no stored response '{response_id[:60]}', or one of those before it is gone.",
            param="previous_response_id",
            code="previous_response_not_found",
        )
    return [Content.unseal(row.content) for row in rows]


def _refuse_unknown(body: Json) -> None:
    for index, item in enumerate(body["input"]):
        if item.get("type") == "item_reference":
            raise InvalidRequest(
                f"'input[{index}].id' names an item that is not in the previous responses.",
                param=f"input[{index}].id",
                code="invalid_value",
            )


def _refuse_unpaired(body: Json, *, own_start: int) -> None:
    """A result that answers no call: every provider refuses it, each in words of its own."""
    if (index := conversation.unpaired_output(body)) is not None:
        param = f"input[{index - own_start}].call_id"
        raise InvalidRequest(
            f"'{param}' names no tool call before it.", param=param, code="invalid_value"
        )


async def keep(context: RequestContext, tail: bytes) -> None:
    """Store the response whose last bytes these are, unless the client wants it forgotten.

    Raises ServiceUnavailable when it cannot be stored: an answer that claims to be stored and is not would be a lie.
    """
    if not context.echo.get("store"):
        return
    assert context.key is not None
    response = _response_in(tail)
    if response is None:
        return
    now = clock.now()
    row = StoredResponse(
        id=context.id,
        organization_id=context.key.organization_id,
        api_key_id=context.key.id,
        created_at=now,
        expires_at=now + settings.RESPONSES_KEPT_FOR,
        previous=context.echo.get("previous_response_id") or "",
        content=Content(context.own_input, response).seal(),
    )
    try:
        await run_db(row.save, force_insert=True)
    except DatabaseError as error:
        raise ServiceUnavailable("The response could not be stored.") from error


def _response_in(tail: bytes) -> Json | None:
    """The response object of a whole answer, or of the terminal event of a stream."""
    if tail.startswith(b"{"):
        whole: Json = orjson.loads(tail)
        return whole
    decoder = SseDecoder()
    for record in reversed([*decoder.feed(tail), *decoder.flush()]):
        event = orjson.loads(record.data)
        if event["type"] in {"response.completed", "response.incomplete"}:
            found: Json = event["response"]
            return found
    return None


def find(response_id: str, *, organization_id: int) -> Content | None:
    """A stored response of this organisation; None for anybody else's, and for one that has expired."""
    row = StoredResponse.objects.filter(
        pk=response_id, organization_id=organization_id, expires_at__gt=clock.now()
    ).first()
    return Content.unseal(row.content) if row else None


def forget(response_id: str, *, organization_id: int) -> bool:
    """Whether there was one to forget."""
    deleted, _ = StoredResponse.objects.filter(
        pk=response_id, organization_id=organization_id
    ).delete()
    return deleted > 0


def forget_expired(now: datetime.datetime) -> int:
    deleted, _ = StoredResponse.objects.filter(expires_at__lte=now).delete()
    return deleted
