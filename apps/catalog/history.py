"""History: what a host cost its clients at any moment, from the price rows and terms that say so now."""

import datetime
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from apps.catalog.client_rates import at_terms, house_rates, marked_up
from apps.catalog.models import AMOUNTS, Price, Provider
from apps.catalog.selectors import read_terms
from apps.catalog.snapshots import Terms
from apps.catalog.terms import basis_points, in_force
from apps.common.usage import Rates


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceHistory:
    rows: Mapping[int, Rates]
    """By price row: what it says that the house pays."""
    offerings: Mapping[int, int]
    """By price row: whose it is."""
    begun: Mapping[int, list[tuple[datetime.datetime, int]]]
    """By offering: since when which row, in order."""
    terms: Mapping[int, tuple[Terms, ...]]
    markups: Mapping[str, int]
    """By provider, in parts per million, as they are now."""

    def in_force(self, price_id: int, at: datetime.datetime) -> int | None:
        """The row that says what the offering of ``price_id`` cost ``at`` a moment; None before its first."""
        begun = self.begun[self.offerings[price_id]]
        place = bisect_right(begun, at, key=lambda one: one[0])
        return begun[place - 1][1] if place else None

    def agreed(
        self, organization_id: int, *, provider: str, model_id: str, at: datetime.datetime
    ) -> int:
        """Basis points of the terms in force ``at`` a moment."""
        found = in_force(self.terms.get(organization_id, ()), at)
        return basis_points(found, provider=provider, model_id=model_id)

    def rates(self, price_id: int, *, markup_ppm: int, terms_bp: int) -> Rates:
        """What a client paid by this row."""
        marked = marked_up(self.rows[price_id], markup_ppm=markup_ppm)
        return at_terms(marked, basis_points=terms_bp)


def read_history(price_ids: Collection[int]) -> PriceHistory:
    """Of the offerings that these price rows are of. Four queries."""
    of = Price.objects.filter(pk__in=price_ids).values("offering_id")
    rows: dict[int, Rates] = {}
    offerings: dict[int, int] = {}
    begun: dict[int, list[tuple[datetime.datetime, int]]] = defaultdict(list)
    found = Price.objects.filter(offering__in=of).order_by("valid_from")
    for pk, offering, since, tiers, *amounts in found.values_list(
        "pk", "offering_id", "valid_from", "tiers", *AMOUNTS
    ):
        rows[pk] = house_rates(pk, amounts, tiers)
        offerings[pk] = offering
        begun[offering].append((since, pk))
    return PriceHistory(
        rows=rows,
        offerings=offerings,
        begun=begun,
        terms=read_terms(),
        markups=dict(Provider.objects.values_list("slug", "markup_ppm")),
    )
