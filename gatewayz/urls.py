"""Django's routes. The inference routes never come here: gatewayz.asgi answers them first."""

from functools import cache
from typing import NoReturn

import orjson
from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import include, path
from django.views.decorators.common import no_append_slash
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe

from apps.billing.webhooks import stripe_webhook
from apps.catalog import staff as catalog
from apps.common.conditional import answer
from apps.common.prepared import Prepared
from apps.monitoring import views as monitoring
from apps.web import views as web
from gatewayz.api import api, google_api, stripe_api
from gatewayz.staff_api import router as staff_api


@csrf_exempt
@no_append_slash
def nothing(_request: HttpRequest) -> NoReturn:
    """The root of an API is only a name: /v1 is not redirected to it."""
    raise Http404


@cache
def prepared_document() -> Prepared:
    return Prepared(orjson.dumps(api.get_openapi_schema(), option=orjson.OPT_NON_STR_KEYS))


@csrf_exempt
@require_safe
def document(request: HttpRequest) -> HttpResponse:
    """The description of the API, also where tools look for it first."""
    return answer(request, prepared_document())


urlpatterns = [
    path("", web.home),
    path("health", monitoring.health),
    path("health/ready", monitoring.ready),
    path("metrics", monitoring.metrics),
    path("v1/", nothing),
    path("v1/openapi.json", document),  # ahead of ninja's own, which makes it anew for everybody
    path("v1/", api.urls),
    path("openapi.json", document),
    path("admin/refresh-providers", catalog.refresh_providers),
    path("admin/", include(staff_api.urls)),
    path("v1beta/", nothing),
    path("v1beta/", google_api.urls),
    path("api/stripe/", nothing),
    path("api/stripe/webhook", stripe_webhook),
    path("api/stripe/", stripe_api.urls),
    path("admin/", admin.site.urls),
]
