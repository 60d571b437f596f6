"""Django middleware that knows the routes: errors of Django itself become the envelope on the paths of the API."""

from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import DisallowedHost, RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from django.urls import is_valid_path

from apps.common.errors import (
    BodyTooLarge,
    EncodedBody,
    GatewayzError,
    InternalError,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    PermissionDenied,
    refuse_encoded,
)
from apps.inference.operations import BY_PATH, is_api
from gatewayz.envelopes import envelope
from gatewayz.staff_api import is_staff_api

FOR_OPERATORS = frozenset({"/health", "/health/ready", "/admin/refresh-providers"})
"""Speak JSON as the API does, to those who run the gateway."""


CHANGING = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class JsonErrorsMiddleware:
    """Unknown paths, wrong methods, foreign hosts and crashes get the envelope that every other error of the API has.

    Stands before all that can refuse a request. The headers of the page that it rewrites are kept.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        is_json = response.get("content-type", "").startswith("application/json")
        if is_json or not speaks_json(request.path):
            return response
        error = error_behind(request, response.status_code)
        if error is not None:
            answer = envelope(request, error)
            response.content = answer.content
            for name, value in answer.items():
                response[name] = value
            response["content-length"] = str(len(answer.content))
        return response

    def process_view(self, request: HttpRequest, *_view: object) -> HttpResponse | None:
        """A body that is compressed would only be called no JSON."""
        if request.method in CHANGING and speaks_json(request.path):
            try:
                refuse_encoded(request.headers.get("content-encoding"))
            except EncodedBody as error:
                return envelope(request, error)
        return None

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Views outside ninja raise our errors too; and Django's own limit of bodies has a status of ours."""
        if isinstance(error, RequestDataTooBig):
            most = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
            error = BodyTooLarge(f"The body is larger than {most:,} bytes.")
        return envelope(request, error) if isinstance(error, GatewayzError) else None


class HeadMiddleware:
    """HEAD is possible where GET is, with the same headers; the server leaves the body out. Ninja knows only GET."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.method == "HEAD" and is_api(request.path):
            request.method = "GET"
        response = self.get_response(request)
        allowed = response.get("allow", "").split(", ")
        if "GET" in allowed and "HEAD" not in allowed:
            response["allow"] = ", ".join(sorted([*allowed, "HEAD"]))
        return response


def speaks_json(path: str) -> bool:
    return is_api(path) or path.rstrip("/") in FOR_OPERATORS or is_staff_api(path)


def error_behind(request: HttpRequest, status: int) -> GatewayzError | None:
    """What Django's own error page stands for; None when it is no error."""
    match status:
        case 400:
            return InvalidRequest(reason_of_400(request))
        case 403:
            return PermissionDenied("Only for staff with the right to do this, with a CSRF token.")
        case 404:
            return NotFound(f"There is no {request.path[:200]}.{hint(request.path)}")
        case 405:
            return MethodNotAllowed(f"{request.META['REQUEST_METHOD']} is not possible here.")
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
