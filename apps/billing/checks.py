"""System checks of payments: what is missing is said at start."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Info, register
from django.core.checks import Warning as CheckWarning


@register("billing")
def check_payments(**options: Any) -> list[CheckMessage]:
    """Nobody must believe that payments are on when they are off. Those who set neither secret want none, and are only told."""
    found = missing()
    is_wanted = len(found) == 1
    if not is_wanted and settings.EMBEDDED:
        return []
    level = CheckWarning if is_wanted else Info
    return [level(message, hint=hint, id=name) for name, message, hint in found]


def missing() -> list[tuple[str, str, str]]:
    found: list[tuple[str, str, str]] = []
    if not settings.STRIPE_SECRET_KEY:
        found.append(
            (
                "billing.W001",
                "STRIPE_SECRET_KEY is not set: payments are off, their routes answer 503.",
                "Set it to a key from https://dashboard.stripe.com/apikeys.",
            )
        )
    if not settings.STRIPE_WEBHOOK_SECRETS:
        found.append(
            (
                "billing.W002",
                "STRIPE_WEBHOOK_SECRET is not set: payments are off, for nobody would hear of one.",
                "Add the endpoint /api/stripe/webhook at https://dashboard.stripe.com/webhooks and set its secret.",
            )
        )
    return found
