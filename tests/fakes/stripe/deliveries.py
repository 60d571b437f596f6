"""Webhooks: signed exactly as Stripe signs, sent only when a test says so, in the order it says.

``Stripe-Signature: t=<seconds>,v1=<HMAC-SHA256 of "t.payload" with the endpoint's secret>``
(https://docs.stripe.com/webhooks#verify-manually, 2026-08). ``t`` is the machine's time, not that of the fake's clock:
a receiver compares it with its own.
"""

import asyncio
import hashlib
import hmac
import json
import time
from dataclasses import dataclass

import aiohttp

from tests.fakes.stripe.errors import Json

ANSWER_WITHIN = aiohttp.ClientTimeout(total=30)
ANOTHER_SECRET = "whsec_of_somebody_else"


@dataclass(frozen=True, slots=True)
class Endpoint:
    url: str
    secret: str
    events: frozenset[str]
    """Types that are sent; empty for all."""


@dataclass(frozen=True, slots=True)
class How:
    """The manner of a delivery."""

    times: int = 1
    """More than one: all at the same moment."""
    age: int = 0
    """Seconds that the signature's timestamp lies in the past."""
    bad_signature: bool = False


def sign(payload: bytes, secret: str, *, at: int) -> str:
    digest = hmac.new(secret.encode(), f"{at}.".encode() + payload, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


class Deliveries:
    def __init__(self) -> None:
        self.endpoint: Endpoint | None = None

    def clear(self) -> None:
        self.endpoint = None

    async def send(self, event: Json, how: How) -> list[Json]:
        """What the endpoint answered, each time: its status, or the error that kept it from answering."""
        endpoint = self.endpoint
        if endpoint is None or (endpoint.events and event["type"] not in endpoint.events):
            return []
        payload = json.dumps(event, indent=2).encode()
        secret = ANOTHER_SECRET if how.bad_signature else endpoint.secret
        signature = sign(payload, secret, at=int(time.time()) - how.age)
        async with aiohttp.ClientSession(timeout=ANSWER_WITHIN) as session:
            sending = [
                _post(session, endpoint.url, payload, signature, event) for _ in range(how.times)
            ]
            return list(await asyncio.gather(*sending))


async def _post(
    session: aiohttp.ClientSession, url: str, payload: bytes, signature: str, event: Json
) -> Json:
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
        "Stripe-Signature": signature,
    }
    told: Json = {"event": event["id"], "type": event["type"], "status": None, "error": None}
    try:
        async with session.post(url, data=payload, headers=headers) as answer:
            told["body"] = (await answer.read()).decode(errors="replace")
            told["status"] = answer.status
    except (aiohttp.ClientError, TimeoutError) as error:
        told["error"] = f"{type(error).__name__}: {error}"
    return told
