"""A copy of Stripe's objects for staff to look at, kept by dj-stripe. Never read by what moves money."""

import structlog
from django.apps import apps
from django.conf import settings

from apps.billing.stripe.client import Json

log = structlog.get_logger(__name__)


def update(found: Json) -> bool:
    """Copy one object, and what it names. False when it could not be copied; nothing depends on it."""
    if not apps.is_installed("djstripe"):
        return False
    # Both take half a second to import, which only the jobs pay.
    import stripe
    from djstripe import models

    kinds = {
        "charge": models.Charge,
        "checkout.session": models.Session,
        "customer": models.Customer,
        "dispute": models.Dispute,
        "invoice": models.Invoice,
        "payment_intent": models.PaymentIntent,
        "payment_method": models.PaymentMethod,
        "price": models.Price,
        "product": models.Product,
        "refund": models.Refund,
        "setup_intent": models.SetupIntent,
        "subscription": models.Subscription,
        "tax_id": models.TaxId,
    }
    kind = kinds.get(found["object"])
    if kind is None:
        return False
    stripe.api_base = settings.STRIPE_API_BASE
    # To note whose account an object is of, dj-stripe would store our secret key in plain text. There is one account.
    models.Account.get_or_retrieve_for_api_key = _nobodys
    try:
        # dj-stripe walks the lists inside an object with methods that plain dicts have not.
        typed = stripe.convert_to_stripe_object(found, api_key=settings.STRIPE_SECRET_KEY)
        kind.sync_from_stripe_data(typed, api_key=settings.STRIPE_SECRET_KEY)
    except Exception:
        log.exception("stripe.not_mirrored", object=found["object"], id=found["id"])
        return False
    return True


def _nobodys(_api_key: str) -> None:
    """No owner is noted."""
