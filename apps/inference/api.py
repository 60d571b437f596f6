"""GET /v1/generation?id=: what a request was, used and cost; true from the moment its answer ends."""

import time

from django.http import HttpRequest
from ninja import Router

from apps.billing.selectors import is_on_hold
from apps.common import clock
from apps.common.errors import NotFound
from apps.common.money import nano_to_usd
from apps.common.principal import organization_of
from apps.inference.models import RequestRecord
from apps.inference.schemas import Generation, GenerationBody
from apps.inference.selectors import find_record

router = Router(tags=["Generations"])

PATIENCE_SECONDS = 5.0
"""How long a look-up waits for a settlement under way."""


@router.get("/generation", response=GenerationBody, summary="One request: route, usage, cost")
def read_generation(request: HttpRequest, id: str) -> GenerationBody:  # noqa: A002 - the public name
    organization_id = organization_of(request)
    deadline = clock.monotonic() + PATIENCE_SECONDS
    while True:
        # Asked in this order, a settlement that commits between the two questions is not missed.
        pending = is_on_hold(id)
        record = find_record(id, organization_id=organization_id)
        if record is not None:
            return GenerationBody(data=_present(record))
        if not pending or clock.monotonic() > deadline:
            raise NotFound(f"There is no generation '{id[:60]}' of this organisation.", param="id")
        time.sleep(0.02)


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
        first_token_ms=record.first_token_ms,
        latency_ms=record.latency_ms,
        attempts=record.attempts,
    )
