"""Codes as people type them, and the refusals that all of them share."""

import datetime
import secrets

from apps.common.errors import CodeRefused, NotFound

LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""None that is taken for another."""


def make(length: int) -> str:
    return "".join(secrets.choice(LETTERS) for _ in range(length))


def clean(code: str) -> str:
    """As it is kept; empty for what can be no code."""
    return code.strip().upper() if code.isascii() and code.isprintable() else ""


def not_found(what: str) -> NotFound:
    return NotFound(f"There is no {what} with this code.", param="code")


def refuse(code: str, message: str) -> CodeRefused:
    return CodeRefused(message, param="code", code=code)


def require_dates(
    now: datetime.datetime,
    *,
    valid_from: datetime.datetime | None = None,
    valid_until: datetime.datetime | None,
) -> None:
    """Raises CodeRefused outside them."""
    if valid_from is not None and now < valid_from:
        raise refuse(
            "code_not_valid_yet", f"This code is valid from {valid_from:%Y-%m-%d %H:%M} UTC."
        )
    if valid_until is not None and now >= valid_until:
        raise refuse("code_expired", f"This code was valid until {valid_until:%Y-%m-%d %H:%M} UTC.")
