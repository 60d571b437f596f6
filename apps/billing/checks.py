"""System checks of payments: what is missing is said at start."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, register
from django.core.checks import Warning as CheckWarning


@register("billing")
def check_payments(**options: Any) -> list[CheckMessage]:
    """Nobody must believe that payments are on when they are off. The quick start, with neither secret, wants none."""
    found = missing()
    return [] if settings.EMBEDDED and len(found) == 2 else found


@register("billing", deploy=True)
def check_payments_of_deployment(**options: Any) -> list[CheckMessage]:
    """``check --deploy`` says it of the quick start too."""
    return missing() if settings.EMBEDDED else []


def missing() -> list[CheckMessage]:
    found: list[CheckMessage] = []
    if not settings.STRIPE_SECRET_KEY:
        found.append(
            CheckWarning(
                "STRIPE_SECRET_KEY is not set: payments are off, their routes answer 503.",
                hint="Set it to a key from https://dashboard.stripe.com/apikeys.",
                id="billing.W001",
            )
        )
    if not settings.STRIPE_WEBHOOK_SECRETS:
        found.append(
            CheckWarning(
                "STRIPE_WEBHOOK_SECRET is not set: payments are off, for nobody would hear of one.",
                hint="Add the endpoint /api/stripe/webhook at https://dashboard.stripe.com/webhooks and set its secret.",
                id="billing.W002",
            )
        )
    return found
