"""Subscribing: from the wish to the subscription that Stripe has made, on its page.

    begin → open_page → (the customer pays) → compare
                                            → end_page    another was begun, or nobody paid

Written before Stripe is asked. An organisation has one page at a time: the former one is closed at Stripe before there is
another, so that nobody pays for two plans.
"""

from typing import Any

import structlog
from django.conf import settings
from django.db import IntegrityError, transaction

from apps.billing.models import LIVE, WAITING, Subscription, SubscriptionStatus
from apps.billing.services import checkout, customers, plan_prices, subscriptions
from apps.billing.services.orders import CURRENCY
from apps.billing.stripe.client import Json, StripeRefused, ask
from apps.common import clock
from apps.common.errors import IdempotencyInFlight, IdempotencyMismatch, InvalidRequest
from apps.common.ids import new_id

log = structlog.get_logger(__name__)


def begin(
    organization_id: int,
    *,
    plan: str,
    request: dict[str, Any],
    api_key_id: int | None = None,
    idempotency_key: str | None = None,
) -> Subscription:
    """A new subscription that waits to be paid, or the one that the same idempotency key has made.

    Raises InvalidRequest, IdempotencyMismatch, and IdempotencyInFlight while another is being made.
    """
    former = _known(organization_id, idempotency_key)
    if former is not None:
        if (former.price.plan_id, former.request) != (plan, request):
            raise IdempotencyMismatch("This Idempotency-Key was used for another subscription.")
        return former
    price = plan_prices.price_of(plan_prices.find_sold(plan))
    mine = Subscription.objects.filter(organization_id=organization_id)
    for waiting in mine.filter(status__in=WAITING):
        end_page(waiting)
    if mine.filter(status__in=LIVE).exists():
        raise InvalidRequest(
            "This organisation has a subscription: change it at /api/stripe/subscription/upgrade or downgrade.",
            param="plan",
            code="invalid_value",
        )
    try:
        with transaction.atomic():
            return Subscription.objects.create(
                id=new_id("subscr"),
                organization_id=organization_id,
                api_key_id=api_key_id,
                price=price,
                idempotency_key=idempotency_key,
                request=request,
            )
    except IntegrityError as error:
        raise IdempotencyInFlight("Another subscription is being made; try again.") from error


def _known(organization_id: int, idempotency_key: str | None) -> Subscription | None:
    if idempotency_key is None:
        return None
    mine = Subscription.objects.filter(organization_id=organization_id)
    return mine.select_related("price__plan").filter(idempotency_key=idempotency_key).first()


def open_page(row: Subscription) -> Json:
    """The page at Stripe where it is paid. Made from the row alone, so that repeated it is the same call."""
    metadata = subscriptions.metadata_of(row)
    params: Any = {
        "mode": "subscription",
        "customer": customers.ensure_customer(row.organization_id),
        "client_reference_id": row.pk,
        "line_items": [{"price": plan_prices.ensure_at_stripe(row.price), "quantity": 1}],
        "metadata": metadata,
        "subscription_data": {"metadata": metadata},
        "success_url": row.request["success_url"],
        "cancel_url": row.request["cancel_url"],
    }
    session = ask(
        lambda stripe: stripe.v1.checkout.sessions.create(
            params, {"idempotency_key": f"{row.pk}:session"}
        )
    )
    record_page(row, session["id"])
    return session


def record_page(row: Subscription, session_id: str) -> None:
    mine = Subscription.objects.filter(pk=row.pk)
    mine.filter(session_id=None).update(session_id=session_id)
    mine.filter(status=SubscriptionStatus.CREATED).update(status=SubscriptionStatus.OPEN)
    row.refresh_from_db()


def compare(row: Subscription) -> Subscription:
    """As Stripe has it now, before and after it was paid."""
    Subscription.objects.filter(pk=row.pk).update(checked_at=clock.now())
    if not row.stripe_id and not row.session_id:
        _find(row)
    if not row.stripe_id and row.session_id:
        apply_page(row, checkout.read_session(row.session_id))
    if row.stripe_id:
        return subscriptions.compare(row)
    return row


def _find(row: Subscription) -> None:
    """One whose first answer was lost: Stripe may know of it."""
    customer = customers.customer_id_of(row.organization_id)
    if customer:
        page = ask(
            lambda stripe: stripe.v1.checkout.sessions.list(
                {"customer": customer, "limit": checkout.MOST_LOOKED_AT}
            )
        )
        for session in page["data"]:
            if (session.get("metadata") or {}).get("subscription") == row.pk:
                record_page(row, session["id"])
                return
    if clock.now() > row.created_at + settings.ORDER_REPEATED_FOR:
        subscriptions.close(row, "Stripe never heard of it")
        row.refresh_from_db()


def apply_page(row: Subscription, session: Json) -> None:
    """What the page, as Stripe has it now, means for the subscription: which one was paid there."""
    if session["status"] == "expired":
        subscriptions.close(row, "Nobody paid in time")
    elif session["status"] == "complete":
        if problem := problem_in_page(row, session):
            subscriptions.quarantine(row, problem)
        else:
            bind(row, session["subscription"])
    row.refresh_from_db()


def problem_in_page(row: Subscription, session: Json) -> str:
    """In what the session differs from what was ordered; empty when in nothing."""
    if session["amount_total"] != row.price.price_cents:
        return f"{session['amount_total']} cents in the session, {row.price.price_cents} ordered"
    if session["currency"] != CURRENCY:
        return f"{session['currency']} in the session, {CURRENCY} ordered"
    metadata = session.get("metadata") or {}
    if any(metadata.get(name) != value for name, value in subscriptions.metadata_of(row).items()):
        return "the session names another subscription or organisation"
    return ""


def bind(row: Subscription, stripe_id: str) -> None:
    """This is the one that was made. What was bound before stays."""
    Subscription.objects.filter(pk=row.pk, stripe_id=None).update(stripe_id=stripe_id)
    row.refresh_from_db()


def end_page(row: Subscription) -> Subscription:
    """Close the page, unless it was paid meanwhile; then it is a subscription."""
    row = compare(row)
    if row.status == SubscriptionStatus.CREATED:
        open_page(
            row
        )  # the answer was lost, or never asked for: the same call tells which page it is
    if row.status == SubscriptionStatus.OPEN and row.session_id:
        session_id = row.session_id
        try:
            ask(lambda stripe: stripe.v1.checkout.sessions.expire(session_id))
        except StripeRefused:
            log.info("payments.page_not_open", subscription=row.pk)  # it says so below
        row = compare(row)
    return row
