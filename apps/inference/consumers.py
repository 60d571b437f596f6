"""The HTTP edge of the inference routes: bytes in, pipeline, bytes out, every failure in the client's own dialect."""

import asyncio
from typing import Any, ClassVar

import orjson
from django.conf import settings
from typing_extensions import override

from apps.common.consumers import ClientTooSlow, StreamConsumer
from apps.common.errors import EncodedBody, GatewayzError, MethodNotAllowed, refuse_encoded
from apps.common.ids import new_id
from apps.inference import idempotency, metrics
from apps.inference.admission import peek_limits
from apps.inference.attempts import AnswerBroken
from apps.inference.context import RequestContext
from apps.inference.cover import AnswerStopped
from apps.inference.detached import serve_to_its_end
from apps.inference.models import Outcome
from apps.inference.operations import Surface, find_surface
from apps.inference.other_routes import find_key
from apps.inference.pipeline import STOPPING, serve
from apps.inference.protocols import dialect
from apps.inference.request_log import describe
from apps.inference.runtime import current

READ_HEADERS: frozenset[bytes] = frozenset(
    {
        b"authorization",
        b"x-api-key",
        b"x-goog-api-key",
        b"anthropic-version",
        b"anthropic-beta",
        b"content-type",
        b"http-referer",
        b"referer",
        b"x-title",
        b"x-openrouter-title",
        b"x-stainless-retry-count",
        b"idempotency-key",
        b"x-gatewayz-cache",
        b"x-gatewayz-cache-ttl",
        b"x-gatewayz-coalesce",
        b"x-gatewayz-tag",
    }
)


class InferenceConsumer(StreamConsumer):
    """Every path of ``operations.SURFACES``, streamed or whole."""

    slowest_read_seconds: ClassVar[float] = settings.SLOWEST_READ_SECONDS  # type: ignore[misc]

    @override
    async def handle(self, body: bytes) -> None:
        context = self._context(body)
        if self.scope["method"] != "POST":
            await self._refuse(
                context, MethodNotAllowed("Send a POST request."), extra=[(b"allow", b"POST")]
            )
            return
        try:
            refuse_encoded(self.header(b"content-encoding"))
        except EncodedBody as error:
            await self._refuse(context, error)
            return
        try:
            if idempotency.HEADER in context.headers:
                await serve_to_its_end(serve, context, self)
            else:
                await serve(context, self)
        except GatewayzError as error:
            if self.started:
                await self._end_in_error(context, error)
            else:
                await self._answer_error(context, error)
        except (AnswerBroken, AnswerStopped) as broken:
            await self._end_in_error(context, broken.client_error)
        except asyncio.CancelledError:
            if self.is_gone:
                raise
            # The server is stopping and waits no longer. Its connections are still open: say so instead of falling silent.
            if (task := asyncio.current_task()) is not None:
                task.uncancel()
            if self.started:
                await self._end_in_error(context, STOPPING)
            else:
                await self._answer_error(context, STOPPING)
        except ClientTooSlow:
            return  # the server closes a connection whose answer was left unfinished

    @override
    def max_body_bytes(self) -> int:
        """More for files: OpenAI takes recordings of 25 MB."""
        surface, _ = self._found()
        is_form = surface.read_form is not None
        most: int = settings.MAX_FORM_BYTES if is_form else settings.MAX_BODY_BYTES
        return most

    @override
    async def refuse(self, error: GatewayzError) -> None:
        metrics.refusals.labels(error.code).inc()
        context = self._context(b"")
        await self._refuse(context, error, extra=[(b"connection", b"close")])

    async def _refuse(
        self,
        context: RequestContext,
        error: GatewayzError,
        extra: list[tuple[bytes, bytes]] | None = None,
    ) -> None:
        """Answer without a look at the body, whoever asks; a valid key still learns its limits."""
        context.key = await find_key(context.headers)
        self._log(context, Outcome.FAILED, error)
        await self._answer_error(context, error, extra)

    @override
    def left(self) -> None:
        self._log(self._context(b""), Outcome.CLIENT_GONE, None)

    def _log(self, context: RequestContext, outcome: Outcome, error: GatewayzError | None) -> None:
        """The line of a request that the pipeline does not see."""
        current().request_log.write(describe(context, outcome, error, None, charged=0))

    def _found(self) -> tuple[Surface, dict[str, Any]]:
        """The surface, and what the path says of the body. Paths without one never come here."""
        found = find_surface(self.scope["path"])
        assert found is not None
        return found

    def _context(self, body: bytes) -> RequestContext:
        surface, path_fields = self._found()
        return RequestContext(
            id=new_id("gen"),
            surface=surface,
            body=body,
            headers=self._headers(),
            path_fields=path_fields,
        )

    def _headers(self) -> dict[str, str]:
        found = {
            name.decode(): value.decode("latin-1")
            for name, value in self.scope["headers"]
            if name in READ_HEADERS
        }
        if (
            "anthropic-beta" in found
        ):  # a list, which clients also send as one header for each member
            found["anthropic-beta"] = ",".join(self._values(b"anthropic-beta"))
        return found

    def _values(self, name: bytes) -> list[str]:
        return [value.decode("latin-1") for key, value in self.scope["headers"] if key == name]

    async def _answer_error(
        self,
        context: RequestContext,
        error: GatewayzError,
        extra: list[tuple[bytes, bytes]] | None = None,
    ) -> None:
        if context.key is not None and not context.limit_headers:
            context.limit_headers = await peek_limits(context.key, current())
        codec = dialect(context.surface.wire)
        body = orjson.dumps(codec.encode_error(error, request_id=context.id))
        headers: list[tuple[bytes, bytes]] = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            *context.id_headers(),
            *((name.encode(), value.encode()) for name, value in error.headers().items()),
            *context.limit_headers,
            *context.attempt_headers(),
            *(extra or ()),
        ]
        await self.start(error.status, headers)
        await self.send_body(body, more=False)

    async def _end_in_error(self, context: RequestContext, error: GatewayzError) -> None:
        """The status line has gone out: the stream itself says that it failed."""
        assert context.facts is not None
        if not context.facts.stream:
            return
        relay = context.progress.relay
        if relay is None:
            codec = dialect(context.surface.wire)
            tail = codec.encode_stream_error(error, request_id=context.id)
        else:
            tail = relay.fail(error)
        if tail:  # else the server closes a connection whose answer was left unfinished, and the client sees that
            await self.send_body(tail, more=False)


async def answer(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """An ASGI application: one consumer for each request."""
    await InferenceConsumer()(scope, receive, send)
