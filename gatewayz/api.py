"""The user API under /v1: one NinjaAPI, a router per app, every route behind a key unless it says otherwise.

A second one under /v1beta holds what Google's clients read, a third under /api/stripe how credit is bought.
"""

from django.http import HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError

from apps.accounts.plans_api import router as plans
from apps.billing.api import router as billing
from apps.billing.cards_api import router as cards
from apps.billing.codes_api import router as codes
from apps.billing.payments_api import router as payments
from apps.billing.subscriptions_api import router as subscriptions
from apps.billing.trials_api import router as trials
from apps.catalog.api import router as catalog
from apps.catalog.google_api import router as google
from apps.catalog.providers_api import router as providers
from apps.common.errors import GatewayzError, InvalidRequest
from apps.inference.api import router as inference
from apps.inference.budgets_api import router as budgets
from apps.inference.models_api import router as observed_models
from apps.inference.plan_usage_api import router as plan_usage
from apps.inference.provider_keys_api import router as provider_keys
from apps.inference.quotes_api import router as quotes
from apps.inference.statistics_api import router as statistics
from apps.keys.api import router as keys
from apps.keys.auth import KeyAuth
from apps.monitoring.activity_api import router as activity
from apps.monitoring.api import router as usage
from gatewayz.envelopes import envelope
from gatewayz.openapi import DocumentedAPI

api = DocumentedAPI(
    title="Gatewayz",
    version="1",
    description="One API key, every model, automatic reliability, one bill. Every path is also served without its `/v1`.",
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
    provider_keys,
    plans,
    plan_usage,
    trials,
    codes,
    budgets,
    usage,
    activity,
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

stripe_api = NinjaAPI(
    title="Payments",
    auth=KeyAuth(),
    docs_url=None,
    openapi_url=None,
    urls_namespace="stripe",
)
for router in (payments, cards, subscriptions):
    stripe_api.add_router("", router)
api.beside = {google_api: "GoogleErrorBody", stripe_api: "ErrorBody"}


@api.exception_handler(GatewayzError)
@google_api.exception_handler(GatewayzError)
@stripe_api.exception_handler(GatewayzError)
def answer_error(request: HttpRequest, error: GatewayzError | type[GatewayzError]) -> HttpResponse:
    assert isinstance(error, GatewayzError)
    return envelope(request, error)


@api.exception_handler(HttpError)
@stripe_api.exception_handler(HttpError)
def answer_unreadable_body(
    request: HttpRequest, error: HttpError | type[HttpError]
) -> HttpResponse:
    """What ninja refuses before it looks at any field."""
    return envelope(request, InvalidRequest("The body is not valid JSON.", code="invalid_json"))


@api.exception_handler(ValidationError)
@google_api.exception_handler(ValidationError)
@stripe_api.exception_handler(ValidationError)
def answer_validation_error(
    request: HttpRequest, error: ValidationError | type[ValidationError]
) -> HttpResponse:
    assert isinstance(error, ValidationError)
    return envelope(request, refusal_of(error))


def refusal_of(error: ValidationError) -> InvalidRequest:
    """What pydantic says of the first field that is wrong, in the words and spelling of our own checks."""
    first = error.errors[0]
    # Ahead of the field's path stands where it was sent; in a body also the name of the handler's argument.
    start = 2 if first["loc"][0] == "body" else 1
    path = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in first["loc"][start:])
    param = path.removeprefix(".") or None
    what = f"'{param}'" if param else "The body"
    if first["type"] == "missing":
        return InvalidRequest(f"{what} is missing.", param=param, code="missing_field")
    told = first["msg"].removeprefix("Input ").removeprefix("List ")
    return InvalidRequest(f"{what} {told}.", param=param, code="invalid_value")
