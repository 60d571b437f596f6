"""Price proposals: keeping a price that was not believed for staff, and what they decide."""

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass

import structlog
from django.db import transaction
from django.db.models import QuerySet

from apps.catalog.models import RANKS, Offering, PriceProposal, PriceSource, ProposalState
from apps.catalog.selectors import prices_in_force
from apps.catalog.services import offers
from apps.catalog.services.offers import Amounts
from apps.common import clock

REOPENED = (ProposalState.SUPERSEDED, ProposalState.APPROVED)
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """A price that was not taken."""

    provider: str
    model: str
    reason: str
    former: Amounts | None
    found: Amounts


def propose(
    offering: Offering,
    *,
    former: Amounts | None,
    found: Amounts,
    reason: str,
    source: PriceSource,
    note: str = "",
) -> Quarantined:
    """Keep it for staff, once: numbers that wait or were rejected are not asked about again. What waited of the same source is
    superseded; numbers that come back after others were in force are asked about anew."""
    told = {
        "former": former.as_json() if former else None,
        "reason": reason[:300],
        "source": source,
        "note": note,
    }
    rows = PriceProposal.objects.filter(offering=offering)
    proposal, is_new = rows.get_or_create(
        offering=offering,
        fingerprint=fingerprint(found),
        defaults={"found": found.as_json(), **told},
    )
    if proposal.state in REOPENED:
        is_new = True
        rows.filter(pk=proposal.pk).update(
            state=ProposalState.PENDING, decided_at=None, decided_by="", created_at=clock.now(), **told
        )  # fmt: skip
    others = rows.filter(source=source, state=ProposalState.PENDING).exclude(pk=proposal.pk)
    _mark_superseded(others)
    if is_new:
        log.warning(
            "catalog.price_quarantined",
            provider=offering.provider_id,
            model=offering.model_id,
            reason=reason,
        )
    return Quarantined(
        provider=offering.provider_id,
        model=offering.model_id,
        reason=reason,
        former=former,
        found=found,
    )


def fingerprint(amounts: Amounts) -> str:
    return hashlib.sha256(json.dumps(amounts.as_json(), sort_keys=True).encode()).hexdigest()


def supersede(settled: Collection[tuple[int, PriceSource]]) -> None:
    """These offerings have the price that the source tells now: what it told before waits for nobody."""
    waiting = PriceProposal.objects.filter(state=ProposalState.PENDING)
    over = [
        pk
        for pk, offering, source in waiting.values_list("pk", "offering_id", "source")
        if (offering, source) in settled
    ]
    _mark_superseded(waiting.filter(pk__in=over))


def supersede_all(offering: Offering) -> None:
    """A human has said what it costs."""
    _mark_superseded(PriceProposal.objects.filter(offering=offering, state=ProposalState.PENDING))


def _mark_superseded(rows: QuerySet[PriceProposal]) -> None:
    rows.update(state=ProposalState.SUPERSEDED, decided_at=clock.now())


@transaction.atomic
def approve(proposal: PriceProposal, *, by: str) -> bool:
    """Put the proposed price in force, as found by its source; False when it was decided already, or a price of a higher rank
    has come between."""
    in_force = prices_in_force(clock.now()).filter(offering=proposal.offering).first()
    if in_force is not None and RANKS[in_force.source] > RANKS[proposal.source]:
        supersede_all(proposal.offering)
        return False
    if not _decide(proposal, ProposalState.APPROVED, by=by):
        return False
    offers.post_price(
        proposal.offering,
        Amounts.from_json(proposal.found),
        source=PriceSource(proposal.source),
        note=f"approved by {by}"[:200],
        by=by,
    )
    return True


def approve_all(provider: str, *, by: str) -> int:
    """All that waits of one provider; how many there were."""
    waiting = PriceProposal.objects.filter(
        offering__provider=provider, state=ProposalState.PENDING
    ).select_related("offering")
    return sum(approve(proposal, by=by) for proposal in waiting)


@transaction.atomic
def reject(proposal: PriceProposal, *, by: str) -> bool:
    """Leave the price in force as it is; False when it was decided already."""
    return _decide(proposal, ProposalState.REJECTED, by=by)


def _decide(proposal: PriceProposal, state: ProposalState, *, by: str) -> bool:
    decided = PriceProposal.objects.filter(pk=proposal.pk, state=ProposalState.PENDING).update(
        state=state, decided_at=clock.now(), decided_by=by[:254]
    )
    return bool(decided)
