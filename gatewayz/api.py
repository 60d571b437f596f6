"""The user API under /v1: one NinjaAPI, a router per app, every route behind a key unless it says otherwise.

A second one under /v1beta holds what Google's clients read.
"""

from django.http import HttpRequest, HttpResponse, JsonResponse
from ninja import NinjaAPI
from ninja.errors import ValidationError

from apps.billing.api import router as billing
from apps.catalog.api import router as catalog
from apps.catalog.dialects import wire_of
from apps.catalog.google_api import router as google
from apps.catalog.providers.spec import Wire
from apps.catalog.providers_api import router as providers
from apps.common.errors import GatewayzError, InvalidRequest
from apps.common.middleware import error_response
from apps.inference.api import router as inference
from apps.inference.models_api import router as observed_models
from apps.inference.protocols import dialect
from apps.inference.quotes_api import router as quotes
from apps.inference.statistics_api import router as statistics
from apps.keys.api import router as keys
from apps.keys.auth import KeyAuth
from gatewayz.openapi import DocumentedAPI

api = DocumentedAPI(
    title="Gatewayz",
    version="1",
    description="One API key, every model, automatic reliability, one bill.",
    auth=KeyAuth(),
    docs_url="/docs",
    openapi_url="/openapi.json",
    urls_namespace="v1",
)
# Fixed names before ids: the routes of the catalogue end in one that takes any id.
for router in (
    observed_models,
    catalog,
    providers,
    statistics,
    billing,
    keys,
    inference,
    quotes,
):
    api.add_router("", router)

google_api = NinjaAPI(
    title="Gatewayz in Google's format",
    auth=KeyAuth(),
    docs_url=None,
    openapi_url=None,
    urls_namespace="v1beta",
)
google_api.add_router("", google)


@api.exception_handler(GatewayzError)
@google_api.exception_handler(GatewayzError)
def answer_error(request: HttpRequest, error: GatewayzError | type[GatewayzError]) -> HttpResponse:
    """In OpenAI's envelope, on the models routes in that of the client who reads them."""
    assert isinstance(error, GatewayzError)
    wire = Wire.OPENAI_CHAT
    if request.path.startswith("/v1beta/"):
        wire = Wire.GEMINI
    elif request.path.startswith("/v1/models"):
        wire = wire_of(request.headers)
    if wire is Wire.OPENAI_CHAT:
        return error_response(request, error)
    request_id = request.META.get("gatewayz.request_id", "")
    body = dialect(wire).encode_error(error, request_id=request_id)
    return JsonResponse(body, status=error.status, headers=error.headers())


@api.exception_handler(ValidationError)
@google_api.exception_handler(ValidationError)
def answer_validation_error(
    request: HttpRequest, error: ValidationError | type[ValidationError]
) -> HttpResponse:
    assert isinstance(error, ValidationError)
    first = error.errors[0]
    param = ".".join(str(part) for part in first["loc"][1:])
    code = "missing_field" if first["type"] == "missing" else "invalid_value"
    return answer_error(
        request, InvalidRequest(f"'{param}': {first['msg']}.", param=param, code=code)
    )
