"""The user API under /v1: one NinjaAPI, a router per app, every route behind a key unless it says otherwise."""

from django.http import HttpRequest, HttpResponse
from ninja.errors import ValidationError

from apps.billing.api import router as billing
from apps.catalog.api import router as catalog
from apps.common.errors import GatewayzError, InvalidRequest
from apps.common.middleware import error_response
from apps.inference.api import router as inference
from apps.inference.quotes_api import router as quotes
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
for router in (catalog, billing, keys, inference, quotes):
    api.add_router("", router)


@api.exception_handler(GatewayzError)
def answer_error(request: HttpRequest, error: GatewayzError | type[GatewayzError]) -> HttpResponse:
    assert isinstance(error, GatewayzError)
    return error_response(request, error)


@api.exception_handler(ValidationError)
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
