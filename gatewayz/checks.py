"""System checks: those of a deployment (`manage.py check --deploy`), and those that a web process tells at start."""

from typing import Any

import structlog
from django.conf import settings
from django.core.checks import CheckMessage, Error, Info, Tags, register, run_checks
from django.core.checks import Warning as CheckWarning

from gatewayz import env

log = structlog.get_logger(__name__)

TOLD_AT_START = "billing"
"""The tag of the checks whose findings an operator must see although nobody runs `manage.py check`."""


def tell() -> None:
    """One line of the log for each finding: uvicorn runs no checks."""
    for found in run_checks(tags=[TOLD_AT_START], include_deployment_checks=True):
        log.log(found.level, "start.check", id=found.id, told=found.msg, hint=found.hint)


@register(Tags.security, deploy=True)
def check_sandbox(**options: Any) -> list[CheckMessage]:
    """The sandbox answers anybody and costs nothing; no customer must meet it."""
    if not settings.SANDBOX_ENABLED:
        return []
    return [
        Error("The sandbox provider is enabled.", hint="Set SANDBOX=false.", id="gatewayz.E001")
    ]


@register(Tags.security, deploy=True)
def check_services(**options: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    if settings.EMBEDDED:
        found.append(
            CheckWarning(
                "The embedded SQLite database is for one process on one machine.",
                hint="Set DATABASE_URL to a PostgreSQL database.",
                id="gatewayz.W001",
            )
        )
    if not settings.REDIS_URL:
        found.append(
            CheckWarning(
                "Without Redis there can be one web process, and scheduled jobs need a broker.",
                hint="Set REDIS_URL.",
                id="gatewayz.W002",
            )
        )
    if not any(env.provider_secret(name) for name in env.PROVIDER_KEYS):
        found.append(
            Info(
                "No provider key is set in the environment.",
                hint=f"Set one of {', '.join(env.PROVIDER_KEYS)}, or give a provider its key in the admin.",
                id="gatewayz.I001",
            )
        )
    return found
