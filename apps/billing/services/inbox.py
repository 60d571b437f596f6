"""The inbox: webhooks are stored as they came, and processed once each.

    webhook → store → process → 200        processed, or of a kind that changes nothing
                              → 5xx        failed, or under way elsewhere: tried again by the job that sweeps, and by Stripe

Once means once at a time and never again after success; handlers write under references of the ledger, so that a
crash half-way is repaired by doing it again.
"""

import datetime

import orjson
import structlog
from django.conf import settings
from django.db.models import F, Q, QuerySet

from apps.billing.models import EventStatus, StripeEvent
from apps.billing.services.events import HANDLERS
from apps.billing.stripe.client import Json
from apps.common import clock

log = structlog.get_logger(__name__)

LEASE = datetime.timedelta(minutes=5)
"""An attempt that has not ended by then was that of a process that died."""
WAITING = (EventStatus.RECEIVED, EventStatus.FAILED)
DONE = (EventStatus.PROCESSED, EventStatus.IGNORED)
BATCH = 200


def store(event: Json, body: bytes) -> bool:
    """Keep the event. False when it is here already."""
    _, is_new = StripeEvent.objects.get_or_create(
        pk=event["id"],
        defaults={
            "type": event["type"][:80],
            "payload": body.decode(),
            "received_at": clock.now(),
        },
    )
    return is_new


def process(event_id: str) -> bool:
    """Do what the event says. False when it failed, is under way, waits for its time, or was done before."""
    now = clock.now()
    claimed = _due(now).filter(pk=event_id)
    if not claimed.update(attempts=F("attempts") + 1, next_attempt_at=now + LEASE):
        return False
    event = StripeEvent.objects.get(pk=event_id)
    handler = HANDLERS.get(event.type)
    if handler is None:
        _end(event, EventStatus.IGNORED)
        return True
    try:
        handler(orjson.loads(event.payload)["data"]["object"])
    except Exception as error:
        _put_off(event, error)
        log.exception("stripe.event_failed", event_id=event.pk, event_type=event.type)
        return False
    _end(event, EventStatus.PROCESSED)
    return True


def is_done(event_id: str) -> bool:
    """Whether nothing is left to do, whoever did it."""
    return StripeEvent.objects.filter(pk=event_id, status__in=DONE).exists()


def due_events() -> list[str]:
    """What waits for another attempt, the oldest first."""
    found = _due(clock.now()).order_by("received_at").values_list("pk", flat=True)
    return list(found[:BATCH])


def process_again(event_id: str) -> None:
    """As if it had just come; handlers change nothing twice."""
    StripeEvent.objects.filter(pk=event_id).update(
        status=EventStatus.RECEIVED, attempts=0, next_attempt_at=None, problem=""
    )


def object_of(event_id: str) -> Json | None:
    """The object of an event, for the mirror."""
    event = StripeEvent.objects.filter(pk=event_id).first()
    return orjson.loads(event.payload)["data"]["object"] if event else None


def _due(now: datetime.datetime) -> QuerySet[StripeEvent]:
    return StripeEvent.objects.filter(status__in=WAITING).filter(
        Q(next_attempt_at=None) | Q(next_attempt_at__lte=now)
    )


def _end(event: StripeEvent, status: EventStatus) -> None:
    StripeEvent.objects.filter(pk=event.pk).update(
        status=status, processed_at=clock.now(), next_attempt_at=None, problem=""
    )


def _put_off(event: StripeEvent, error: Exception) -> None:
    """Twice as long each time, and at last for staff."""
    is_last = event.attempts >= settings.EVENT_ATTEMPTS
    wait = settings.EVENT_RETRY_SECONDS * 2 ** min(event.attempts - 1, 12)
    StripeEvent.objects.filter(pk=event.pk).update(
        status=EventStatus.GIVEN_UP if is_last else EventStatus.FAILED,
        next_attempt_at=None if is_last else clock.now() + datetime.timedelta(seconds=wait),
        problem=f"{type(error).__name__}: {error}"[:200],
    )
