"""Forms of the admin: a key, whose limit is written in dollars; a customer's key at a provider, which is written but never shown."""

from decimal import Decimal
from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminPasswordWidget

from apps.common.errors import InvalidRequest
from apps.common.forms import DollarsField
from apps.common.money import NANO_PER_USD
from apps.keys import provider_keys
from apps.keys.models import ApiKey, ProviderCredential

MOST_COST_USD = 1_000_000


class ApiKeyForm(forms.ModelForm[ApiKey]):
    max_cost = DollarsField(
        label="Max cost",
        required=False,
        min_value=Decimal(1) / NANO_PER_USD,
        max_value=MOST_COST_USD,
        help_text="Dollars that each request of the key may cost at most; a request can only ask for less. Empty: no limit.",
    )

    class Meta:
        model = ApiKey
        exclude = ()  # noqa: DJ006 - the admin names the fields


class ProviderCredentialForm(forms.ModelForm[ProviderCredential]):
    key = forms.CharField(
        required=False,
        max_length=provider_keys.LONGEST,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
        help_text="Kept encrypted and never shown again. Empty keeps what is there.",
    )

    class Meta:
        model = ProviderCredential
        fields = ("falls_back", "is_active")

    def clean_key(self) -> str:
        value: str = self.cleaned_data["key"]
        try:
            return provider_keys.clean(value) if value else ""
        except InvalidRequest as error:
            raise forms.ValidationError(error.message) from None

    def changes(self) -> dict[str, Any]:
        """For ``provider_keys.store``."""
        return {
            "secret": self.cleaned_data["key"] or None,
            "falls_back": self.cleaned_data["falls_back"],
            "is_active": self.cleaned_data["is_active"],
        }
