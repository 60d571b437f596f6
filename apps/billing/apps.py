from django.apps import AppConfig
from typing_extensions import override


class BillingConfig(AppConfig):
    name = "apps.billing"
    verbose_name = "Billing"

    @override
    def ready(self) -> None:
        from apps.billing import checks  # noqa: F401 - registers the checks, which need the settings
