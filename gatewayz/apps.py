from django.apps import AppConfig, apps
from typing_extensions import override


class GatewayzConfig(AppConfig):
    name = "gatewayz"
    verbose_name = "Gatewayz"

    @override
    def ready(self) -> None:
        from gatewayz import checks  # noqa: F401 - registers the checks, which need the settings

        if apps.is_installed("djstripe"):
            from gatewayz.stripe_mirror import admin  # needs the models

            admin.register()
