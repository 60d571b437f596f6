"""Forms of the admin: a provider with a key that is written but never shown, a model, a price in dollars."""

import datetime
import re
from collections.abc import Callable
from dataclasses import fields
from decimal import Decimal
from typing import Any, ClassVar

from django import forms
from typing_extensions import override
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from apps.catalog.models import (
    LEAST_BP,
    MOST_BP,
    TIER_PRICES,
    Model,
    Offering,
    Price,
    PriceSource,
    PriceTerms,
    Provider,
)
from apps.catalog.providers.registry import spec_of
from apps.catalog.providers.spec import Timeouts, Wire
from apps.catalog.services import providers
from apps.catalog.services.errors import CatalogError
from apps.catalog.services.offers import Amounts, TierAmounts
from apps.common import clock
from apps.common.money import usd_to_nano


class NamesField(forms.CharField):
    """A list of names, written with commas."""

    widget = UnfoldAdminTextInputWidget

    @override
    def prepare_value(self, value: Any) -> Any:
        return ", ".join(value) if isinstance(value, list) else value

    @override
    def to_python(self, value: Any) -> Any:
        names = [name for part in str(value or "").split(",") if (name := part.strip())]
        return list(dict.fromkeys(names))

    @override
    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool(self.to_python(data) != (initial or []))


class ModelForm(forms.ModelForm[Model]):
    input_modalities = NamesField(help_text="With commas: text, image, audio.")
    output_modalities = NamesField(help_text="With commas: text, image, embeddings.")
    supported_parameters = NamesField(required=False, help_text="With commas; empty when unknown.")

    class Meta:
        model = Model
        exclude = ()  # noqa: DJ006 - the admin names the fields
        widgets = {"description": UnfoldAdminTextareaWidget(attrs={"rows": 3})}


class OfferingForm(forms.ModelForm[Offering]):
    supported_parameters = NamesField(
        required=False,
        help_text="All that this host takes, with commas. What is written here no list changes; empty when unknown: the model's.",
    )
    input_modalities = NamesField(
        required=False, help_text="With commas: text, image. Empty when unknown: the model's."
    )

    class Meta:
        model = Offering
        exclude = ()  # noqa: DJ006 - the admin names the fields

    def clean_supported_parameters(self) -> list[str] | None:
        return self.cleaned_data["supported_parameters"] or None

    def clean_input_modalities(self) -> list[str] | None:
        return self.cleaned_data["input_modalities"] or None


class ProviderForm(forms.ModelForm[Provider]):
    api_key = forms.CharField(
        label="API key",
        required=False,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
        help_text="Kept encrypted and never shown again; wins over the variable. Empty keeps what is there.",
    )
    forget_api_key = forms.BooleanField(label="Forget the kept API key", required=False)

    class Meta:
        model = Provider
        exclude = ()  # noqa: DJ006 - the admin names the fields
        help_texts: ClassVar = {
            "usage": "Of hosts of OpenAI's formats: whether the reported input tokens already contain those served from the "
            "prompt cache, as OpenAI's own do. The other formats say it themselves, and nothing here changes that."
        }

    @override
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        defaults = spec_of(self.instance.slug, self.instance.wire or Wire.OPENAI_CHAT).timeouts
        for deadline in fields(Timeouts):
            if field := self.fields.get(f"{deadline.name}_seconds"):
                field.widget.attrs["placeholder"] = f"{getattr(defaults, deadline.name):g}"

    def clean_base_url(self) -> str:
        return self._checked("base_url", providers.check_base_url)

    def clean_api_key_env(self) -> str:
        return self._checked("api_key_env", providers.check_api_key_env)

    def _checked(self, field: str, check: Callable[[str], str]) -> str:
        """The value, which may be empty, after the check that the command line makes too."""
        value: str = self.cleaned_data[field]
        try:
            return check(value) if value else ""
        except CatalogError as error:
            raise forms.ValidationError(f"This {error.message}") from error


def dollars(label: str, *, required: bool = False, otherwise: str = "") -> forms.DecimalField:
    """Dollars with the nine decimals of a nano-dollar."""
    return forms.DecimalField(
        label=label,
        min_value=0,
        max_digits=15,
        decimal_places=9,
        required=required,
        help_text=f"Empty: {otherwise}." if otherwise else "",
        widget=UnfoldAdminDecimalFieldWidget(attrs={"step": "any"}),
    )


class TiersField(forms.CharField):
    """A line for each tier; nano-USD by name afterwards, with the threshold as ``above``."""

    widget = UnfoldAdminTextareaWidget(attrs={"rows": 3})

    @override
    def to_python(self, value: Any) -> Any:
        return [_tier(line) for line in str(value or "").splitlines() if line.strip()]


def _tier(line: str) -> dict[str, int]:
    above, *pairs = line.split()
    if not above.isdecimal() or not 0 < int(above) < 2**31:
        raise forms.ValidationError(f"'{above[:20]}' is not a number of input tokens.")
    tier = {"above": int(above)}
    for pair in pairs:
        name, _, amount = pair.partition("=")
        if name not in TIER_PRICES:
            raise forms.ValidationError(
                f"'{name[:20]}' has no price in a tier; it knows {', '.join(TIER_PRICES)}."
            )
        if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,9})?", amount):
            raise forms.ValidationError(f"'{amount[:20]}' of {name} is not dollars.")
        tier[name] = usd_to_nano(amount)
    for name in ("input", "output"):
        if name not in tier:
            raise forms.ValidationError(f"The tier above {above} needs {name}=.")
    return tier


class PriceForm(forms.ModelForm[Price]):
    """Adds a price row; there is no changing one. The fields in dollars are named after the columns in nano-USD."""

    input_usd = dollars("Input, $ per Mtok", required=True)
    output_usd = dollars("Output, $ per Mtok", required=True)
    cache_read_usd = dollars("Cache read, $ per Mtok", otherwise="as input")
    cache_write_5m_usd = dollars("Cache write 5 min, $ per Mtok", otherwise="as input")
    cache_write_1h_usd = dollars("Cache write 1 h, $ per Mtok", otherwise="as cache write 5 min")
    reasoning_usd = dollars("Reasoning, $ per Mtok", otherwise="as output")
    audio_input_usd = dollars("Audio input, $ per Mtok", otherwise="0")
    audio_output_usd = dollars("Audio output, $ per Mtok", otherwise="0")
    images_usd = dollars("Image, $", otherwise="0")
    characters_usd = dollars("Characters, $ per million", otherwise="0")
    seconds_usd = dollars("Second, $", otherwise="0")
    searches_usd = dollars("Search, $", otherwise="0")
    request_usd = dollars("Request, $", otherwise="0")
    tiers_usd = TiersField(
        label="Tiers, $ per Mtok",
        required=False,
        help_text="For long inputs, one in a line: 200000 input=2.5 output=15 cache_read=0.25. All of a request with more "
        "input tokens than the number costs that; what is left out as above, from input and output.",
    )

    class Meta:
        model = Price
        fields = ("offering", "valid_from", "note")

    @override
    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        given = {
            name.removesuffix("_usd"): usd_to_nano(value)
            for name, value in cleaned.items()
            if name.endswith("_usd") and isinstance(value, Decimal)
        }
        if {"input", "output"} <= given.keys():
            try:
                self.amounts = Amounts.of(**given).with_tiers(
                    TierAmounts.of(**tier) for tier in cleaned.get("tiers_usd") or ()
                )
            except CatalogError as error:
                self.add_error("tiers_usd", f"Tiers {error.message}")
        return cleaned

    @override
    def save(self, commit: bool = True) -> Price:
        for name, amount in self.amounts.as_json().items():
            setattr(self.instance, name, amount)
        self.instance.source = PriceSource.STAFF
        return super().save(commit)


class TermsForm(forms.ModelForm[PriceTerms]):
    """Agreed on once; afterwards only their end can be set."""

    class Meta:
        model = PriceTerms
        exclude = ()  # noqa: DJ006 - the admin names the fields

    def clean_basis_points(self) -> int:
        added: int = self.cleaned_data["basis_points"]
        if not LEAST_BP <= added <= MOST_BP:
            raise forms.ValidationError(f"It must be from {LEAST_BP} to {MOST_BP}.")
        return added

    def clean_model_pattern(self) -> str:
        pattern: str = self.cleaned_data["model_pattern"].strip()
        if re.search(r"[\s?\[\]]", pattern):
            raise forms.ValidationError("A model's id, where only * stands for something else.")
        return pattern

    def clean_valid_until(self) -> datetime.datetime | None:
        until: datetime.datetime | None = self.cleaned_data["valid_until"]
        if until is None or until == self.instance.valid_until:
            return until
        if until < clock.now():
            raise forms.ValidationError("It lies in the past, and what was charged then stays.")
        if until <= (self.cleaned_data.get("valid_from") or self.instance.valid_from):
            raise forms.ValidationError("It must be later than their beginning.")
        return until
