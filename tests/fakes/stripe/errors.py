"""The error envelope: type, code, message, parameter and HTTP status, as Stripe words them."""

from typing import Any

Json = dict[str, Any]


class Refused(Exception):
    """An answer other than 200. ``saved`` says whether an idempotency key keeps it: refusals of parameters are not kept."""

    def __init__(
        self,
        status: int,
        kind: str,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        saved: bool = True,
        more: Json | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.saved = saved
        self.error: Json = {"type": kind, "message": message}
        if code is not None:
            self.error["code"] = code
            self.error["doc_url"] = f"https://stripe.com/docs/error-codes/{code.replace('_', '-')}"
        if param is not None:
            self.error["param"] = param
        self.error.update(more or {})


def invalid(message: str, *, code: str | None = None, param: str | None = None) -> Refused:
    """What the state of things refuses: kept under an idempotency key."""
    return Refused(400, "invalid_request_error", message, code=code, param=param)


def bad_parameter(message: str, *, code: str | None = None, param: str) -> Refused:
    return Refused(400, "invalid_request_error", message, code=code, param=param, saved=False)


def missing_parameter(name: str) -> Refused:
    return bad_parameter(f"Missing required param: {name}.", code="parameter_missing", param=name)


def no_such(kind: str, identifier: str, *, param: str | None) -> Refused:
    """404 when the path names it (``param`` None), 400 when a parameter does."""
    return Refused(
        404 if param is None else 400,
        "invalid_request_error",
        f"No such {kind}: '{identifier}'",
        code="resource_missing",
        param=param or "id",
    )


def card_refused(code: str, decline_code: str | None, message: str, more: Json) -> Refused:
    if decline_code is not None:
        more = {"decline_code": decline_code, **more}
    return Refused(402, "card_error", message, code=code, more=more)
