"""System checks of payments: what is missing is said by `manage.py check --deploy`, and by each web process at start."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Info, register
from django.core.checks import Warning as CheckWarning


@register("billing")
def check_payments(**options: Any) -> list[CheckMessage]:
    """Nobody must believe that payments are on when they are off."""
    match bool(settings.STRIPE_SECRET_KEY), bool(settings.STRIPE_WEBHOOK_SECRETS):
        case False, True:
            return [NO_KEY]
        case True, False:
            return [NO_WEBHOOK_SECRET]
    return []


@register("billing", deploy=True)
def check_payments_are_wanted(**options: Any) -> list[CheckMessage]:
    """Those who set neither secret are told once, not by each command that they run."""
    return [] if settings.STRIPE_SECRET_KEY or settings.STRIPE_WEBHOOK_SECRETS else [NOT_WANTED]


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
