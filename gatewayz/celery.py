"""Celery: the application and the one schedule of recurring jobs."""

import os

from celery import Celery
from celery.schedules import crontab

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gatewayz.settings.main")  # noqa: TID251

from django.conf import settings

app = Celery("gatewayz")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

app.conf.beat_schedule = {
    "release the holds of dead processes": {
        "task": "apps.inference.tasks.sweep_holds",
        "schedule": settings.HOLD_LEASE / 2,
    },
    "forget responses that have been stored long enough": {
        "task": "apps.inference.tasks.forget_expired_responses",
        "schedule": crontab(minute=23),
    },
    "read the price book": {
        "task": "apps.catalog.tasks.refresh_prices",
        "schedule": crontab(minute=17, hour="*/6"),
    },
    "read the lists of providers": {
        # Each provider hourly (its feed in the admin says how often), a few of them in any minute.
        "task": "apps.catalog.tasks.refresh_due",
        "schedule": crontab(),
    },
    "take back credit whose time is over": {
        "task": "apps.billing.tasks.expire_credit",
        "schedule": crontab(),
    },
    "read the balances at providers": {
        "task": "apps.catalog.tasks.read_balances",
        "schedule": crontab(minute=37),
        "options": {"expires": 3000},
    },
    "probe hosts": {
        # A round that nobody had time for is not made up for: the next minute's takes what is due.
        "task": "apps.monitoring.tasks.probe_hosts",
        "schedule": crontab(),
        "options": {"expires": 50},
    },
    "roll up usage": {
        "task": "apps.monitoring.tasks.roll_up_usage",
        "schedule": crontab(),
        "options": {"expires": 50},
    },
    "forget old probes": {
        "task": "apps.monitoring.tasks.forget_probes",
        "schedule": crontab(minute=53, hour=2),
    },
    "prove the books": {
        "task": "apps.billing.tasks.verify_ledger",
        "schedule": crontab(minute=41, hour=3),
    },
}
