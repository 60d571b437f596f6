"""GET /v1/key."""

from django.http import HttpRequest
from ninja import Router

from apps.common.money import nano_to_usd
from apps.keys.schemas import KeyBody, KeyInfo, KeyLimits
from apps.keys.selectors import KeySnapshot

router = Router(tags=["Keys"])


@router.get("/key", response=KeyBody, summary="The key that makes this request")
def read_key(request: HttpRequest) -> KeyBody:
    key: KeySnapshot = request.auth  # type: ignore[attr-defined]
    environment = "test" if key.is_test else "live"
    return KeyBody(
        data=KeyInfo(
            label=f"gw_{environment}_…{key.last4}",
            name=key.name,
            environment=environment,
            tag=key.tag,
            expires_at=key.expires_at,
            created_at=key.created_at,
            limits=KeyLimits(
                requests_per_minute=key.requests_per_minute,
                tokens_per_minute=key.tokens_per_minute,
                concurrency=key.concurrency,
                max_cost=None if key.max_cost is None else nano_to_usd(key.max_cost),
                max_cost_nano_usd=key.max_cost,
            ),
        )
    )
