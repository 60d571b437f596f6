"""Every error that a client can meet, and what it means over HTTP.

Errors know their status, code and whether a retry can help; nothing else maps errors to HTTP.
Messages are ours: no upstream body, key, URL or trace ever becomes part of one.

    GatewayzError
    ├── Unauthenticated        401  missing_api_key | invalid_api_key | api_key_revoked | api_key_expired
    ├── PermissionDenied       403  permission_denied
    │   └── TrialRefused       403  trial_already_used | email_not_verified | email_not_allowed
    ├── InvalidRequest         400  invalid_request and its narrower codes; names the field in ``param``
    │   ├── CodeRefused        400  code_expired | code_used_up | code_not_yours | … of coupons, referrals and their like
    │   ├── ContextTooLong     400  context_length_exceeded
    │   ├── ModelNotPriced     400  model_not_priced
    │   └── ContentRejected    400  content_policy_violation
    ├── ModelNotFound          404  model_not_found
    ├── NotFound               404  not_found
    ├── MethodNotAllowed       405  method_not_allowed
    ├── BodyTooLarge           413  request_too_large
    ├── EncodedBody            415  unsupported_encoding
    ├── IdempotencyInFlight    409  idempotency_in_flight
    ├── AnswerNotKept          409  idempotency_not_kept
    ├── IdempotencyMismatch    422  idempotency_mismatch
    ├── InsufficientCredits    402  insufficient_credits (needed_usd, available_usd; never retried)
    │   └── TrialExpired       402  trial_expired: the trial was all the credit there was, and it has ended
    │   └── SpendingFrozen     402  spending_frozen
    ├── PaymentDeclined        402  payment_declined
    ├── BudgetExceeded         402  budget_exceeded (needed_usd, remaining_usd, resets_at; never retried)
    ├── CostLimitReached       402  max_cost_reached (only in the middle of an answer)
    ├── RateLimited            429  rate_limit_exceeded | token_limit_exceeded | concurrency_limit_exceeded
    ├── UpstreamInvalid        502  upstream_error
    ├── AllProvidersFailed     503  all_providers_failed
    ├── UpstreamTimeout        504  upstream_timeout
    ├── ServiceUnavailable     503  service_unavailable
    │   ├── Overloaded         503  overloaded
    │   ├── EventNotProcessed  503  event_not_processed
    │   └── PaymentsNotConfigured 503  payments_not_configured
    └── InternalError          500  internal_error
"""

from typing import Any

from typing_extensions import override


class GatewayzError(Exception):
    """Base of all errors that may be shown to a client."""

    status = 500
    code = "internal_error"
    type = "api_error"
    retryable = False
    """Whether the same request may succeed when sent again; becomes ``x-should-retry``."""

    def __init__(
        self,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        retry_after_ms: int | None = None,
        details: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.retry_after_ms = retry_after_ms
        self.details = details or {}
        if code is not None:
            self.code = code

    def headers(self) -> dict[str, str]:
        """Response headers that official SDKs obey when they decide whether and when to retry."""
        found = {"x-should-retry": "true" if self.retryable else "false"}
        if self.retry_after_ms is not None:
            found["retry-after-ms"] = str(self.retry_after_ms)
            found["retry-after"] = str(-(-self.retry_after_ms // 1000))
        return found


class Unauthenticated(GatewayzError):
    status = 401
    code = "invalid_api_key"
    type = "authentication_error"


class PermissionDenied(GatewayzError):
    status = 403
    code = "permission_denied"
    type = "permission_error"


class TrialRefused(PermissionDenied):
    code = "trial_already_used"


class InvalidRequest(GatewayzError):
    status = 400
    code = "invalid_request"
    type = "invalid_request_error"


class CodeRefused(InvalidRequest):
    code = "code_expired"


class ContextTooLong(InvalidRequest):
    code = "context_length_exceeded"


class ModelNotPriced(InvalidRequest):
    code = "model_not_priced"


class ContentRejected(InvalidRequest):
    code = "content_policy_violation"


class ModelNotFound(GatewayzError):
    status = 404
    code = "model_not_found"
    type = "invalid_request_error"


class NotFound(GatewayzError):
    status = 404
    code = "not_found"
    type = "invalid_request_error"


class MethodNotAllowed(GatewayzError):
    status = 405
    code = "method_not_allowed"
    type = "invalid_request_error"


class BodyTooLarge(GatewayzError):
    status = 413
    code = "request_too_large"
    type = "invalid_request_error"


class EncodedBody(GatewayzError):
    status = 415
    code = "unsupported_encoding"
    type = "invalid_request_error"

    @override
    def headers(self) -> dict[str, str]:
        """https://www.rfc-editor.org/rfc/rfc9110.html#section-12.5.3: what would have been understood."""
        return {**super().headers(), "accept-encoding": "identity"}


def refuse_encoded(content_encoding: str | None) -> None:
    """By the header of a request with a body. Raises EncodedBody.

    No client of the APIs that are spoken here compresses what it sends, and a small body could become any size.
    """
    if content_encoding and content_encoding.strip().lower() != "identity":
        raise EncodedBody(
            "Send the body as it is: 'content-encoding' may only be identity.",
            param="content-encoding",
        )


class IdempotencyInFlight(GatewayzError):
    status = 409
    code = "idempotency_in_flight"
    type = "invalid_request_error"
    retryable = True


class AnswerNotKept(GatewayzError):
    status = 409
    code = "idempotency_not_kept"
    type = "invalid_request_error"


class IdempotencyMismatch(GatewayzError):
    status = 422
    code = "idempotency_mismatch"
    type = "invalid_request_error"


class InsufficientCredits(GatewayzError):
    status = 402
    code = "insufficient_credits"
    type = "billing_error"


class TrialExpired(InsufficientCredits):
    code = "trial_expired"


class BudgetExceeded(GatewayzError):
    status = 402
    code = "budget_exceeded"
    type = "billing_error"


class CostLimitReached(GatewayzError):
    status = 402
    code = "max_cost_reached"
    type = "billing_error"


class SpendingFrozen(InsufficientCredits):
    code = "spending_frozen"


class PaymentDeclined(GatewayzError):
    status = 402
    code = "payment_declined"
    type = "billing_error"


class RateLimited(GatewayzError):
    status = 429
    code = "rate_limit_exceeded"
    type = "rate_limit_error"
    retryable = True


class UpstreamInvalid(GatewayzError):
    status = 502
    code = "upstream_error"
    retryable = True


class AllProvidersFailed(GatewayzError):
    status = 503
    code = "all_providers_failed"
    type = "overloaded_error"
    retryable = True


class UpstreamTimeout(GatewayzError):
    status = 504
    code = "upstream_timeout"
    type = "timeout_error"
    retryable = True


class ServiceUnavailable(GatewayzError):
    status = 503
    code = "service_unavailable"
    type = "overloaded_error"
    retryable = True


class Overloaded(ServiceUnavailable):
    code = "overloaded"


class EventNotProcessed(ServiceUnavailable):
    code = "event_not_processed"


class PaymentsNotConfigured(ServiceUnavailable):
    code = "payments_not_configured"
    retryable = False


class InternalError(GatewayzError):
    retryable = True


ERROR_CODES: frozenset[str] = frozenset(
    {
        "all_providers_failed",
        "already_referred",
        "api_key_expired",
        "api_key_revoked",
        "budget_exceeded",
        "code_already_redeemed",
        "code_expired",
        "code_not_valid_yet",
        "code_not_yours",
        "code_used_up",
        "concurrency_limit_exceeded",
        "content_policy_violation",
        "context_length_exceeded",
        "email_not_allowed",
        "email_not_verified",
        "event_not_processed",
        "idempotency_in_flight",
        "idempotency_mismatch",
        "idempotency_not_kept",
        "insufficient_credits",
        "internal_error",
        "invalid_api_key",
        "invalid_form",
        "invalid_json",
        "invalid_request",
        "invalid_type",
        "invalid_value",
        "max_cost_reached",
        "max_cost_too_low",
        "method_not_allowed",
        "missing_api_key",
        "missing_field",
        "model_not_found",
        "model_not_priced",
        "model_not_supported",
        "no_provider_allowed",
        "not_found",
        "overloaded",
        "own_code",
        "payment_declined",
        "payments_not_configured",
        "permission_denied",
        "previous_response_not_found",
        "rate_limit_exceeded",
        "referral_too_late",
        "request_too_large",
        "service_unavailable",
        "spending_frozen",
        "token_limit_exceeded",
        "trial_already_used",
        "trial_expired",
        "unsupported_encoding",
        "upstream_error",
        "upstream_timeout",
    }
)
"""The closed list of ``error.code``: documented in docs/errors.md, compared by a test."""
