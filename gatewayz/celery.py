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
    "sign the receipts that could not be signed at once": {
        "task": "apps.inference.tasks.sign_receipts",
        "schedule": crontab(),
    },
    "send e-mails": {
        "task": "apps.accounts.tasks.send_notices",
        "schedule": crontab(),
        "options": {"expires": 50},
    },
    "see whose credit is low": {
        "task": "apps.billing.tasks.watch_credit",
        "schedule": crontab(minute="*/5"),
        "options": {"expires": 280},
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
    "end trials that are used up": {
        "task": "apps.inference.tasks.review_trials",
        "schedule": crontab(),
        "options": {"expires": 50},
    },
    "give the credit of referrals": {
        "task": "apps.billing.tasks.give_referral_credit",
        "schedule": crontab(),
        "options": {"expires": 50},
    },
    "tell that budgets are nearly used up": {
        "task": "apps.billing.tasks.tell_budget_alerts",
        "schedule": crontab(),
    },
    "hear of payments that nobody told us of": {
        "task": "apps.billing.tasks.sweep_payments",
        "schedule": crontab(),
        "options": {"expires": 50},
    },
    "buy credit where little is left": {
        "task": "apps.billing.tasks.top_up",
        "schedule": crontab(),
        "options": {"expires": 50},
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
    "compare providers' bills anew": {
        "task": "apps.monitoring.tasks.reconcile_usage",
        "schedule": crontab(minute=7, hour=4),
    },
    "prove the books": {
        "task": "apps.billing.tasks.verify_ledger",
        "schedule": crontab(minute=41, hour=3),
    },
}
