"""Django's routes. The inference routes never come here: gatewayz.asgi answers them first."""

from django.contrib import admin
from django.urls import path

from apps.monitoring import views as monitoring
from apps.web import views as web
from gatewayz.api import api

v1 = api.urls
rankings = next(found.callback for found in v1[0] if str(found.pattern) == "ranking/models")
"""Also at the root, where earlier clients ask for it."""
assert rankings is not None

urlpatterns = [
    path("", web.home),
    path("health", monitoring.health),
    path("health/ready", monitoring.ready),
    path("metrics", monitoring.metrics),
    path("v1/", v1),
    path("ranking/models", rankings),
    path("admin/", admin.site.urls),
]
