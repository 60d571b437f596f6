"""Django middleware that knows the routes: errors of Django itself become the envelope on the paths of the API."""

from collections.abc import Callable

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import is_valid_path

from apps.common.errors import (
    GatewayzError,
    InternalError,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
)
from apps.common.middleware import error_response
from apps.inference.operations import BY_PATH, find_surface, is_api
from apps.inference.protocols import dialect


class JsonErrorsMiddleware:
    """Unknown paths, wrong methods, foreign hosts and crashes get the envelope that every other error of the API has.

    Stands before all that can refuse a request. The headers of the page that it rewrites are kept.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        is_json = response.get("content-type", "").startswith("application/json")
        if is_json or not is_api(request.path):
            return response
        error = error_behind(request, response.status_code)
        if error is not None:
            answer = envelope(request, error)
            response.content = answer.content
            for name, value in answer.items():
                response[name] = value
            response["content-length"] = str(len(answer.content))
        return response


def envelope(request: HttpRequest, error: GatewayzError) -> JsonResponse:
    """In the dialect of the path: a foreign host is refused here on the inference routes too."""
    found = find_surface(request.path)
    if found is None:
        return error_response(request, error)
    surface, _ = found
    request_id = request.META.get("gatewayz.request_id", "")
    body = dialect(surface.wire).encode_error(error, request_id=request_id)
    return JsonResponse(body, status=error.status, headers=error.headers())


def error_behind(request: HttpRequest, status: int) -> GatewayzError | None:
    """What Django's own error page stands for; None when it is no error."""
    match status:
        case 400:
            return InvalidRequest(reason_of_400(request))
        case 404:
            return NotFound(f"There is no {request.path[:200]}.{hint(request.path)}")
        case 405:
            return MethodNotAllowed(f"{request.method} is not possible here.")
        case 500:
            return InternalError("Something went wrong on our side.")
        case _:
            return None


def reason_of_400(request: HttpRequest) -> str:
    try:
        request.get_host()
    except DisallowedHost:
        return "The gateway does not answer to this host name; the setting ALLOWED_HOSTS lists its own."
    return "The request is malformed."


def hint(path: str) -> str:
    """The path without the slash that should not be there, when there is such a path."""
    right = path.rstrip("/")
    found = right != path and (right in BY_PATH or is_valid_path(right))
    return f" Leave out the slash at the end: {right[:200]}." if found else ""
