"""Forms of the admin: a provider with a key that is written but never shown, a model, a price in dollars."""

from collections.abc import Callable
from dataclasses import fields
from typing import Any

from django import forms
from typing_extensions import override
from unfold.widgets import (
    UnfoldAdminDecimalFieldWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from apps.catalog.models import Model, Price, PriceSource, Provider
from apps.catalog.providers.registry import spec_of
from apps.catalog.providers.spec import Timeouts, Wire
from apps.catalog.services import providers
from apps.catalog.services.errors import CatalogError
from apps.catalog.services.offers import Amounts
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

    class Meta:
        model = Price
        fields = ("offering", "valid_from", "note")

    @override
    def save(self, commit: bool = True) -> Price:
        given = {
            name.removesuffix("_usd"): usd_to_nano(value)
            for name, value in self.cleaned_data.items()
            if name.endswith("_usd") and value is not None
        }
        amounts: Any = Amounts.of(**given)
        for name in Amounts.__slots__:
            setattr(self.instance, name, getattr(amounts, name))
        self.instance.source = PriceSource.STAFF
        return super().save(commit)
