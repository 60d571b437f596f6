"""An account at the sandbox: how much was bought and used, in the shape of OpenRouter's credits.

Format: https://openrouter.ai/docs/api/api-reference/credits/get-credits
"""

from typing import Any

import orjson
from aiohttp import web

from apps.sandbox import openai_dialect
from apps.sandbox.checks import expect_number, read_json
from apps.sandbox.exchange import describe_request
from apps.sandbox.wire import Refused

BOUGHT = 100.0


class Account:
    """``GET`` tells what it holds, ``POST`` sets ``total_credits``, ``total_usage`` and the ``status`` of the answer."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self._held: dict[str, Any] = {"total_credits": BOUGHT, "total_usage": 0.0}
        self._status = 200

    async def tell(self, request: web.Request) -> web.Response:
        try:
            openai_dialect.authenticate(describe_request(request, b""))
            body, status = {"data": self._held}, self._status
        except Refused as refusal:
            body = openai_dialect.render_refusal(refusal, request_id="req_credits")
            status = refusal.status
        return _answer(body, status)

    async def change(self, request: web.Request) -> web.Response:
        try:
            told = read_json(await request.read())
            for name in ("total_credits", "total_usage", "status"):
                expect_number(told.get(name), name, low=-1e12, high=1e12)
        except Refused as refusal:
            body = openai_dialect.render_refusal(refusal, request_id="req_credits")
            return _answer(body, refusal.status)
        self._status = int(told.pop("status", 200))
        self._held |= told
        return _answer({"data": self._held}, 200)


def _answer(body: dict[str, Any], status: int) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(body), content_type="application/json")
