"""AWS's error body, and the same as an exception of a stream that has already begun.

https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html#operation-error-serialization: clients take the type from the
``X-Amzn-Errortype`` header, else from ``__type``; a codec writes bodies only.
"""

import orjson

from apps.common.errors import GatewayzError
from apps.inference.canonical.codec import Json
from apps.inference.canonical.eventstream import encode_message

_TYPES = {
    401: "AccessDeniedException",
    402: "AccessDeniedException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    429: "ThrottlingException",
    503: "ServiceUnavailableException",
    504: "ModelTimeoutException",
}
_STREAM_TYPES = frozenset(
    {
        "internalServerException", "modelStreamErrorException", "validationException",
        "throttlingException", "serviceUnavailableException",
    }
)  # fmt: skip
"""The exceptions that a stream may hold."""


def encode_error(error: GatewayzError, *, request_id: str) -> Json:
    named = {
        "__type": _type_of(error.status),
        "message": error.message,
        "reason": error.code,
        "param": error.param,
        "requestId": request_id,
    }
    return named | {key: value for key, value in error.details.items() if key not in named}


def encode_stream_error(error: GatewayzError, *, request_id: str) -> bytes:
    kind = _type_of(error.status)
    event = kind[0].lower() + kind[1:]
    if event not in _STREAM_TYPES:
        event = "modelStreamErrorException"
    payload = orjson.dumps(encode_error(error, request_id=request_id))
    return encode_message(payload, event=event, is_exception=True)


def _type_of(status: int) -> str:
    return _TYPES.get(status, "ValidationException" if status < 500 else "InternalServerException")
