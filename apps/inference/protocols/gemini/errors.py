"""Google's error body, and the same as a record of a stream that has already begun.

https://cloud.google.com/apis/design/errors. ``status`` is one of gRPC's canonical names, chosen by HTTP status. What only
this gateway says (our own code, the field, amounts) stands in ``details``, where Google puts typed messages.
"""

import orjson

from apps.common.errors import GatewayzError
from apps.inference.canonical.codec import Json
from apps.inference.canonical.sse import encode_record

_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    402: "FAILED_PRECONDITION",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "UNIMPLEMENTED",
    413: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"
_REQUEST_INFO = "type.googleapis.com/google.rpc.RequestInfo"
_BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"


def encode_error(error: GatewayzError, *, request_id: str) -> Json:
    """ErrorInfo's metadata are strings, as its definition says."""
    metadata = {key: str(value) for key, value in error.details.items()}
    details: list[Json] = [
        {"@type": _ERROR_INFO, "reason": error.code, "domain": "gatewayz", "metadata": metadata},
        {"@type": _REQUEST_INFO, "requestId": request_id},
    ]
    if error.param:
        violation = {"field": error.param, "description": error.message}
        details.append({"@type": _BAD_REQUEST, "fieldViolations": [violation]})
    status = _STATUSES.get(error.status, "INVALID_ARGUMENT" if error.status < 500 else "INTERNAL")
    named = {"code": error.status, "message": error.message, "status": status}
    return {"error": named | {"details": details}}


def encode_stream_error(error: GatewayzError, *, request_id: str) -> bytes:
    """Google's SDK raises on it, whatever has been streamed before (google-genai 3.4.0, ``_iter_response_stream``)."""
    return encode_record(orjson.dumps(encode_error(error, request_id=request_id)))
