"""Bootstrap: what an empty database needs before the first request. Safe to run again; nothing is overwritten.

Every installation gets the providers of the registry and the prices of the price book. The embedded quick start also
gets a staff user, an organisation on a trial and a live key, written to ``demo.json`` (mode 0600).
"""

import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from django.conf import settings
from django.db import transaction

from apps.accounts import selectors as accounts
from apps.accounts import services as signup
from apps.billing.services import trials
from apps.catalog.services import refresh
from apps.common import clock
from apps.common.errors import TrialRefused
from apps.common.money import usd_to_nano
from apps.keys import services as keys

ADMIN_EMAIL = "admin@gatewayz.local"
DEMO_DAYS = 3650
"""A quick start does not end while somebody looks elsewhere."""


@dataclass(frozen=True, slots=True)
class Demo:
    base_url: str
    api_key: str
    admin_email: str
    admin_password: str


def bootstrap_catalogue() -> None:
    refresh.bootstrap()


def bootstrap_demo(*, base_url: str) -> Demo:
    """The demo's credentials: those of the last time, as long as the file and the user are still there."""
    path = settings.DATA_DIR / "demo.json"
    if path.exists() and accounts.find_user(ADMIN_EMAIL) is not None:
        kept = json.loads(path.read_text())
        demo = Demo(**{**kept, "base_url": base_url})
    else:
        demo = _create_demo(base_url)
    _write(path, demo)
    return demo


@transaction.atomic
def _create_demo(base_url: str) -> Demo:
    password = secrets.token_urlsafe(12)
    user = accounts.find_user(ADMIN_EMAIL)
    if user is None:
        user = signup.create_user(email=ADMIN_EMAIL, password=password, is_superuser=True)
        user.email_verified_at = clock.now()  # nobody else has this gateway, and a trial needs it
    else:
        user.set_password(password)
    user.save(update_fields=["password", "email_verified_at"])
    organization = accounts.personal_organization(user)
    try:
        trials.give(
            organization.pk,
            name="quick start",
            credit=usd_to_nano(settings.TRIAL_CREDIT_USD),
            days=DEMO_DAYS,
        )
    except TrialRefused as error:
        if (
            error.code != TrialRefused.code
        ):  # no other reason than that it is there from the last time
            raise
    issued = keys.issue(organization.pk, name="demo", created_by_id=user.pk)
    return Demo(base_url, issued.secret, ADMIN_EMAIL, password)


def _write(path: Path, demo: Demo) -> None:
    draft = path.with_suffix(".tmp")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(asdict(demo), file, indent=2)
        file.write("\n")
    draft.replace(path)
