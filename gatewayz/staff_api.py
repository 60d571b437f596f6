"""The staff API: a session of staff, the CSRF token, JSON. A router per app, mounted beside the admin and ahead of it.

Errors have the envelope of the API.
"""

from collections.abc import Mapping
from typing import Any

from django.http import Http404, HttpResponse
from rest_framework import exceptions
from rest_framework.routers import SimpleRouter
from rest_framework.views import set_rollback

from apps.accounts.staff_api import AssignPlanViewSet, EmailDomainRuleViewSet
from apps.billing.staff_api import (
    CouponViewSet,
    PartnerOfferViewSet,
    RedemptionBatchViewSet,
    ReferralViewSet,
    TrialViewSet,
)
from apps.common.errors import (
    GatewayzError,
    InvalidRequest,
    MethodNotAllowed,
    NotFound,
    PermissionDenied,
)
from apps.monitoring.staff_api import (
    DriftAlertViewSet,
    UsageComparisonViewSet,
    UsageExportViewSet,
)
from gatewayz.envelopes import envelope

router = SimpleRouter(trailing_slash=False, use_regex_path=False)
router.register("coupons", CouponViewSet, basename="staff-coupon")
router.register("redemption-batches", RedemptionBatchViewSet, basename="staff-redemption-batch")
router.register("trials", TrialViewSet, basename="staff-trial")
router.register("partner-offers", PartnerOfferViewSet, basename="staff-partner-offer")
router.register("referrals", ReferralViewSet, basename="staff-referral")
router.register("assign-plan", AssignPlanViewSet, basename="staff-assign-plan")
router.register("email-domain-rules", EmailDomainRuleViewSet, basename="staff-email-domain-rule")
router.register("usage-exports", UsageExportViewSet, basename="staff-usage-export")
router.register("usage-comparisons", UsageComparisonViewSet, basename="staff-usage-comparison")
router.register("drift-alerts", DriftAlertViewSet, basename="staff-drift-alert")

PREFIXES = frozenset(f"/admin/{prefix}" for prefix, _, _ in router.registry)


def is_staff_api(path: str) -> bool:
    return "/".join(path.split("/", 3)[:3]) in PREFIXES


def answer_error(error: Exception, context: Mapping[str, Any]) -> HttpResponse | None:
    """None for what is a mistake of ours: the middleware tells that."""
    told = _told(error, context["request"])
    if told is None:
        return None
    set_rollback()
    return envelope(context["request"]._request, told)


def _told(error: Exception, request: Any) -> GatewayzError | None:
    match error:
        case GatewayzError():
            return error
        case exceptions.ValidationError():
            return _refusal_of(error.detail)
        case exceptions.ParseError():
            return InvalidRequest("The body is not valid JSON.", code="invalid_json")
        case exceptions.UnsupportedMediaType():
            return InvalidRequest("Send JSON, with its content type.", param="content-type")
        case exceptions.MethodNotAllowed():
            return MethodNotAllowed(f"{request.method} is not possible here.")
        case Http404() | exceptions.NotFound():
            return NotFound(f"There is no {request.path[:200]}.")
        case exceptions.APIException(status_code=401 | 403):
            return PermissionDenied("Only for staff with the right to do this, with a CSRF token.")
        case _:
            return None


def _refusal_of(detail: Any) -> InvalidRequest:
    """The first field that is wrong, by its path."""
    path = ""
    while not isinstance(detail, exceptions.ErrorDetail):
        if isinstance(detail, dict):
            name, detail = next(iter(detail.items()))
            path += f".{name}" if name != "non_field_errors" else ""
        else:
            detail = detail[0]
    param = path.removeprefix(".") or None
    what = f"'{param}': " if param else ""
    code = "missing_field" if detail.code == "required" else "invalid_value"
    return InvalidRequest(f"{what}{detail}", param=param, code=code)
