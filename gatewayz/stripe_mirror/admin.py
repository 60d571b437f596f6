"""Stripe's objects at the back office: to look at, in place of dj-stripe's own pages, which can change them."""

from typing import Any

from django.apps import apps
from django.contrib import admin
from unfold.admin import ModelAdmin

from apps.common.admin import Large

SHOWN = (
    "Charge",
    "Customer",
    "Dispute",
    "Invoice",
    "PaymentIntent",
    "PaymentMethod",
    "Price",
    "Product",
    "Refund",
    "Session",
    "SetupIntent",
    "Subscription",
    "TaxId",
)
"""What the mirror copies (apps/billing/services/mirror.py)."""


class MirrorAdmin(Large, ModelAdmin):  # type: ignore[misc]
    list_display = ("id", "created", "livemode", "djstripe_updated")
    search_fields = ("id__exact",)
    ordering = ("-djstripe_id",)
    fields = ("id", "created", "livemode", "stripe_data", "djstripe_created", "djstripe_updated")


def register() -> None:
    """Called once every app's pages are known."""
    config = apps.get_app_config("djstripe")
    models: list[Any] = list(config.get_models())
    for model in models:
        if admin.site.is_registered(model):
            admin.site.unregister(model)
    admin.site.register([model for model in models if model.__name__ in SHOWN], MirrorAdmin)
