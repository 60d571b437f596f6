"""GET /v1/credits."""

from django.http import HttpRequest
from ninja import Router

from apps.billing.schemas import Credits, CreditsBody
from apps.billing.selectors import credit_of
from apps.common.money import nano_to_usd
from apps.common.principal import organization_of

router = Router(tags=["Credits"])


@router.get("/credits", response=CreditsBody, summary="The organisation's credit")
def read_credits(request: HttpRequest) -> CreditsBody:
    credit = credit_of(organization_of(request))
    return CreditsBody(
        data=Credits(
            total_credits=nano_to_usd(credit.total),
            available=nano_to_usd(credit.available),
            held=nano_to_usd(credit.held),
            allowance=nano_to_usd(credit.allowance),
            promo=nano_to_usd(credit.promo),
            purchased=nano_to_usd(credit.purchased),
            available_nano_usd=credit.available,
            total_nano_usd=credit.total,
        )
    )
