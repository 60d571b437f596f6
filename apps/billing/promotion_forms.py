"""Forms of promotions in the back office: dollars instead of nano-dollars."""

from decimal import Decimal

from django import forms
from unfold.widgets import UnfoldAdminIntegerFieldWidget

from apps.billing.models import Coupon, RedemptionBatch, ReferralTerms, TrialTerms
from apps.billing.models.amounts import LARGEST_GIFT
from apps.billing.services.redemption_codes import MOST_AT_ONCE
from apps.common.forms import DollarsField
from apps.common.money import NANO_PER_USD

SMALLEST = Decimal(1) / NANO_PER_USD
LARGEST_USD = LARGEST_GIFT // NANO_PER_USD


def gift(label: str) -> DollarsField:
    return DollarsField(
        label=label,
        min_value=SMALLEST,
        max_value=LARGEST_USD,
        help_text=f"Dollars, at most ${LARGEST_USD:,}.",
    )


class CouponForm(forms.ModelForm[Coupon]):
    amount = gift("Amount")

    class Meta:
        model = Coupon
        exclude = ()  # noqa: DJ006 - the admin names the fields


class TrialTermsForm(forms.ModelForm[TrialTerms]):
    credit = gift("Credit")

    class Meta:
        model = TrialTerms
        exclude = ()  # noqa: DJ006


class NewBatchForm(forms.ModelForm[RedemptionBatch]):
    amount = gift("Amount of each code")
    count = forms.IntegerField(
        label="Number of codes",
        min_value=1,
        max_value=MOST_AT_ONCE,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="They are shown once, when the batch is saved.",
    )

    class Meta:
        model = RedemptionBatch
        exclude = ()  # noqa: DJ006


class ReferralTermsForm(forms.ModelForm[ReferralTerms]):
    reward = gift("Reward of each side")
    least_purchase = DollarsField(
        label="Least purchase",
        min_value=SMALLEST,
        max_value=1_000_000,
        help_text="Dollars; the first purchase of so much earns.",
    )

    class Meta:
        model = ReferralTerms
        exclude = ()  # noqa: DJ006
