"""Limit headers on what Django answers under the API's paths, for a request with a valid key.

An ASGI application around Django's: the limiter belongs to the event loop, and Django's middleware runs in threads. The
inference routes tell the limits themselves.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from apps.common.errors import Unauthenticated
from apps.inference.admission import peek_limits
from apps.inference.operations import is_api
from apps.inference.runtime import current
from apps.inference.settlement import LEDGER_AWAY
from apps.keys.authenticate import authenticate, read_secret
from apps.keys.selectors import KeySnapshot

Application = Callable[[dict[str, Any], Any, Any], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]


def with_limit_headers(application: Application) -> Application:
    async def answer(scope: dict[str, Any], receive: Any, send: Any) -> None:
        async def send_with_limits(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start" and message["status"] != 401:
                headers = [*message["headers"], *await _limits_of(scope["headers"])]
                message = {**message, "headers": headers}
            await send(message)

        await application(scope, receive, send_with_limits if is_api(scope["path"]) else send)

    return answer


async def _limits_of(request_headers: Headers) -> Headers:
    key = await find_key(
        {name.decode("latin-1"): value.decode("latin-1") for name, value in request_headers}
    )
    return [] if key is None else await peek_limits(key, current())


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
