"""The one form that writes to the ledger from the back office."""

import uuid

from django import forms
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminTextInputWidget

from apps.common.money import usd_to_nano

MOST_GRANTED_USD = 1_000


class GrantForm(forms.Form):
    """Promo credit as a gift. Sent twice, it is given once: ``token`` belongs to the page that was filled in."""

    amount_usd = forms.DecimalField(
        label="Amount in dollars",
        min_value=0,
        max_value=MOST_GRANTED_USD,
        decimal_places=9,
        widget=UnfoldAdminDecimalFieldWidget,
        help_text=f"At most ${MOST_GRANTED_USD:,} at a time.",
    )
    memo = forms.CharField(
        max_length=160,
        widget=UnfoldAdminTextInputWidget,
        help_text="Why it is given; stays in the journal for good.",
    )
    token = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)

    def clean_amount_usd(self) -> int:
        """Nano-dollars."""
        amount = usd_to_nano(self.cleaned_data["amount_usd"])
        if amount <= 0:
            raise forms.ValidationError("Give more than nothing.")
        return amount
