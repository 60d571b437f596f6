"""Overrides: a price that a human has set beats every source until a human ends it."""

from django.db import transaction

from apps.catalog.models import OVERRIDE, RANKS, Feed, Price
from apps.catalog.services.errors import CatalogError
from apps.catalog.services.offers import Amounts
from apps.common import clock


@transaction.atomic
def end(price: Price, *, by: str) -> Price:
    """Back to what a source said last; its list is read anew the next time, whether or not it has changed since.

    Raises CatalogError when the price is not an override in force, or when no source has ever told one.
    """
    now = clock.now()
    rows = Price.objects.filter(offering=price.offering, valid_from__lte=now)
    in_force = rows.order_by("-valid_from").first()
    if in_force != price or RANKS[price.source] < OVERRIDE:
        raise CatalogError("price", "is not an override that is in force.")
    told = rows.exclude(source__in=[s for s, rank in RANKS.items() if rank >= OVERRIDE])
    last = told.order_by("-valid_from").first()
    if last is None:
        raise CatalogError("price", "has no source to go back to: add another price in its place.")
    Feed.objects.filter(provider=price.offering.provider_id).update(etag="", content_hash="")
    return Price.objects.create(
        offering=price.offering,
        valid_from=now,
        source=last.source,
        note=f"override ended by {by}"[:200],
        added_by=by,
        **Amounts.from_price(last).as_json(),
    )
