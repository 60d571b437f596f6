"""Environment variables: the only place that reads them; ``gatewayz.variables`` has the one table of all of them.

A variable that is not in ``VARIABLES`` cannot be read; README, docs/configuration.md and .env.example are compared with
the table by a test. Values may also stand in a ``.env`` file at the project's root; the real environment wins.
"""

import json
import os
import re
import secrets
import sys
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import environ

from apps.common.money import usd_to_nano
from gatewayz.variables import VARIABLES as VARIABLES

BASE_DIR = Path(__file__).resolve().parent.parent


class SettingsError(SystemExit):
    """A setting is wrong. Ends the process with one sentence on standard error and exit status 2."""

    def __init__(self, message: str) -> None:
        sys.stderr.write(f"gatewayz: {message}\n")
        super().__init__(2)


PROVIDER_KEYS = tuple(
    name for name, variable in VARIABLES.items() if variable.help.startswith("House key")
)

PROVIDER_SETTINGS = tuple(
    name for name, variable in VARIABLES.items() if variable.help.startswith("Provider setting")
)
"""Parts of providers' addresses and headers; their rows name them."""

OWN_VARIABLES = frozenset(VARIABLES) - frozenset((*PROVIDER_KEYS, *PROVIDER_SETTINGS))
"""What is the gateway's and no provider's; several of them hold secrets."""

environ.Env.read_env(BASE_DIR / ".env")
_environ = environ.Env()


def text(name: str) -> str:
    """The variable's text, or its default when unset or empty."""
    variable = VARIABLES[name]
    value: str = _environ.str(name, default="")
    return value.strip() or variable.default


def flag(name: str) -> bool:
    """True or false; anything but true/false/1/0/yes/no/on/off is refused."""
    value = text(name).lower()
    if value in {"true", "1", "yes", "on"}:
        return True
    if value in {"false", "0", "no", "off", ""}:
        return False
    raise SettingsError(f"{name} must be true or false, not {value!r}.")


def integer(name: str, *, least: int = 0, most: int | None = None) -> int:
    """A whole number of at least ``least`` and, where it is given, at most ``most``."""
    value = text(name)
    if not value.lstrip("-").isdigit() or int(value) < least:
        raise SettingsError(f"{name} must be a whole number of at least {least}, not {value!r}.")
    if most is not None and int(value) > most:
        raise SettingsError(f"{name} must be at most {most}, not {value}.")
    return int(value)


def basis_points(name: str) -> int:
    """Percent from 0 to 100 with at most two decimals, as hundredths of a percent."""
    value = text(name)
    if not re.fullmatch(r"(?:100(?:\.0{1,2})?|[0-9]{1,2}(?:\.[0-9]{1,2})?)", value):
        raise SettingsError(
            f"{name} must be a percentage from 0 to 100 with at most two decimals, not {value!r}."
        )
    return int(Decimal(value) * 100)


def dollars(name: str) -> int:
    """Dollars of at least 0, in nano-USD."""
    try:
        amount = usd_to_nano(text(name).removeprefix("$"))
    except ValueError:
        amount = -1
    if not 0 <= amount < 2**63:
        raise SettingsError(f"{name} must be dollars of at least 0, not {text(name)!r}.")
    return amount


def items(name: str) -> list[str]:
    """A comma separated list without empty members."""
    return [part.strip() for part in text(name).split(",") if part.strip()]


def data_dir() -> Path:
    path = Path(text("GATEWAYZ_DATA_DIR"))
    return path if path.is_absolute() else BASE_DIR / path


def provider_secret(name: str) -> str:
    """The secret or a setting of a provider row. Staff may name any variable at run time, so these need not be in the table.

    Our own secrets are no provider's: whoever may edit providers must not be able to send them to an address of theirs.
    """
    if name in OWN_VARIABLES:
        return ""
    value: str = _environ.str(name, default="")
    return value.strip()


def is_embedded() -> bool:
    return not text("DATABASE_URL")


def share_metrics() -> None:
    """Let the web processes of one supervisor count into files of their own, which /metrics adds up.

    Must run before prometheus_client is imported. The folder is the supervisor's, so that nothing is left over from
    an earlier one.
    """
    folder = Path(tempfile.gettempdir()) / f"gatewayz-metrics-{os.getppid()}"
    folder.mkdir(exist_ok=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)


def kept_secret(name: str, make: Any) -> str:
    """A secret from the environment or, when embedded, one made on first use and kept in the data directory (0600)."""
    value = text(name)
    if value:
        return value
    if not is_embedded():
        raise SettingsError(f"{name} must be set when DATABASE_URL is.")
    path = data_dir() / "secrets.json"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        kept: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}
        if name not in kept:
            kept[name] = make()
            draft = path.with_name(f"secrets.{secrets.token_hex(4)}.tmp")
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                json.dump(kept, file)
            draft.replace(path)
    except OSError as error:
        raise SettingsError(
            f"cannot write to the data directory {path.parent}: {error.strerror}."
        ) from error
    return kept[name]
