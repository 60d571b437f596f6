"""The API's edge: keys, idempotency, faults, routes, expansion, and the answer's headers.

An operation runs without a pause, so that every request sees the world before or after another, never between.
"""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from tests.fakes.stripe import control, operations
from tests.fakes.stripe.errors import Json, Refused
from tests.fakes.stripe.expanding import expanded
from tests.fakes.stripe.fake import Fake
from tests.fakes.stripe.faults import LONGEST_SILENCE, Fault
from tests.fakes.stripe.forms import nest
from tests.fakes.stripe.idempotency import Answer
from tests.fakes.stripe.reading import read
from tests.fakes.stripe.routing import whole_spec
from tests.fakes.stripe.world import API_VERSION, Caller, World

TEST_KEYS = ("sk_test_", "rk_test_")


@dataclass(frozen=True, slots=True)
class Call:
    """An API request that was read."""

    identifier: str
    method: str
    path: str
    params: Json
    key: str | None
    """Its idempotency key; only POST has one."""
    authorization: str
    version: str


def build_app() -> web.Application:
    fake = Fake()
    app = web.Application(client_max_size=1_000_000)
    control.add_routes(app, fake)

    async def serve(request: web.Request) -> web.StreamResponse:
        return await _serve(fake, request)

    app.router.add_route("*", "/{tail:.*}", serve)
    return app


async def _serve(fake: Fake, request: web.Request) -> web.StreamResponse:
    call = await _read_call(fake.world, request)
    seen: Json = {
        "id": call.identifier,
        "method": call.method,
        "path": call.path,
        "params": call.params,
        "idempotency_key": call.key,
        "stripe_version": call.version,
        "status": None,
        "ended": False,
    }
    fake.requests.append(seen)
    try:
        return await _serve_noted(fake, request, call, seen)
    finally:
        seen["ended"] = True


async def _serve_noted(
    fake: Fake, request: web.Request, call: Call, seen: Json
) -> web.StreamResponse:
    fault = fake.faults.take(call.method, call.path)
    if fault is not None and fault.kind == "timeout":
        return await _say_nothing(request, fault)
    answer, replayed, kept_key = _answer(fake, call, fault)
    seen["status"] = answer.status
    try:
        if fault is not None and fault.kind == "slow":
            # The key stays "in progress" all the while: a second request with it meets a conflict.
            await asyncio.sleep(_pause(fault) / 1000)
    finally:
        # Also when the client has left meanwhile: what was done stays done.
        if kept_key is not None:
            fake.kept.keep(kept_key, answer)
    if fault is not None and fault.kind == "lost":
        return await _say_nothing(request, fault)
    return _response(call, answer, replayed=replayed)


async def _read_call(world: World, request: web.Request) -> Call:
    pairs: list[tuple[str, str]] = list(request.query.items())
    if request.method == "POST":
        form = await request.post()
        pairs += [(name, value) for name, value in form.items() if isinstance(value, str)]
    return Call(
        identifier=world.new_id("req"),
        method=request.method,
        path=request.path,
        params=nest(pairs),
        key=request.headers.get("Idempotency-Key") if request.method == "POST" else None,
        authorization=request.headers.get("Authorization", ""),
        version=request.headers.get("Stripe-Version", API_VERSION),
    )


def _answer(fake: Fake, call: Call, fault: Fault | None) -> tuple[Answer, bool, str | None]:
    """The answer, whether it is given again, and the key to keep it under."""
    begun: str | None = None
    try:
        _check_key(call)
        if fault is not None and fault.kind == "429":
            raise Refused(
                429,
                "invalid_request_error",
                "Request rate limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits.",
                code="rate_limit",
                saved=False,
            )
        if call.key is not None:
            known = fake.kept.begin(
                call.key,
                endpoint=call.path,
                params=json.dumps(call.params, sort_keys=True),
                now=fake.world.now(),
            )
            if known is not None:
                return known, True, None
            begun = call.key
        if fault is not None and fault.kind == "500":
            raise Refused(500, "api_error", "An unknown error occurred.")
        body = _run(fake.world, call)
        return _made(200, body, call), False, begun
    except Refused as refused:
        if begun is not None and not refused.saved:
            fake.kept.drop(begun)
            begun = None
        error = {
            **refused.error,
            "request_log_url": f"https://dashboard.stripe.com/test/logs/{call.identifier}",
        }
        return _made(refused.status, {"error": error}, call), False, begun


def _check_key(call: Call) -> None:
    scheme, _, key = call.authorization.partition(" ")
    if scheme != "Bearer" or not key:
        raise Refused(
            401,
            "invalid_request_error",
            "You did not provide an API key. You need to provide your API key in the Authorization header, using "
            "Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
            saved=False,
        )
    if not key.startswith(TEST_KEYS):
        raise Refused(
            401,
            "invalid_request_error",
            f"Invalid API Key provided: {key[:8]}{'*' * 8}{key[-4:]}",
            saved=False,
        )


def _run(world: World, call: Call) -> Json:
    found = operations.ROUTES.find(call.method, call.path)
    if found is None:
        raise Refused(
            404,
            "invalid_request_error",
            f"Unrecognized request URL ({call.method}: {call.path}). Please see https://stripe.com/docs or we can "
            "help at https://support.stripe.com/.",
            saved=False,
        )
    route, ids = found
    params = read(whole_spec(route), call.params)
    expand = params.pop("expand", [])
    world.caller = Caller(call.identifier, call.key)
    try:
        answer = route.operation(world, params, *ids)
    finally:
        world.caller = Caller()
    return expanded(world, answer, expand, operations.INCLUDED)


def _made(status: int, body: Json, call: Call) -> Answer:
    return Answer(status, json.dumps(body, indent=2).encode(), call.identifier)


def _response(call: Call, answer: Answer, *, replayed: bool) -> web.Response:
    headers: dict[str, Any] = {
        "request-id": call.identifier,
        "stripe-version": call.version,
    }
    if call.key is not None:
        headers["idempotency-key"] = call.key
        headers["original-request"] = answer.request
    if replayed:
        headers["idempotent-replayed"] = "true"
    if answer.status in (409, 429):
        headers["stripe-should-retry"] = "true" if answer.status == 409 else "false"
    elif answer.status >= 400:
        headers["stripe-should-retry"] = "false"
    return web.Response(
        status=answer.status, body=answer.body, headers=headers, content_type="application/json"
    )


def _pause(fault: Fault) -> int:
    return min(fault.milliseconds, LONGEST_SILENCE)


async def _say_nothing(request: web.Request, fault: Fault) -> web.Response:
    await asyncio.sleep(_pause(fault) / 1000)
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)
