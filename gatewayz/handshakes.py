"""The refusal of a WebSocket handshake, with an id to ask about: of another path, or another host, than the one that speaks it."""

from typing import Any

import orjson

from apps.catalog.providers.spec import Wire
from apps.common.errors import PermissionDenied
from apps.common.ids import new_id
from apps.inference.protocols import dialect


async def refuse(scope: dict[str, Any], _receive: Any, send: Any) -> None:
    if "websocket.http.response" not in scope.get("extensions", {}):  # daphne: a bare 403
        await send({"type": "websocket.close"})
        return
    error = PermissionDenied("There is no WebSocket here.")
    request_id = new_id("req")
    body = orjson.dumps(dialect(Wire.OPENAI_CHAT).encode_error(error, request_id=request_id))
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"x-request-id", request_id.encode()),
        *((name.encode(), value.encode()) for name, value in error.headers().items()),
    ]
    await send(
        {"type": "websocket.http.response.start", "status": error.status, "headers": headers}
    )
    await send({"type": "websocket.http.response.body", "body": body})
