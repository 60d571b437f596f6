"""OpenAI's error body, as an event of a stream without a response, and as the error of a failed response.

https://platform.openai.com/docs/guides/error-codes, …/api-reference/responses-streaming/error (2026-07)
"""

import orjson

from apps.common.errors import GatewayzError
from apps.inference.canonical.codec import Json
from apps.inference.canonical.sse import encode_record

_FAILURE_CODES = {400: "invalid_prompt", 413: "invalid_prompt", 429: "rate_limit_exceeded"}


def encode_error(error: GatewayzError, *, request_id: str) -> Json:
    named = {
        "message": error.message,
        "type": error.type,
        "param": error.param,
        "code": error.code,
    }
    return {"error": named | _details(error, taken=named) | {"request_id": request_id}}


def encode_stream_error(error: GatewayzError, *, request_id: str) -> bytes:
    """For a stream of which nothing was sent; once a response has begun, ``StreamEncoder.fail`` ends it.

    The documented event has its fields at the top. The official SDK raises on those that also have ``error``.
    """
    body = {
        "type": "error",
        "code": error.code,
        "message": error.message,
        "param": error.param,
        "sequence_number": 0,
        **encode_error(error, request_id=request_id),
    }
    return encode_record(orjson.dumps(body), event="error")


def failure(error: GatewayzError, *, request_id: str) -> Json:
    """``error`` of a failed response. Its codes are a closed set, so our own code stands beside as ``gateway_code``."""
    body: Json = encode_error(error, request_id=request_id)["error"]
    code = _FAILURE_CODES.get(error.status, "server_error")
    return {**body, "code": code, "gateway_code": error.code}


def _details(error: GatewayzError, *, taken: Json) -> Json:
    return {key: value for key, value in error.details.items() if key not in taken}
