"""Django middleware of our own: request ids and the content policy of the admin."""

from collections.abc import Callable

from csp.constants import SELF, UNSAFE_EVAL, UNSAFE_INLINE
from django.http import HttpRequest, HttpResponse

from apps.common.ids import new_id


class RequestIdMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request_id = new_id("req")
        request.META["gatewayz.request_id"] = request_id
        response = self.get_response(request)
        response["x-request-id"] = request_id
        return response


class AdminPolicyMiddleware:
    """Relaxes the Content-Security-Policy for /admin/ alone: its theme evaluates expressions in attributes."""

    policy = {
        "script-src": [SELF, UNSAFE_EVAL, UNSAFE_INLINE],
        "style-src": [SELF, UNSAFE_INLINE],
    }

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.path.startswith("/admin/"):
            response._csp_update = self.policy  # type: ignore[attr-defined] # django-csp reads it
        return response
