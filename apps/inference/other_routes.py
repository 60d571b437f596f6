"""What every answer under the API's paths has beside its content: the limits of a valid key in its headers, a line in the log.

The inference routes see to both themselves. This is an ASGI application around those that answer the other routes: the
limiter and the log belong to the event loop, and Django's middleware runs in threads.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from apps.common import clock
from apps.common.errors import Unauthenticated
from apps.inference.admission import peek_limits
from apps.inference.operations import is_api
from apps.inference.request_log import describe_other
from apps.inference.runtime import current
from apps.inference.settlement import LEDGER_AWAY
from apps.keys.authenticate import authenticate, read_secret
from apps.keys.selectors import KeySnapshot

Application = Callable[[dict[str, Any], Any, Any], Awaitable[None]]

STARTS = frozenset({"http.response.start", "websocket.http.response.start"})


def accompanied(application: Application) -> Application:
    async def answer(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if not is_api(scope["path"]):
            await application(scope, receive, send)
            return
        exchange = Exchange(scope, send)
        try:
            await application(scope, receive, exchange.send)
        finally:
            current().request_log.write(exchange.describe())

    return answer


class Exchange:
    """One request and its answer, as far as the log tells of them."""

    def __init__(self, scope: dict[str, Any], send: Any) -> None:
        self._path: str = scope["path"]
        self._send = send
        self._started = clock.monotonic()
        self._headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        self._key: KeySnapshot | None = None
        self._status: int | None = None
        self._request_id: str | None = None
        self._error_body = b""

    async def send(self, message: dict[str, Any]) -> None:
        if message["type"] in STARTS:
            message = {**message, "headers": await self._begin(message)}
        elif message["type"] == "websocket.close":
            self._status = 403  # what servers make of it before the handshake
        elif self._status is not None and self._status >= 400:
            self._error_body += message.get("body", b"")
        await self._send(message)

    async def _begin(self, message: dict[str, Any]) -> list[tuple[bytes, bytes]]:
        """The headers of the answer, with the limits among them."""
        headers = list(message["headers"])
        self._status = message["status"]
        for name, value in headers:
            if name.lower() == b"x-request-id":
                self._request_id = value.decode("latin-1")
        if self._status != 401:
            self._key = await find_key(self._headers)
        if self._key is not None:
            headers += await peek_limits(self._key, current())
        return headers

    def describe(self) -> dict[str, Any]:
        return describe_other(
            request_id=self._request_id,
            path=self._path,
            key=self._key,
            status=self._status,
            error=_code_of(self._error_body),
            milliseconds=round((clock.monotonic() - self._started) * 1000),
            sdk_retry=self._headers.get("x-stainless-retry-count"),
        )


def _code_of(body: bytes) -> str | None:
    """The code in an error envelope; Google's has a number there, and the code as the reason in its details."""
    try:
        error = orjson.loads(body)["error"]
        code: str = error["details"][0]["reason"] if "details" in error else error["code"]
        return code
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None


async def find_key(headers: dict[str, str]) -> KeySnapshot | None:
    """The key of an answer that does not depend on it: None when there is none, or none that is valid."""
    try:
        secret = read_secret(
            authorization=headers.get("authorization"),
            x_api_key=headers.get("x-api-key") or headers.get("x-goog-api-key"),
        )
        return await authenticate(secret)
    except (Unauthenticated, *LEDGER_AWAY):
        return None
