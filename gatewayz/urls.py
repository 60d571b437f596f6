"""Django's routes. The inference routes never come here: gatewayz.asgi answers them first."""

from typing import NoReturn

from django.contrib import admin
from django.http import Http404, HttpRequest, JsonResponse
from django.urls import path
from django.views.decorators.common import no_append_slash

from apps.catalog import staff as catalog
from apps.monitoring import views as monitoring
from apps.web import views as web
from gatewayz.api import api, google_api


@no_append_slash
def nothing(_request: HttpRequest) -> NoReturn:
    """The root of the API is only a name: /v1 is not redirected to it."""
    raise Http404


def document(_request: HttpRequest) -> JsonResponse:
    """The description of the API, also where tools look for it first."""
    return JsonResponse(api.get_openapi_schema())


v1 = api.urls
rankings = next(found.callback for found in v1[0] if str(found.pattern) == "ranking/models")
"""Also at the root, where earlier clients ask for it."""
assert rankings is not None

urlpatterns = [
    path("", web.home),
    path("health", monitoring.health),
    path("health/ready", monitoring.ready),
    path("metrics", monitoring.metrics),
    path("v1/", nothing),
    path("v1/", v1),
    path("openapi.json", document),
    path("admin/refresh-providers", catalog.refresh_providers),
    path("v1beta/", nothing),
    path("v1beta/", google_api.urls),
    path("ranking/models", rankings),
    path("admin/", admin.site.urls),
]
