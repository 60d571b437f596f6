"""Who an organisation is at Stripe. Made with its first payment."""

from apps.accounts.selectors import billing_contact
from apps.billing.models import StripeCustomer
from apps.billing.stripe.client import ask
from apps.common.errors import NotFound
from apps.common.ids import new_id


def customer_id_of(organization_id: int) -> str | None:
    """None before its first payment."""
    return (
        StripeCustomer.objects.filter(organization_id=organization_id)
        .values_list("stripe_id", flat=True)
        .first()
    )


def organization_of_customer(stripe_id: str) -> int | None:
    return (
        StripeCustomer.objects.filter(stripe_id=stripe_id)
        .values_list("organization_id", flat=True)
        .first()
    )


def require_customer(organization_id: int) -> str:
    """Raises NotFound when it has never paid: then it has nothing at Stripe either."""
    found = customer_id_of(organization_id)
    if not found:
        raise NotFound("This organisation has no payment data yet.")
    return found


def ensure_customer(organization_id: int) -> str:
    """The row comes first: its token makes the call, however often it is repeated, one customer."""
    row, _ = StripeCustomer.objects.get_or_create(
        organization_id=organization_id, defaults={"token": new_id("cust")}
    )
    if row.stripe_id:
        return row.stripe_id
    contact = billing_contact(organization_id)
    made = ask(
        lambda stripe: stripe.v1.customers.create(
            {
                "name": contact.name,
                **({"email": contact.email} if contact.email else {}),
                "metadata": {"organization": str(organization_id)},
            },
            {"idempotency_key": row.token},
        )
    )
    StripeCustomer.objects.filter(pk=row.pk, stripe_id=None).update(stripe_id=made["id"])
    return str(made["id"])
