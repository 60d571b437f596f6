"""Anthropic's error body, and the same as a record of a stream that has already begun.

https://docs.claude.com/en/api/errors. The types are a closed set, chosen by status; our own ``code`` stands beside them.
"""

import orjson

from apps.common.errors import GatewayzError
from apps.inference.canonical.codec import Json
from apps.inference.canonical.sse import encode_record

_TYPES = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}


def encode_error(error: GatewayzError, *, request_id: str) -> Json:
    named = {
        "type": _type_of(error.status),
        "message": error.message,
        "code": error.code,
        "param": error.param,
    }
    details = {key: value for key, value in error.details.items() if key not in named}
    return {"type": "error", "error": named | details, "request_id": request_id}


def encode_stream_error(error: GatewayzError, *, request_id: str) -> bytes:
    body = encode_error(error, request_id=request_id)
    return encode_record(orjson.dumps(body), event="error")


def _type_of(status: int) -> str:
    return _TYPES.get(status, "invalid_request_error" if status < 500 else "api_error")
