"""POST /api/stripe/webhook: Stripe tells what happened. 400 for a bad signature, 200 when it is done, else 5xx.

Stripe sends again what was not answered with 200, for three days. What was stored is tried again by a job as well.
"""

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.common import no_append_slash
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from apps.billing.services import inbox
from apps.billing.stripe.client import SignatureWrong, answering_within, read_event
from apps.billing.tasks import mirror_stripe_event
from apps.common.errors import EventNotProcessed, InvalidRequest

log = structlog.get_logger(__name__)


@csrf_exempt
@no_append_slash
@require_POST
def stripe_webhook(request: HttpRequest) -> HttpResponse:
    """Stored first, then processed while Stripe waits: in a thread, and for a bounded time."""
    body = request.body
    try:
        event = read_event(body, request.headers.get("stripe-signature", ""))
    except SignatureWrong as error:
        log.warning("stripe.signature_wrong", problem=str(error))
        raise InvalidRequest(
            "The signature is not that of a webhook for this gateway.", code="invalid_value"
        ) from error
    is_new = inbox.store(event, body)
    with answering_within(settings.WEBHOOK_SECONDS):
        is_done_now = inbox.process(event["id"])
    if is_done_now:
        queue_mirror(event["id"])
    elif not inbox.is_done(event["id"]):
        raise EventNotProcessed("The event is kept, but it is not processed yet. Send it again.")
    return JsonResponse({"received": True, "duplicate": not is_new})


def queue_mirror(event_id: str) -> None:
    """A broker that is away costs staff a copy, not the customer the credit."""
    try:
        mirror_stripe_event.delay(event_id)
    except mirror_stripe_event.OperationalError:
        log.warning("stripe.mirror_not_queued", event_id=event_id)
