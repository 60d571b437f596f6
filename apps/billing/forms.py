"""The forms that write to the ledger from the back office."""

import datetime
import uuid

from django import forms
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminSplitDateTimeWidget,
    UnfoldAdminTextInputWidget,
)

from apps.common import clock
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
    expires_at = forms.SplitDateTimeField(
        label="Expires",
        required=False,
        widget=UnfoldAdminSplitDateTimeWidget,
        help_text="UTC. What is not used by then is taken back; empty: never.",
    )
    token = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)

    def clean_expires_at(self) -> datetime.datetime | None:
        moment: datetime.datetime | None = self.cleaned_data["expires_at"]
        if moment is not None and moment <= clock.now():
            raise forms.ValidationError("That has passed.")
        return moment

    def clean_amount_usd(self) -> int:
        """Nano-dollars."""
        amount = usd_to_nano(self.cleaned_data["amount_usd"])
        if amount <= 0:
            raise forms.ValidationError("Give more than nothing.")
        return amount


class RefundForm(forms.Form):
    """Money of an order. Sent twice, it is refunded once: ``token`` belongs to the page that was filled in."""

    amount_usd = forms.DecimalField(
        label="Amount in dollars",
        required=False,
        min_value=0,
        decimal_places=2,
        widget=UnfoldAdminDecimalFieldWidget,
        help_text="Of what was charged, the fee included; empty: all that is left. Spent credit is written off.",
    )
    reason = forms.CharField(
        max_length=150,
        widget=UnfoldAdminTextInputWidget,
        help_text="Why; stays with the refund for good.",
    )
    token = forms.UUIDField(widget=forms.HiddenInput, initial=uuid.uuid4)

    def clean_amount_usd(self) -> int | None:
        """Cents."""
        amount = self.cleaned_data["amount_usd"]
        if amount is not None and amount <= 0:
            raise forms.ValidationError("Refund more than nothing.")
        return None if amount is None else int(amount * 100)
