"""OpenAI's error body, and the same as a record of a stream that has already begun.

https://platform.openai.com/docs/guides/error-codes; both official SDKs raise on ``data: {"error": …}``.
"""

import orjson

from apps.common.errors import GatewayzError
from apps.inference.canonical.codec import Json
from apps.inference.canonical.sse import encode_record


def encode_error(error: GatewayzError, *, request_id: str) -> Json:
    named = {
        "message": error.message,
        "type": error.type,
        "param": error.param,
        "code": error.code,
    }
    return {"error": named | _details(error, taken=named) | {"request_id": request_id}}


def encode_stream_error(error: GatewayzError, *, request_id: str) -> bytes:
    """The error record alone; no ``[DONE]`` follows it, because the answer is not done."""
    return encode_record(orjson.dumps(encode_error(error, request_id=request_id)))


def _details(error: GatewayzError, *, taken: Json) -> Json:
    return {key: value for key, value in error.details.items() if key not in taken}
