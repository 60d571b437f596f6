"""In whose words an error is told: each path of the API has an error envelope, that of the clients who ask there."""

from django.http import HttpRequest, JsonResponse

from apps.catalog.dialects import wire_of
from apps.catalog.providers.spec import Wire
from apps.common.errors import GatewayzError
from apps.inference.operations import find_surface
from apps.inference.protocols import dialect


def envelope(request: HttpRequest, error: GatewayzError) -> JsonResponse:
    wire = wire_at(request)
    request_id = request.META.get("gatewayz.request_id", "")
    body = dialect(wire).encode_error(error, request_id=request_id)
    response = JsonResponse(body, status=error.status, headers=error.headers())
    if wire is Wire.ANTHROPIC_MESSAGES:
        response["request-id"] = request_id  # where Anthropic's SDK looks for it
    return response


def wire_at(request: HttpRequest) -> Wire:
    """That of the surface, also when the path has a slash too much or names what is not there, as ``/v1/messages/batches``;
    at the models that of the client who reads them."""
    path = request.path.rstrip("/")
    if found := find_surface(path):
        surface, _ = found
        return surface.wire
    if f"{path}/".startswith("/v1beta/"):
        return Wire.GEMINI
    if path.startswith("/v1/messages/"):
        return Wire.ANTHROPIC_MESSAGES
    if f"{path}/".startswith("/v1/models/"):
        return wire_of(request.headers)
    return Wire.OPENAI_CHAT
