"""Price proposals: keeping a price that was not believed for staff, and what they decide."""

import hashlib
import json
from dataclasses import asdict, dataclass

import structlog
from django.db import transaction

from apps.catalog.models import Offering, PriceProposal, PriceSource, ProposalState
from apps.catalog.services import offers
from apps.catalog.services.offers import Amounts
from apps.common import clock

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
    """Keep it for staff, once: numbers that wait or were decided are not asked about again."""
    _, is_new = PriceProposal.objects.get_or_create(
        offering=offering,
        fingerprint=fingerprint(found),
        defaults={
            "former": asdict(former) if former else None,
            "found": asdict(found),
            "reason": reason[:300],
            "source": source,
            "note": note,
        },
    )
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
    return hashlib.sha256(json.dumps(asdict(amounts), sort_keys=True).encode()).hexdigest()


@transaction.atomic
def approve(proposal: PriceProposal, *, by: str) -> bool:
    """Put the proposed price in force, as found by its source; False when it was decided already."""
    if not _decide(proposal, ProposalState.APPROVED, by=by):
        return False
    offers.post_price(
        proposal.offering,
        Amounts(**proposal.found),
        source=PriceSource(proposal.source),
        note=f"approved by {by}"[:200],
    )
    return True


@transaction.atomic
def reject(proposal: PriceProposal, *, by: str) -> bool:
    """Leave the price in force as it is; False when it was decided already."""
    return _decide(proposal, ProposalState.REJECTED, by=by)


def _decide(proposal: PriceProposal, state: ProposalState, *, by: str) -> bool:
    decided = PriceProposal.objects.filter(pk=proposal.pk, state=ProposalState.PENDING).update(
        state=state, decided_at=clock.now(), decided_by=by[:254]
    )
    return bool(decided)
