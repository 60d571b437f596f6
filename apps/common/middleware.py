"""Django middleware of our own: the request id on every answer."""

from collections.abc import Callable

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
