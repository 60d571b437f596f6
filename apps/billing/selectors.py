"""Reading balances."""

from dataclasses import dataclass

from apps.billing.models import Balance, Hold


@dataclass(frozen=True, slots=True)
class Credit:
    """An organisation's credit in nano-USD."""

    allowance: int
    promo: int
    purchased: int
    held: int

    @property
    def total(self) -> int:
        return self.allowance + self.promo + self.purchased

    @property
    def available(self) -> int:
        return self.total - self.held


def credit_of(organization_id: int) -> Credit:
    """Raises Balance.DoesNotExist for an organisation that does not exist; every other one has a balance."""
    balance = Balance.objects.get(pk=organization_id)
    return Credit(
        allowance=balance.allowance,
        promo=balance.promo,
        purchased=balance.purchased,
        held=balance.held,
    )


def is_on_hold(request_id: str) -> bool:
    """Whether the request is still under way, or its settlement is."""
    return Hold.objects.filter(pk=request_id).exists()
