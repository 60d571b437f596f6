"""System checks of payments: what is missing is said by `manage.py check`, and by each web process at start."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Info, register
from django.core.checks import Warning as CheckWarning


@register("billing")
def check_payments(**options: Any) -> list[CheckMessage]:
    """Nobody must believe that payments are on when they are off. Those who set neither secret want none, and are only told."""
    has_key, has_secret = bool(settings.STRIPE_SECRET_KEY), bool(settings.STRIPE_WEBHOOK_SECRETS)
    match has_key, has_secret:
        case False, False:
            return [NOT_WANTED]
        case False, True:
            return [NO_KEY]
        case True, False:
            return [NO_WEBHOOK_SECRET]
    return []


NOT_WANTED = Info(
    "Payments are off: neither STRIPE_SECRET_KEY nor STRIPE_WEBHOOK_SECRET is set, so /api/stripe/webhook and the routes "
    "that ask Stripe answer 503.",
    hint="Set both to sell credit; to grant it in the admin, neither is needed.",
    id="billing.I001",
)
NO_KEY = CheckWarning(
    "STRIPE_SECRET_KEY is not set: payments are off, their routes answer 503.",
    hint="Set it to a key from https://dashboard.stripe.com/apikeys.",
    id="billing.W001",
)
NO_WEBHOOK_SECRET = CheckWarning(
    "STRIPE_WEBHOOK_SECRET is not set: payments are off, for nobody would hear of one; their routes answer 503.",
    hint="Add the endpoint /api/stripe/webhook at https://dashboard.stripe.com/webhooks and set its secret.",
    id="billing.W002",
)
