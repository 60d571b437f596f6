"""The order of an exchange: count it, let it in, find its options, have it answered, deliver the answer."""

import asyncio
import itertools
import secrets

from aiohttp import web

from apps.sandbox import delivery, options
from apps.sandbox.delivery import Outcome
from apps.sandbox.endpoints import Endpoint
from apps.sandbox.stats import Seen, Stats
from apps.sandbox.tokens import PromptCache
from apps.sandbox.wire import Asked, Incoming, Refused

Delivered = tuple[web.StreamResponse, Outcome]


class Exchange:
    """One sandbox's way of serving; it numbers the answers and keeps the counters and the cached prompts."""

    def __init__(self, *, any_model: bool) -> None:
        self.stats = Stats()
        self.cache = PromptCache()
        self._any_model = any_model
        self._numbers = itertools.count(1)
        # Answer ids stay unique over restarts and over several sandboxes.
        self._run = secrets.token_hex(4)

    async def serve(self, request: web.Request, endpoint: Endpoint) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        seen = Seen(request.path, headers, request.query_string)
        answer_id = f"{endpoint.prefix}{self._run}{next(self._numbers):08d}"
        with self.stats.track(seen):
            try:
                response, seen.outcome = await self._run_through(request, endpoint, seen, answer_id)
            except ConnectionError:
                # The client closed its socket while we wrote; there is nobody to answer any more.
                seen.outcome = Outcome.ABORTED
                return web.Response()
        return response

    async def _run_through(
        self, request: web.Request, endpoint: Endpoint, seen: Seen, answer_id: str
    ) -> Delivered:
        seen.body = await request.read()
        incoming = describe_request(request, seen.body)
        wanted = options.Options()
        try:
            endpoint.dialect.authenticate(incoming)
            asked = endpoint.dialect.open_body(incoming)
            name, wanted = self._find_options(asked, seen)
            if wanted.reset:
                delivery.reset_socket(request)
                return web.Response(), Outcome.BROKEN
            if wanted.hang:
                await asyncio.sleep(delivery.FOREVER)
            await asyncio.sleep(wanted.delay / 1000)
            if name not in endpoint.models and not self._any_model:
                raise endpoint.dialect.explain_model(name, asked)
            if wanted.status is not None:
                raise Refused(
                    f"The sandbox was told to answer {wanted.status}.", status=wanted.status
                )
            outgoing = endpoint.answer(asked, name, wanted, answer_id=answer_id, cache=self.cache)
        except Refused as refusal:
            refusal.retry_after = wanted.retry_after
            return await delivery.deliver_refusal(
                request, endpoint.dialect, refusal, request_id=answer_id
            )
        if outgoing.framing is not None:
            self.stats.streams += 1
            return await delivery.deliver_stream(
                request, endpoint.dialect, outgoing, outgoing.framing
            )
        return await delivery.deliver_body(request, endpoint.dialect, outgoing)

    def _find_options(self, asked: Asked, seen: Seen) -> tuple[str, options.Options]:
        """The bare model name, and the options that are in force on this turn."""
        seen.model = asked.model
        self.stats.by_model[seen.model] += 1
        header = asked.incoming.headers.get("x-sandbox", "")
        try:
            name, found = options.parse(seen.model, header=header)
        except options.UnknownOption as error:
            raise Refused(str(error), param="model", code="unknown_sandbox_option") from error
        return name, options.for_turn(found, self.stats.take_turn(seen.model, header))


def describe_request(request: web.Request, content: bytes) -> Incoming:
    raw_path, _, raw_query = request.raw_path.partition("?")
    return Incoming(
        path=request.path,
        raw_path=raw_path,
        raw_query=raw_query,
        variables=dict(request.match_info),
        query=dict(request.query),
        headers={name.lower(): value for name, value in request.headers.items()},
        content=content,
    )
