"""Partner trials: a partner's code begins a trial under terms of its own. It is the one trial that everybody gets."""

from django.db import transaction
from django.db.models import F, Q

from apps.billing.models import PartnerOffer, Trial
from apps.billing.services import codes, trials
from apps.common import clock
from apps.common.errors import CodeRefused


def find_offer(code: str) -> PartnerOffer:
    """Raises NotFound."""
    offer = (
        PartnerOffer.objects.select_related("terms")
        .filter(code=codes.clean(code), is_active=True, terms__is_offered=True)
        .first()
    )
    if offer is None:
        raise codes.not_found("partner offer")
    return offer


def require_open(offer: PartnerOffer) -> None:
    """Raises CodeRefused when no trial can begin with it now."""
    codes.require_dates(clock.now(), valid_from=offer.valid_from, valid_until=offer.valid_until)
    if offer.max_uses is not None and offer.used >= offer.max_uses:
        raise _used_up()


@transaction.atomic
def start(organization_id: int, *, code: str) -> Trial:
    """Raises NotFound, CodeRefused, TrialRefused; then nothing is written."""
    offer = find_offer(code)
    require_open(offer)
    trial = trials.begin(organization_id, terms=offer.terms, offer=offer)
    left = PartnerOffer.objects.filter(Q(max_uses=None) | Q(used__lt=F("max_uses")), pk=offer.pk)
    if not left.update(used=F("used") + 1):
        raise _used_up()
    return trial


def _used_up() -> CodeRefused:
    return codes.refuse("code_used_up", "This offer was taken as often as it may be.")
