"""Sentry, when SENTRY_DSN is set. Bodies, headers and local variables stay here: they hold prompts and keys."""

from django.conf import settings


def start() -> None:
    if not settings.SENTRY_DSN:
        return
    import sentry_sdk  # costs start-up time that only those who use it should pay
    from sentry_sdk.integrations.django import DjangoIntegration

    sentry_sdk.init(
        dsn=settings.SENTRY_DSN,
        auto_enabling_integrations=False,
        integrations=[DjangoIntegration()],
        send_default_pii=False,
        include_local_variables=False,
        max_request_body_size="never",
    )
