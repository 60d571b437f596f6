"""POST /api/stripe/webhook: Stripe tells what happened. 400 for a bad signature, 5xx when it could not be kept, else 200."""

import structlog
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.common import no_append_slash
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from apps.billing.services import inbox
from apps.billing.stripe.client import SignatureWrong, read_event
from apps.billing.tasks import process_stripe_event
from apps.common.errors import InvalidRequest

log = structlog.get_logger(__name__)


@csrf_exempt
@no_append_slash
@require_POST
def stripe_webhook(request: HttpRequest) -> HttpResponse:
    """What was stored is acknowledged; a job does the rest. Stripe sends everything else again, for three days."""
    body = request.body
    try:
        event = read_event(body, request.headers.get("stripe-signature", ""))
    except SignatureWrong as error:
        log.warning("stripe.signature_wrong", problem=str(error))
        raise InvalidRequest(
            "The signature is not that of a webhook for this gateway.", code="invalid_value"
        ) from error
    is_new = inbox.store(event, body)
    if is_new:
        queue(event["id"])
    return JsonResponse({"received": True, "duplicate": not is_new})


def queue(event_id: str) -> None:
    """A broker that is away costs time, not the event: the sweep finds it."""
    try:
        process_stripe_event.delay(event_id)
    except process_stripe_event.OperationalError:
        log.warning("stripe.event_not_queued", event_id=event_id)
