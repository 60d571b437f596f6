"""The composition root: settings, ASGI, routes, jobs. Imports every app; no app imports it."""

from gatewayz.celery import app as celery_app

__all__ = ["celery_app"]
