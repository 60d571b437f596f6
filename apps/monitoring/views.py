"""/health, /health/ready and /metrics: for load balancers, orchestrators and Prometheus."""

import hmac
from typing import Any

import prometheus_client
import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe
from prometheus_client import multiprocess

from apps.catalog.selectors import catalog
from apps.common import clock
from apps.common.db import to_iso
from apps.monitoring.metrics import stored


@csrf_exempt
@require_safe
def health(request: HttpRequest) -> JsonResponse:
    """Liveness: the process answers. Always 200."""
    return JsonResponse({"status": "ok", "timestamp": to_iso(clock.now())})


@csrf_exempt
@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """Readiness: 503 unless what requests need is there."""
    checks = {"database": _database(), "catalogue": _catalogue()}
    if settings.REDIS_URL:
        checks["redis"] = _redis()
    is_ready = checks["database"] == "ok" and checks["catalogue"] == "ok"
    body: dict[str, Any] = {"status": "ready" if is_ready else "not ready", "checks": checks}
    return JsonResponse(body, status=200 if is_ready else 503)


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            cursor.fetchone()
    except DatabaseError:
        return "unreachable"
    return "ok"


def _catalogue() -> str:
    try:
        return "ok" if catalog.get().listed() else "no model can be served"
    except DatabaseError:
        return "unreachable"


def _redis() -> str:
    """Away is no reason to take the process out: limits then run in the process."""
    try:
        client = redis.Redis.from_url(
            settings.REDIS_URL, socket_timeout=0.5, socket_connect_timeout=0.5
        )
        with client:
            client.ping()
    except redis.RedisError:
        return "unreachable"
    return "ok"


@csrf_exempt
@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus text. From loopback without a token; from elsewhere with ``Authorization: Bearer <METRICS_TOKEN>``."""
    if not _may_read_metrics(request):
        return HttpResponse("metrics: not allowed\n", status=403, content_type="text/plain")
    registry: Any = prometheus_client.REGISTRY
    if settings.WEB_CONCURRENCY > 1:
        registry = prometheus_client.CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        registry.register(stored)
    return HttpResponse(
        prometheus_client.generate_latest(registry),
        content_type=prometheus_client.CONTENT_TYPE_LATEST,
    )


def _may_read_metrics(request: HttpRequest) -> bool:
    token = settings.METRICS_TOKEN
    sent = request.headers.get("authorization", "").removeprefix("Bearer ")
    if token and hmac.compare_digest(sent.encode(), token.encode()):
        return True
    # A proxy on this host speaks for somebody else.
    forwarded = "x-forwarded-for" in request.headers or "forwarded" in request.headers
    return not forwarded and request.META.get("REMOTE_ADDR") in {"127.0.0.1", "::1"}
