"""``Idempotency-Key``: a request that is sent again is answered again, and neither run nor charged again.

    nothing kept under the key       it runs, and its whole answer is kept before its last bytes are sent
    the same request, answered       the answer again, with ``idempotent-replayed: true``; not counted against limits
    the same request, under way      409 idempotency_in_flight
    another request                  422 idempotency_mismatch
    answered, but not kept           409 idempotency_not_kept: the answer was charged, and longer than what is kept

A key belongs to the API key and the path that it was sent with. What failed was not charged and is not kept: it runs again.
A client that leaves does not stop the request (detached.py), so its retry finds the answer that it pays for.
"""

import asyncio

import msgspec
from django.conf import settings

from apps.common import background, crypto
from apps.common.errors import (
    AnswerNotKept,
    IdempotencyInFlight,
    IdempotencyMismatch,
    InvalidRequest,
)
from apps.inference import metrics
from apps.inference.admission import peek_limits
from apps.inference.answer_store import AnswerStore
from apps.inference.context import RequestContext
from apps.inference.delivery import Client
from apps.inference.recording import Answer, Answered, Recording, fingerprint, seal, send, unseal
from apps.inference.relay import Body
from apps.inference.runtime import Runtime

HEADER = "idempotency-key"
LONGEST = 255
LEASE_SECONDS = 60.0
"""A key whose process died is free again after this."""


class Entry(msgspec.Struct, frozen=True):
    """What stands under a key: the request, and what became of it."""

    fingerprint: str
    is_answered: bool = False
    answer: Answer | None = None
    """None while it is under way, and when it was too long to be kept."""


class Claim:
    """A key whose request is under way. Renewed until the request ends."""

    def __init__(self, store: AnswerStore, name: str, request: str) -> None:
        self._store = store
        self._name = name
        self._request = request
        self._is_kept = False
        self._renewal = background.spawn(self._renew(), name="inference.idempotency")

    async def keep(self, answer: Answer | None) -> None:
        await self._stop_renewing()
        entry = Entry(self._request, is_answered=True, answer=answer)
        self._is_kept = True
        await self._store.put(
            self._name, await seal(entry), seconds=settings.IDEMPOTENCY_KEPT_SECONDS
        )

    async def close(self) -> None:
        """The request has ended; unless its answer is kept, the key is free."""
        await self._stop_renewing()
        if not self._is_kept:
            await self._store.remove(self._name)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(LEASE_SECONDS / 3)
            await self._store.extend(self._name, seconds=LEASE_SECONDS)

    async def _stop_renewing(self) -> None:
        # Waited for: a renewal that arrived late would shorten the life of the answer to a lease.
        self._renewal.cancel()
        await asyncio.wait({self._renewal})


async def enter(context: RequestContext, body: Body, client: Client, runtime: Runtime) -> Client:
    """The client to answer, whose answer will be kept; the client itself when it sent no key.

    Raises Answered when it got what was kept, InvalidRequest, IdempotencyInFlight, IdempotencyMismatch, AnswerNotKept.
    """
    key = context.headers.get(HEADER)
    if key is None or not context.surface.is_billed:
        return client
    if not 0 < len(key) <= LONGEST or not key.isascii() or not key.isprintable():
        raise InvalidRequest(
            f"'Idempotency-Key' must be 1 to {LONGEST} printable ASCII characters.",
            param=HEADER,
            code="invalid_value",
        )
    assert context.key is not None
    scope = f"{context.key.id} {context.surface.name} {sorted(context.path_fields.items())} {key}"
    name = f"idempotency:{crypto.lookup_hash(scope)}"
    request = fingerprint(body)
    store = runtime.kept_answers
    found = await store.claim(name, await seal(Entry(request)), seconds=LEASE_SECONDS)
    entry = await unseal(found, Entry) if found is not None else None
    if entry is None:
        claim = Claim(store, name, request)
        context.at_end += (claim.close,)
        return Recording(client, keep=claim.keep, most_bytes=settings.LARGEST_KEPT_ANSWER)
    _refuse(entry, request)
    assert entry.answer is not None
    metrics.kept_answers.labels("idempotency", "replayed").inc()
    context.progress.delivered = True
    headers = [
        *entry.answer.headers,
        (b"idempotent-replayed", b"true"),
        *await peek_limits(context.key, runtime),
    ]
    await send(client, entry.answer, headers)
    raise Answered


def _refuse(entry: Entry, request: str) -> None:
    if entry.fingerprint != request:
        metrics.kept_answers.labels("idempotency", "mismatch").inc()
        raise IdempotencyMismatch(
            "This 'Idempotency-Key' was sent with another request before; use a new one.",
            param=HEADER,
        )
    if not entry.is_answered:
        metrics.kept_answers.labels("idempotency", "in_flight").inc()
        raise IdempotencyInFlight(
            "The request with this 'Idempotency-Key' is still under way; ask again for its answer.",
            param=HEADER,
            retry_after_ms=1000,
        )
    if entry.answer is None:
        raise AnswerNotKept(
            "The request with this 'Idempotency-Key' was answered; its answer was too long to be kept.",
            param=HEADER,
        )
