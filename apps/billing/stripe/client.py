"""The one way to Stripe: answers as plain dicts, refusals as errors of ours. No text of Stripe's reaches a client.

The SDK takes half a second to import, so it is imported by whoever needs it first.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import structlog
from django.conf import settings
from django.db import close_old_connections

from apps.common.errors import (
    NotFound,
    PaymentDeclined,
    PaymentsNotConfigured,
    ServiceUnavailable,
    UpstreamInvalid,
)

if TYPE_CHECKING:
    import stripe

log = structlog.get_logger(__name__)

_ends_at: ContextVar[float | None] = ContextVar("stripe_ends_at", default=None)
"""By the monotonic clock; None where nobody waits."""

Json = dict[str, Any]
DECLINES = {
    "insufficient_funds": "The card has not enough money.",
    "expired_card": "The card has expired.",
    "incorrect_cvc": "The card's security code is wrong.",
    "authentication_required": "The bank wants the card's owner to agree; pay once on the checkout page.",
    "processing_error": "The bank could not process the card; try again later.",
}


class StripeAway(ServiceUnavailable):
    """Whether Stripe did what it was asked is not known: ask again with the same idempotency key."""


class StripeRefused(UpstreamInvalid):
    """Stripe says that it did not do it and never will: the call was wrong."""

    retryable = False


class SignatureWrong(ValueError):
    """The webhook was not signed by Stripe with a secret of ours, or too long ago."""


def is_configured() -> bool:
    return bool(settings.STRIPE_SECRET_KEY and settings.STRIPE_WEBHOOK_SECRETS)


def require_configured() -> None:
    """Raises PaymentsNotConfigured. Without the webhook's secret nobody would hear of a payment, so none is begun."""
    missing = [
        name
        for name, value in (
            ("STRIPE_SECRET_KEY", settings.STRIPE_SECRET_KEY),
            ("STRIPE_WEBHOOK_SECRET", settings.STRIPE_WEBHOOK_SECRETS),
        )
        if not value
    ]
    if missing:
        raise PaymentsNotConfigured(
            f"Payments are not set up here: the operator has not set {' and '.join(missing)}."
        )


@contextmanager
def answering_within(seconds: float) -> Iterator[None]:
    """Somebody waits: calls made inside are not repeated, wait no longer than this altogether, and none begins after it."""
    token = _ends_at.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _ends_at.reset(token)


def ask(work: "Callable[[stripe.StripeClient], Any]") -> Json:
    """What Stripe answers to one call.

    Raises PaymentsNotConfigured, PaymentDeclined (a card), NotFound, StripeRefused, and StripeAway when the outcome is
    not known.
    """
    require_configured()
    client = _client()
    import stripe  # half a second, which only those pay who pay

    close_old_connections()  # back to the pool: nobody else is to wait for it while Stripe is waited for
    try:
        answer = work(client)
    except stripe.CardError as error:
        raise PaymentDeclined(
            DECLINES.get(_decline_of(error), "The card was declined."),
            details={"decline_code": _decline_of(error)},
        ) from error
    except (stripe.AuthenticationError, stripe.PermissionError) as error:
        log.error("stripe.key_refused", code=error.code, request=error.request_id)
        raise PaymentsNotConfigured(
            "Payments are not set up here: Stripe refuses STRIPE_SECRET_KEY."
        ) from error
    except (stripe.RateLimitError, stripe.APIConnectionError) as error:
        raise _away(error) from error
    except stripe.InvalidRequestError as error:
        if error.code == "resource_missing":
            raise NotFound("The payment service knows nothing of that name.") from error
        raise _refused(error) from error
    except stripe.IdempotencyError as error:
        # In use: the same call is under way elsewhere. Otherwise two different calls have one key, a mistake of ours.
        raise (
            _away(error) if error.code == "idempotency_key_in_use" else _refused(error)
        ) from error
    except stripe.StripeError as error:
        raise _away(error) from error
    found: Json = answer.to_dict()
    return found


def read_event(body: bytes, signature: str) -> Json:
    """The event in a webhook's body. Raises PaymentsNotConfigured and SignatureWrong."""
    require_configured()
    import stripe  # as above

    for secret in settings.STRIPE_WEBHOOK_SECRETS:
        try:
            event = stripe.Webhook.construct_event(body, signature, secret)
        except stripe.SignatureVerificationError:
            continue
        except (AttributeError, TypeError, ValueError) as error:
            # The SDK makes an event of whatever was signed: of a list or a number it cannot.
            raise SignatureWrong("not an event") from error
        found: Json = event.to_dict()
        if not _is_event(found):
            raise SignatureWrong("not an event")
        return found
    raise SignatureWrong("no signature of ours")


def _is_event(found: Json) -> bool:
    """Whether it has what every event has (https://docs.stripe.com/api/events/object, 2026-11)."""
    data = found.get("data")
    inside = data.get("object") if isinstance(data, dict) else None
    return (
        isinstance(found.get("id"), str)
        and isinstance(found.get("type"), str)
        and isinstance(inside, dict)
        and isinstance(inside.get("object"), str)
    )


def _client() -> "stripe.StripeClient":
    """Raises StripeAway when the time to answer in is over."""
    timeout, retries = settings.STRIPE_TIMEOUT_SECONDS, settings.STRIPE_RETRIES
    ends_at = _ends_at.get()
    if ends_at is not None:
        left = ends_at - time.monotonic()
        if left <= 0:
            raise StripeAway("The payment service took too long. Nothing is lost; try again.")
        # In whole seconds, so that few clients are made: each has connections of its own.
        timeout, retries = min(timeout, max(1.0, left // 1)), 0
    return _build(settings.STRIPE_SECRET_KEY, settings.STRIPE_API_BASE, timeout, retries)


@lru_cache(maxsize=16)
def _build(secret: str, base: str, timeout: float, retries: int) -> "stripe.StripeClient":
    import stripe  # as above

    return stripe.StripeClient(
        secret,
        base_addresses={"api": base},
        http_client=stripe.RequestsClient(timeout=timeout),
        max_network_retries=retries,
    )


def _decline_of(error: "stripe.CardError") -> str:
    told = error.error
    return str((told and told.decline_code) or error.code or "card_declined")


def _away(error: "stripe.StripeError") -> StripeAway:
    log.warning("stripe.away", kind=type(error).__name__, request=error.request_id)
    return StripeAway("The payment service does not answer. Nothing is lost; try again.")


def _refused(error: "stripe.StripeError") -> StripeRefused:
    log.error(
        "stripe.refused",
        code=error.code,
        param=getattr(error, "param", None),
        request=error.request_id,
    )
    return StripeRefused("The payment service refused this. Nothing was charged.")
