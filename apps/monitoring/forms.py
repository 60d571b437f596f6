"""Forms of reconciliation in the back office."""

import datetime
import json
from typing import Any

from django import forms
from typing_extensions import override
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminSingleDateWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from apps.catalog.selectors import read_provider_slugs
from apps.common import clock
from apps.common.forms import DollarsField
from apps.monitoring.export_files import MOST_BYTES
from apps.monitoring.models import BillRules, Side, UsageExportMapping
from apps.monitoring.reconciliation_report import MOST_DAYS, Wanted
from apps.monitoring.services.exports import MOST_ACCOUNT
from apps.monitoring.services.reconciling import MOST_NOTE

USUAL_DAYS = 14


class ImportForm(forms.Form):
    """A provider's file. Sent twice, it is one import."""

    provider = forms.ChoiceField(widget=UnfoldAdminSelectWidget)
    file = forms.FileField(
        widget=UnfoldAdminFileFieldWidget,
        help_text=f"CSV, at most {MOST_BYTES // 1024**2} MiB. Days that are not over are left out.",
    )
    mapping = forms.ChoiceField(
        required=False,
        widget=UnfoldAdminSelectWidget,
        help_text="How its columns are read. Empty: chosen by the names of the columns.",
    )
    account = forms.CharField(
        required=False,
        max_length=MOST_ACCOUNT,
        widget=UnfoldAdminTextInputWidget,
        help_text="Only where the house has several at this provider: what they tell is added up.",
    )
    override = forms.JSONField(
        required=False,
        initial=dict,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text='Fields of the mapping for this file alone: {"decimal_mark": ",", "day_format": "%d.%m.%Y"}',
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        providers = [(slug, slug) for slug in read_provider_slugs()]
        mappings = [(one.slug, one.name) for one in UsageExportMapping.objects.all()]
        self.fields["provider"].choices = [("", "-"), *providers]  # type: ignore[attr-defined]
        self.fields["mapping"].choices = [("", "-"), *mappings]  # type: ignore[attr-defined]

    def clean_override(self) -> dict[str, Any]:
        override = self.cleaned_data["override"]
        if override is None:
            return {}
        if not isinstance(override, dict):
            raise forms.ValidationError("An object.")
        return dict(json.loads(json.dumps(override)))


class NoteForm(forms.Form):
    note = forms.CharField(
        max_length=MOST_NOTE, widget=UnfoldAdminTextareaWidget, help_text="What was found."
    )


class WithdrawalForm(forms.Form):
    note = forms.CharField(
        max_length=200, widget=UnfoldAdminTextInputWidget, help_text="Why it is wrong."
    )


class ReportForm(forms.Form):
    """What the report shows; with nothing told, the last two weeks."""

    provider = forms.CharField(
        required=False, max_length=60, widget=UnfoldAdminTextInputWidget, help_text="Its slug."
    )
    first = forms.DateField(label="From", required=False, widget=UnfoldAdminSingleDateWidget)
    last = forms.DateField(label="To", required=False, widget=UnfoldAdminSingleDateWidget)
    model = forms.CharField(
        required=False, max_length=200, widget=UnfoldAdminTextInputWidget, help_text="Part of it."
    )
    side = forms.ChoiceField(
        required=False,
        choices=[("", "All models"), *Side.choices],
        widget=UnfoldAdminSelectWidget,
    )
    is_drift_only = forms.BooleanField(
        label="Only days with a drift", required=False, widget=UnfoldBooleanSwitchWidget
    )

    @override
    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        if self.errors:
            return found
        last = found["last"] or clock.now().date()
        first = found["first"] or last - datetime.timedelta(days=USUAL_DAYS - 1)
        if first > last:
            self.add_error("last", "It must not be before 'From'.")
        elif (last - first).days >= MOST_DAYS:
            self.add_error("last", f"At most {MOST_DAYS} days at a time.")
        return found | {"first": first, "last": last}

    @property
    def wanted(self) -> Wanted:
        """Of a form that is valid."""
        return Wanted(**self.cleaned_data)


class BillRulesForm(forms.ModelForm[BillRules]):
    least_cost = DollarsField(
        label="Least cost, $", min_value=0, help_text=BillRules._meta.get_field("least_cost").help_text
    )  # fmt: skip

    class Meta:
        model = BillRules
        fields = ("provider", "time_zone", "model_rules", "drift_ppm", "least_cost", "least_tokens")
