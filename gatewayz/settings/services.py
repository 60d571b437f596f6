"""The services around Django: database, Redis, Celery, channel layer, Sentry.

Two shapes of one system. Embedded (no DATABASE_URL): SQLite and everything in one process. Services: PostgreSQL
through a pool and Redis, any number of processes.
"""

from typing import Any

import environ

from gatewayz import env
from gatewayz.settings.base import DATA_DIR

EMBEDDED = env.is_embedded()
REDIS_URL = env.text("REDIS_URL")
REDIS_PREFIX = "gatewayz"
WEB_CONCURRENCY = env.integer("WEB_CONCURRENCY", least=1)
if WEB_CONCURRENCY > 1 and (EMBEDDED or not REDIS_URL):
    raise env.SettingsError(
        f"WEB_CONCURRENCY is {WEB_CONCURRENCY}, but more than one web process needs DATABASE_URL and REDIS_URL."
    )
if WEB_CONCURRENCY > 1:
    env.share_metrics()


def sqlite(path: str) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": path,
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            # Writers take the lock when they begin, so two of them queue instead of failing half-way.
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            # FULL, so that a settlement survives a power cut; a batch of them costs one flush.
            "init_command": (
                "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-32000; "
                "PRAGMA temp_store=MEMORY; PRAGMA mmap_size=134217728; "
                # INSERT OR REPLACE deletes too: the triggers of append-only tables must hear of it.
                "PRAGMA recursive_triggers=ON;"
            ),
        },
    }


def postgresql(url: str) -> dict[str, Any]:
    config: dict[str, Any] = environ.Env.db_url_config(url)
    if config["ENGINE"] != "django.db.backends.postgresql":
        raise env.SettingsError("DATABASE_URL must be a postgres:// address.")
    config["CONN_MAX_AGE"] = (
        0  # Django's pool requires it: a closed connection goes back to the pool
    )
    config["OPTIONS"] = {
        **config.get("OPTIONS", {}),
        "pool": {
            "min_size": 2,
            "max_size": env.integer("DATABASE_POOL_SIZE", least=4),
            "timeout": 10,
        },
    }
    return config


DATABASE_URL = env.text("DATABASE_URL")
DATABASES = {
    "default": sqlite(str(DATA_DIR / "gatewayz.sqlite3")) if EMBEDDED else postgresql(DATABASE_URL)
}

if REDIS_URL:
    CACHES = {"default": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": REDIS_URL}}
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.core.RedisChannelLayer",
            "CONFIG": {"hosts": [REDIS_URL]},
        }
    }
else:
    CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}

CELERY_BROKER_URL = REDIS_URL or "memory://"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TIMEZONE = "UTC"
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_REDIRECT_STDOUTS = False

SENTRY_DSN = env.text("SENTRY_DSN")

RESEND_API_KEY = env.text("RESEND_API_KEY")
ANYMAIL = {"RESEND_API_KEY": RESEND_API_KEY}
EMAIL_BACKEND = (
    "anymail.backends.resend.EmailBackend"
    if RESEND_API_KEY
    else "django.core.mail.backends.console.EmailBackend"
)
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.text("MAIL_FROM")
PUBLIC_URL = env.text("PUBLIC_URL").rstrip("/")
