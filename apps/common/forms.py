"""Fields of the back office's forms."""

from decimal import Decimal
from typing import Any

from django import forms
from typing_extensions import override
from unfold.widgets import UnfoldAdminDecimalFieldWidget

from apps.common.money import NANO_PER_USD, usd_to_nano


class DollarsField(forms.DecimalField):
    """Nano-dollars of a row, written in dollars."""

    widget = UnfoldAdminDecimalFieldWidget

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"decimal_places": 9, "max_digits": 19, **options})

    @override
    def prepare_value(self, value: Any) -> Any:
        if not isinstance(value, int):
            return value
        return f"{(Decimal(value) / NANO_PER_USD).normalize():f}"

    @override
    def clean(self, value: Any) -> Any:
        found = super().clean(value)
        return None if found is None else usd_to_nano(found)

    @override
    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(self.prepare_value(initial), data)
