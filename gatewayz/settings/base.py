"""Django proper: applications, middleware, templates, authentication, pages."""

import secrets
from pathlib import Path

import django_stubs_ext
from cryptography.fernet import Fernet
from csp.constants import NONE, SELF
from django.templatetags.static import static

from gatewayz import env

django_stubs_ext.monkeypatch()

BASE_DIR = env.BASE_DIR
DATA_DIR = env.data_dir()
DEBUG = env.flag("DEBUG")
SECRET_KEY = env.kept_secret("SECRET_KEY", lambda: secrets.token_urlsafe(48))
KEY_PEPPER = env.kept_secret("KEY_PEPPER", lambda: secrets.token_urlsafe(32))
KEYRING = env.kept_secret("KEYRING", lambda: Fernet.generate_key().decode()).split(",")
RECEIPT_KEYS = env.kept_secret("RECEIPT_KEYS", lambda: secrets.token_urlsafe(32)).split(",")

ALLOWED_HOSTS = env.items("ALLOWED_HOSTS")
CSRF_TRUSTED_ORIGINS = env.items("CSRF_TRUSTED_ORIGINS")
ROOT_URLCONF = "gatewayz.urls"
ASGI_APPLICATION = "gatewayz.asgi.application"
APPEND_SLASH = True

INSTALLED_APPS = [
    *(
        ["daphne"] if DEBUG else []
    ),  # replaces `runserver`; brings Twisted, so only where it is wanted
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_prometheus",
    "ninja",
    "rest_framework",
    # A mirror for staff, where there is something to mirror: it costs every start 0.7 s, and the first one ten.
    *(["djstripe"] if env.text("STRIPE_SECRET_KEY") else []),
    "gatewayz",
    "apps.accounts",
    "apps.keys",
    "apps.billing",
    "apps.catalog",
    "apps.inference",
    "apps.monitoring",
    "apps.web",
]

MIDDLEWARE = [
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "apps.common.middleware.RequestIdMiddleware",
    "gatewayz.middleware.JsonErrorsMiddleware",
    "gatewayz.middleware.HeadMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "apps.common.middleware.AdminPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

AUTH_USER_MODEL = "accounts.User"
# Where a login leads that began at no page.
LOGIN_REDIRECT_URL = "admin:index"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Of dj-stripe. Its own migrations take a minute and a half; ours make the same tables at once.
DJSTRIPE_FOREIGN_KEY_TO_FIELD = "id"
MIGRATION_MODULES: dict[str, str | None] = {"djstripe": "gatewayz.stripe_mirror.migrations"}
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.SessionAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["apps.common.staff.StaffPermissions"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_PAGINATION_CLASS": "apps.common.staff.StaffPages",
    "EXCEPTION_HANDLER": "gatewayz.staff_api.answer_error",
}

UNFOLD = {
    "SITE_TITLE": "Gatewayz",
    "SITE_HEADER": "Gatewayz",
    "SITE_SUBHEADER": "Back office",
    "SITE_SYMBOL": "hub",
    # A function: Unfold tries to import every text with a dot in it, for each page, which takes a third of its time.
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda _: static("img/favicon.svg")}
    ],
}

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT: Path | None = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
# Embedded mode serves straight from the apps' static folders, so that a first run needs no collectstatic.
WHITENOISE_USE_FINDERS = env.is_embedded()
if WHITENOISE_USE_FINDERS:
    STATIC_ROOT = None
    STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}

# Served without TLS on a developer's machine; everywhere else BEHIND_TLS says that a proxy terminates it.
if env.flag("BEHIND_TLS"):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = True
    # Probes and scrapers come from inside, past the proxy.
    SECURE_REDIRECT_EXEMPT = [r"^health", r"^metrics$"]
    SECURE_HSTS_SECONDS = 31_536_000
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
SESSION_COOKIE_HTTPONLY = True
SECURE_REFERRER_POLICY = "same-origin"

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "object-src": [NONE],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "form-action": [SELF],
    },
}
