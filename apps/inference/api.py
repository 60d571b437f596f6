"""What can be read after a request: GET /v1/generation?id=, true from the moment its answer ends, and stored responses."""

import time
from typing import Annotated, Any, Literal

import orjson
from django.http import HttpRequest, HttpResponse
from msgspec.structs import asdict
from ninja import Router
from pydantic import Field

from apps.billing.selectors import is_on_hold
from apps.common import clock
from apps.common.errors import InvalidRequest, NotFound
from apps.common.money import nano_to_usd
from apps.common.principal import organization_of
from apps.common.signing_keys import keys
from apps.inference import certifying, conversations
from apps.inference.models import RequestRecord
from apps.inference.protocols.openai_responses.replay import replay
from apps.inference.schemas import (
    DeletedResponse,
    Generation,
    GenerationBody,
    InputItems,
    KeySet,
    PublicKey,
    ReceiptProof,
    SignedReceipt,
    SignedReceiptBody,
    StoredResponseBody,
)
from apps.inference.selectors import find_record

router = Router(tags=["Generations and responses"])

PATIENCE_SECONDS = 5.0
"""How long a look-up waits for a settlement under way."""
RECORD_SECONDS = 0.3
"""And for the record of an answer that was kept, which holds nothing."""


@router.get("/generation", response=GenerationBody, summary="One request: route, usage, cost")
def read_generation(request: HttpRequest, id: str) -> GenerationBody:  # noqa: A002 - the public name
    return GenerationBody(data=_present(_settled(request, id)))


@router.get(
    "/generation/receipt",
    response=SignedReceiptBody,
    summary="What a request used and cost, signed",
)
def read_receipt(request: HttpRequest, id: str) -> SignedReceiptBody:  # noqa: A002 - the public name
    """To be verified without us, with the keys of `/.well-known/jwks.json` and `scripts/verify_receipt.py`."""
    record = _settled(request, id)
    proof = certifying.proof_of(record)
    payload = certifying.payload_of(record).decode()
    return SignedReceiptBody(
        data=SignedReceipt(payload=payload, proof=ReceiptProof(**asdict(proof)))
    )


@router.get(
    "/.well-known/jwks.json",
    response=KeySet,
    auth=None,
    summary="The public keys that receipts are signed with",
)
def read_key_set(request: HttpRequest, answer: HttpResponse) -> KeySet:
    """A JSON Web Key Set (RFC 7517, RFC 8037), newest first."""
    answer["cache-control"] = "public, max-age=3600"
    return KeySet(keys=[PublicKey(**key.jwk) for key in keys()])


def _settled(request: HttpRequest, id: str) -> RequestRecord:  # noqa: A002
    """The record of this generation, whose settlement may be under way. Raises NotFound."""
    organization_id = organization_of(request)
    started = clock.monotonic()
    while True:
        # Asked in this order, a settlement that commits between the two questions is not missed.
        pending = is_on_hold(id)
        record = find_record(id, organization_id=organization_id)
        if record is not None:
            return record
        if clock.monotonic() - started > (PATIENCE_SECONDS if pending else RECORD_SECONDS):
            raise NotFound(f"There is no generation '{id[:60]}' of this organisation.", param="id")
        time.sleep(0.02)


@router.get(
    "/responses/{response_id}", response=StoredResponseBody, summary="Read a stored response"
)
def read_response(
    request: HttpRequest,
    response_id: str,
    stream: bool = False,
    starting_after: Annotated[int, Field(ge=0)] | None = None,
) -> HttpResponse:
    """As its client got it, or as a stream of events, of those after ``starting_after`` alone.

    OpenAI's Responses, https://platform.openai.com/docs/api-reference/responses/get.
    """
    response = _stored(request, response_id).response
    if not stream:
        return _json(response)
    records = replay(response, after=-1 if starting_after is None else starting_after)
    answer = HttpResponse(b"".join(records), content_type="text/event-stream")
    answer["cache-control"] = "no-cache"
    return answer


@router.delete(
    "/responses/{response_id}", response=DeletedResponse, summary="Forget a stored response"
)
def delete_response(request: HttpRequest, response_id: str) -> DeletedResponse:
    if not conversations.forget(response_id, organization_id=organization_of(request)):
        raise _no_response(response_id)
    return DeletedResponse(id=response_id)


@router.get(
    "/responses/{response_id}/input_items",
    response=InputItems,
    summary="Read the input of a stored response",
)
def read_input_items(
    request: HttpRequest,
    response_id: str,
    limit: Annotated[int, Field(ge=1, le=100)] = 20,
    order: Literal["asc", "desc"] = "desc",
    after: str = "",
) -> InputItems:
    """The items of its own turn, the latest first unless asked otherwise."""
    items = _stored(request, response_id).input
    if order == "desc":
        items = items[::-1]
    ids = [str(item["id"]) for item in items]
    if after and after not in ids:
        raise InvalidRequest(
            "'after' names no item of this response.", param="after", code="invalid_value"
        )
    start = ids.index(after) + 1 if after else 0
    page = items[start : start + limit]
    return InputItems(
        data=page,
        first_id=str(page[0]["id"]) if page else None,
        last_id=str(page[-1]["id"]) if page else None,
        has_more=start + limit < len(items),
    )


def _stored(request: HttpRequest, response_id: str) -> conversations.Content:
    found = conversations.find(response_id, organization_id=organization_of(request))
    if found is None:
        raise _no_response(response_id)
    return found


def _no_response(response_id: str) -> NotFound:
    return NotFound(
        f"There is no stored response '{response_id[:60]}' of this organisation.",
        param="response_id",
    )


def _json(body: dict[str, Any]) -> HttpResponse:
    return HttpResponse(orjson.dumps(body), content_type="application/json")


def _present(record: RequestRecord) -> Generation:
    return Generation(
        id=record.id,
        created_at=record.created_at,
        surface=record.surface,
        streamed=record.streamed,
        requested_model=record.requested_model,
        model=record.model,
        provider=record.provider,
        outcome=record.outcome,
        status=record.status,
        error_code=record.error_code or None,
        finish_reason=record.finish_reason or None,
        usage_source=record.usage_source,
        tokens_input=record.input_tokens,
        tokens_cache_read=record.cache_read_tokens,
        tokens_cache_write=record.cache_write_5m_tokens + record.cache_write_1h_tokens,
        tokens_output=record.output_tokens,
        tokens_reasoning=record.reasoning_tokens,
        tokens_audio_input=record.audio_input_tokens,
        tokens_audio_output=record.audio_output_tokens,
        images=record.images,
        characters=record.characters,
        seconds=record.seconds,
        searches=record.searches,
        total_cost=nano_to_usd(record.charged),
        charged_nano_usd=record.charged,
        cost_nano_usd=record.cost,
        price_id=record.price_id,
        cached=record.cached,
        is_byok=record.is_byok,
        first_token_ms=record.first_token_ms,
        latency_ms=record.latency_ms,
        attempts=record.attempts,
        route=record.route,
    )
