"""Django middleware of our own: request ids, JSON errors on API paths, the content policy of the admin."""

from collections.abc import Callable

from csp.constants import SELF, UNSAFE_EVAL, UNSAFE_INLINE
from django.http import HttpRequest, HttpResponse, JsonResponse

from apps.common.errors import GatewayzError, InternalError, MethodNotAllowed, NotFound
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


class JsonErrorsMiddleware:
    """Unknown paths, wrong methods and crashes under /v1/ get the error envelope, as every other error there does."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if not request.path.startswith("/v1/") or response["content-type"].startswith(
            "application/json"
        ):
            return response
        if response.status_code == 404:
            return error_response(request, NotFound(f"There is no {request.path[:200]}."))
        if response.status_code == 405:
            refusal = error_response(
                request, MethodNotAllowed(f"{request.method} is not possible here.")
            )
            refusal["allow"] = response.get("allow", "")
            return refusal
        if response.status_code == 500:
            return error_response(request, InternalError("Something went wrong on our side."))
        return response


def error_response(request: HttpRequest, error: GatewayzError) -> JsonResponse:
    """The OpenAI error envelope, for everything that Django answers."""
    body = {
        "message": error.message,
        "type": error.type,
        "param": error.param,
        "code": error.code,
        "request_id": request.META.get("gatewayz.request_id", ""),
        **error.details,
    }
    return JsonResponse({"error": body}, status=error.status, headers=error.headers())


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
