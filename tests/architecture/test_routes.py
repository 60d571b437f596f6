"""Deny by default: every route stands in one table with its authentication, and the ones behind a key refuse without."""

from typing import Any

import httpx
import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from apps.inference.operations import SURFACES
from gatewayz.api import api, google_api, stripe_api
from gatewayz.staff_api import PREFIXES
from gatewayz.staff_api import router as staff_api

PUBLIC, KEY, STAFF = "public", "key", "staff"

# A new route fails the first test until it is declared here.
ROUTES = {
    "/": PUBLIC,
    "/health": PUBLIC,
    "/health/ready": PUBLIC,
    "/metrics": PUBLIC,  # numbers only, from loopback or with METRICS_TOKEN: apps.monitoring.views
    "/v1/": PUBLIC,  # ninja's root, which is only a name: 404
    "/v1/openapi.json": PUBLIC,
    "/openapi.json": PUBLIC,
    "/v1/docs": PUBLIC,
    "/v1/models": PUBLIC,
    "/v1/models/trending": PUBLIC,
    "/v1/models/low-latency": PUBLIC,
    "/v1/models/offerings": PUBLIC,
    "/v1/models/unique": PUBLIC,
    "/v1/models/<path:model_id>/endpoints": PUBLIC,
    "/v1/models/search": PUBLIC,
    "/v1/models/categories": PUBLIC,
    "/v1/models/by-category/<category>": PUBLIC,
    "/v1/models/compare": PUBLIC,
    "/v1/models/batch-compare": PUBLIC,
    "/v1/models/<path:model_id>/compare": PUBLIC,
    "/v1/models/<path:model_id>": PUBLIC,
    "/v1beta/": PUBLIC,  # ninja's root again
    "/v1beta/models": PUBLIC,
    "/v1beta/models/<path:model_id>": PUBLIC,
    "/v1/providers": PUBLIC,
    "/v1/provider": PUBLIC,
    "/v1/provider/<slug>": PUBLIC,
    "/v1/provider/<slug>/stats": PUBLIC,
    "/v1/provider/<slug>/top-models": PUBLIC,
    "/v1/gateways": PUBLIC,
    "/v1/gateways/status": PUBLIC,
    "/v1/gateways/summary": PUBLIC,
    "/v1/gateway/<slug>/stats": PUBLIC,
    "/v1/routers": PUBLIC,
    "/v1/ranking/models": PUBLIC,
    "/v1/plans": PUBLIC,
    "/v1/plans/<plan>": PUBLIC,
    "/v1/subscription/plans": PUBLIC,
    "/v1/partner-trials/config/<code>": PUBLIC,
    "/v1/partner-trials/check/<code>": PUBLIC,
    "/v1/user/plan": KEY,
    "/v1/user/plan/usage": KEY,
    "/v1/user/plan/entitlements": KEY,
    "/v1/trial/start": KEY,
    "/v1/trial/status": KEY,
    "/v1/partner-trials/start": KEY,
    "/v1/partner-trials/status": KEY,
    "/v1/partner-trials/daily-limit": KEY,
    "/v1/coupons/redeem": KEY,
    "/v1/coupons/available": KEY,
    "/v1/coupons/history": KEY,
    "/v1/redemption-codes/redeem": KEY,
    "/v1/referral/code": KEY,
    "/v1/referral/generate": KEY,
    "/v1/referral/stats": KEY,
    "/v1/referral/validate": KEY,
    "/v1/referral/apply": KEY,
    "/api/stripe/": PUBLIC,  # and again
    "/api/stripe/webhook": PUBLIC,  # signed by Stripe: tests/billing/test_webhook.py
    "/api/stripe/credit-packages": PUBLIC,
    "/api/stripe/checkout-session": KEY,
    "/api/stripe/checkout-session/<session_id>": KEY,
    "/api/stripe/payment-intent": KEY,
    "/api/stripe/payment-intent/<intent_id>": KEY,
    "/api/stripe/payments": KEY,
    "/api/stripe/payments/<payment_id>": KEY,
    "/api/stripe/payments/<payment_id>/receipt": KEY,
    "/api/stripe/refund": KEY,
    "/api/stripe/cards": KEY,
    "/api/stripe/cards/<card_id>": KEY,
    "/api/stripe/cards/<card_id>/default": KEY,
    "/api/stripe/tax-ids": KEY,
    "/api/stripe/tax-ids/<tax_id>": KEY,
    "/api/stripe/auto-top-up": KEY,
    "/api/stripe/subscription-checkout": KEY,
    "/api/stripe/subscription-checkout/<subscription_id>": KEY,
    "/api/stripe/subscription": KEY,
    "/api/stripe/subscription/preview": KEY,
    "/api/stripe/subscription/upgrade": KEY,
    "/api/stripe/subscription/downgrade": KEY,
    "/api/stripe/subscription/cancel": KEY,
    "/api/stripe/subscription/resume": KEY,
    "/api/stripe/portal-session": KEY,
    "/api/stripe/invoices": KEY,
    "/api/stripe/invoices/<invoice_id>": KEY,
    "/v1/credits": KEY,
    "/v1/user/credit-transactions": KEY,
    "/v1/user/statements/<day>": KEY,
    "/v1/user/usage": KEY,
    "/v1/user/usage/summary": KEY,
    "/v1/user/usage/what-if": KEY,
    "/v1/user/activity/stats": KEY,
    "/v1/user/activity/log": KEY,
    "/v1/key": KEY,
    "/v1/key/budgets": KEY,
    "/v1/user/budgets": KEY,
    "/v1/user/budgets/<budget_id>": KEY,
    "/v1/generation": KEY,
    "/v1/generation/receipt": KEY,
    "/v1/.well-known/jwks.json": PUBLIC,
    "/v1/user/provider-keys": KEY,
    "/v1/user/provider-keys/<slug>": KEY,
    "/v1/quote": KEY,
    "/v1/route": KEY,
    "/v1/responses": KEY,
    "/v1/responses/<response_id>": KEY,
    "/v1/responses/<response_id>/input_items": KEY,
    "/v1/chat/completions": KEY,
    "/v1/messages": KEY,
    "/v1/messages/count_tokens": KEY,
    "/v1/completions": KEY,
    "/v1/models/{model}:generateContent": KEY,
    "/v1/models/{model}:streamGenerateContent": KEY,
    "/v1/models/{model}:countTokens": KEY,
    "/v1beta/models/{model}:generateContent": KEY,
    "/v1beta/models/{model}:streamGenerateContent": KEY,
    "/v1beta/models/{model}:countTokens": KEY,
    "/v1/embeddings": KEY,
    "/v1/images/generations": KEY,
    "/v1/images/edits": KEY,
    "/v1/audio/transcriptions": KEY,
    "/v1/audio/speech": KEY,
    "/v1/rerank": KEY,
    "/v1/moderations": KEY,
    "/admin/": STAFF,  # and everything below it
}
SURFACE_PATHS = {path for surface in SURFACES for path in surface.paths}
INFERENCE = sorted(path.replace("{model}", "sandbox/echo") for path in SURFACE_PATHS)
DJANGO_BEHIND_A_KEY = sorted({path for path, who in ROUTES.items() if who == KEY} - SURFACE_PATHS)
POSTED = {
    "/v1/quote",
    "/v1/route",
    "/v1/trial/start",
    "/v1/partner-trials/start",
    "/v1/coupons/redeem",
    "/v1/redemption-codes/redeem",
    "/v1/referral/generate",
    "/v1/referral/validate",
    "/v1/referral/apply",
    "/api/stripe/checkout-session",
    "/api/stripe/payment-intent",
    "/api/stripe/refund",
    "/api/stripe/cards/<card_id>/default",
    "/api/stripe/subscription-checkout",
    "/api/stripe/subscription/preview",
    "/api/stripe/subscription/upgrade",
    "/api/stripe/subscription/downgrade",
    "/api/stripe/subscription/cancel",
    "/api/stripe/subscription/resume",
    "/api/stripe/portal-session",
}
"""Routes of Django's that are posted to; the others are read."""
DELETED = {
    "/v1/user/provider-keys/<slug>",
    "/api/stripe/cards/<card_id>",
    "/api/stripe/tax-ids/<tax_id>",
}
"""Those that can only be deleted."""
OPEN_TO_STRANGERS_IN_ADMIN = {"/admin/login/"}


def walk(patterns: list[Any], prefix: str = "/") -> list[str]:
    found: list[str] = []
    for pattern in patterns:
        path = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            found += walk(pattern.url_patterns, path)
        else:
            assert isinstance(pattern, URLPattern)
            found.append(path)
    return found


DJANGO_ROUTES = walk(get_resolver().url_patterns)
STAFF_API = {
    "/admin/assign-plan",
    "/admin/coupons",
    "/admin/coupons/<str:pk>",
    "/admin/coupons/<str:pk>/analytics",
    "/admin/coupons/stats/overview",
    "/admin/drift-alerts",
    "/admin/drift-alerts/<str:pk>",
    "/admin/drift-alerts/<str:pk>/handle",
    "/admin/email-domain-rules",
    "/admin/email-domain-rules/<str:pk>",
    "/admin/partner-offers",
    "/admin/partner-offers/<str:pk>",
    "/admin/partner-offers/<str:pk>/analytics",
    "/admin/redemption-batches",
    "/admin/redemption-batches/<str:pk>",
    "/admin/referrals",
    "/admin/referrals/<str:pk>",
    "/admin/trials",
    "/admin/trials/<str:pk>",
    "/admin/trials/<str:pk>/expire",
    "/admin/trials/<str:pk>/extend",
    "/admin/trials/analytics",
    "/admin/usage-comparisons",
    "/admin/usage-comparisons/<str:pk>",
    "/admin/usage-exports",
    "/admin/usage-exports/<str:pk>",
    "/admin/usage-exports/<str:pk>/withdraw",
}
"""For staff with the permission of the model: a session and the CSRF token. All others get 403."""
STAFF_JSON = {"/admin/refresh-providers", *STAFF_API}
"""Answers 403 instead of a page to log in at; the first one: tests/catalog/test_staff.py."""
ADMIN_PAGES = [
    path
    for path in DJANGO_ROUTES
    if path.startswith("/admin/") and not set("<(^") & set(path) and path not in STAFF_JSON
]


def test_every_route_is_declared_when_the_urls_are_walked():
    served = {"/admin/" if path.startswith("/admin/") else path for path in DJANGO_ROUTES}

    assert served | SURFACE_PATHS == set(ROUTES)


def test_ninja_operation_has_the_declared_authentication_when_walked():
    found = {
        prefix + path.replace("{", "<").replace("}", ">"): (
            PUBLIC if operation.auth_param is None else KEY
        )
        for prefix, whole in (
            ("/v1", api),
            ("/v1beta", google_api),
            ("/api/stripe", stripe_api),
        )
        for _, router in whole._routers
        for path, view in router.path_operations.items()
        for operation in view.operations
    }

    assert api.auth is not None
    assert google_api.auth is not None
    assert stripe_api.auth is not None
    assert found == {path: ROUTES[path] for path in found}


@pytest.mark.parametrize("path", DJANGO_BEHIND_A_KEY)
def test_django_route_answers_401_when_there_is_no_key(client, path):
    method = "POST" if path in POSTED else "DELETE" if path in DELETED else "GET"

    response = client.generic(method, path)

    assert response.status_code == 401
    assert response.json()["error"]["code"] == "missing_api_key"


@pytest.mark.parametrize("path", INFERENCE)
def test_inference_route_answers_401_when_there_is_no_key(gateway, path):
    response = httpx.post(gateway.url + path, json={}, verify=False)

    assert response.status_code == 401
    assert '"missing_api_key"' in response.text


@pytest.mark.django_db
@pytest.mark.parametrize("path", ADMIN_PAGES)
def test_admin_page_sends_strangers_to_the_login_when_asked(client, path):
    response = client.get(path)

    if path in OPEN_TO_STRANGERS_IN_ADMIN:
        assert response.status_code == 200
        return
    assert response.status_code == 302
    assert response.headers["location"].startswith("/admin/")


def test_every_route_of_the_staff_api_is_declared_when_walked():
    assert set(walk(staff_api.urls, "/admin/")) == STAFF_API
    assert {"/".join(path.split("/")[:3]) for path in STAFF_API} == PREFIXES


STAFF_OPERATIONS = sorted(
    (method, f"/admin/{pattern.pattern}".replace("<str:pk>", "1"))
    for pattern in staff_api.urls
    for method in pattern.callback.actions  # type: ignore[union-attr]
)


@pytest.mark.django_db
@pytest.mark.parametrize("who", ["stranger", "customer", "staff without the permission"])
@pytest.mark.parametrize(("method", "path"), STAFF_OPERATIONS, ids=" ".join)
def test_staff_operation_refuses_all_without_the_permission(client, method, path, who):
    if who != "stranger":
        user = get_user_model().objects.create_user(
            "erin@example.com", "pw", is_staff=who != "customer"
        )
        if who == "customer":  # the permission alone is not enough
            user.user_permissions.set(Permission.objects.all())
        client.force_login(user)

    response = client.generic(method.upper(), path, b"{}", content_type="application/json")

    assert response.status_code == 403
    assert response.json()["error"]["code"] == "permission_denied"


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/admin/coupons", "/admin/assign-plan"])
def test_staff_operation_refuses_when_the_csrf_token_is_missing(path):
    client = Client(enforce_csrf_checks=True)
    client.force_login(get_user_model().objects.create_superuser("dave@example.com", "pw"))

    response = client.post(path, {}, content_type="application/json")

    assert response.status_code == 403
    assert response.json()["error"]["code"] == "permission_denied"


@pytest.mark.django_db
def test_metrics_refuse_when_asked_from_elsewhere(client):
    response = client.get("/metrics", REMOTE_ADDR="203.0.113.9")

    assert response.status_code == 403
