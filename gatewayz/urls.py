"""Django's routes. The inference routes never come here: gatewayz.asgi answers them first."""

from django.contrib import admin
from django.urls import path

from apps.monitoring import views as monitoring
from apps.web import views as web
from gatewayz.api import api, google_api

urlpatterns = [
    path("", web.home),
    path("health", monitoring.health),
    path("health/ready", monitoring.ready),
    path("metrics", monitoring.metrics),
    path("v1/", api.urls),
    path("v1beta/", google_api.urls),
    path("admin/", admin.site.urls),
]
