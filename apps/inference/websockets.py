"""``/ws/v1/chat``: the chat completions surface over a WebSocket, for browsers.

    client  {"type": "chat.completion.create", "id": "1", "body": {…a chat completion request…}}
    server  {"type": "chat.completion.started", "id": "1", "status": 200, "headers": {…}}
            {"type": "chat.completion.chunk", "id": "1", "data": {…}}        any number, when the body asks for a stream
            {"type": "chat.completion", "id": "1", "data": {…}}              the whole answer, when it does not
            {"type": "chat.completion.done", "id": "1"}
            {"type": "error", "id": "1", "status": 429, "error": {…}}        in place of done
    client  {"type": "chat.completion.cancel", "id": "1"}
    server  {"type": "chat.completion.cancelled", "id": "1"}, or an error when no request of that id is under way

Several requests may be under way on one socket, told apart by the client's ``id``. The key comes in the ``Authorization`` header or,
because browsers cannot set one, as a subprotocol: ``new WebSocket(url, ["gatewayz", "gatewayz-key." + key])``. Each request
goes through the same pipeline as over HTTP: limits, hold, failover, settlement, record.
"""

import asyncio
from typing import Any

import orjson
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from typing_extensions import override

from apps.common import background
from apps.common.consumers import ClientTooSlow
from apps.common.deadline import Deadline
from apps.common.errors import GatewayzError, InvalidRequest, NotFound, Unauthenticated
from apps.common.ids import new_id
from apps.inference.attempts import AnswerBroken
from apps.inference.canonical.sse import SseDecoder
from apps.inference.context import RequestContext
from apps.inference.cover import AnswerStopped
from apps.inference.operations import CHAT_COMPLETIONS
from apps.inference.pipeline import STOPPING, serve
from apps.inference.protocols import CODECS
from apps.keys.authenticate import authenticate, read_secret

PATH = "/ws/v1/chat"
SUBPROTOCOL = "gatewayz"
KEY_PREFIX = "gatewayz-key."
POLICY_VIOLATION = 1008
LONGEST_ID = 100
Json = dict[str, Any]


class _Client:
    """One request's side of the socket: HTTP's bytes become messages."""

    def __init__(self, socket: "ChatConsumer", request_id: str) -> None:
        self._socket = socket
        self._id = request_id
        self._sse: SseDecoder | None = None
        self._whole = b""

    @property
    def is_gone(self) -> bool:
        return self._socket.is_gone or self._id in self._socket.cancelled

    async def start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        shown = {name.decode(): value.decode("latin-1") for name, value in headers}
        if shown.pop("content-type", "").startswith("text/event-stream"):
            self._sse = SseDecoder()
        await self.tell("chat.completion.started", status=status, headers=shown)

    async def send_body(self, body: bytes, *, more: bool) -> None:
        if self._sse is None:
            self._whole += body
            if not more:
                await self.tell("chat.completion", data=orjson.loads(self._whole))
        else:
            records = self._sse.feed(body)
            for record in records if more else [*records, *self._sse.flush()]:
                if record.data != b"[DONE]":
                    await self.tell("chat.completion.chunk", data=orjson.loads(record.data))
        if not more:
            await self.tell("chat.completion.done")

    async def fail(self, error: GatewayzError, context: RequestContext) -> None:
        await self._send(_error_message(self._id, error, known_as=context.id))

    async def tell(self, kind: str, **fields: Any) -> None:
        await self._send({"type": kind, "id": self._id, **fields})

    async def _send(self, message: Json) -> None:
        """Raises ClientTooSlow for one that does not read."""
        try:
            async with Deadline(settings.SLOWEST_READ_SECONDS):
                await self._socket.tell(message)
        except TimeoutError as error:
            raise ClientTooSlow from error


class ChatConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    """One socket. Its requests are tasks of their own; all are cancelled when it closes."""

    @override
    async def connect(self) -> None:
        self.is_gone = False
        self.cancelled: set[str] = set()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._headers = {
            name.decode(): value.decode("latin-1")
            for name, value in self.scope["headers"]
            if name in {b"authorization", b"x-api-key", b"x-title", b"referer", b"x-gatewayz-tag"}
        }
        offered = self.scope.get("subprotocols") or []
        for protocol in offered:
            if protocol.startswith(KEY_PREFIX):
                self._headers["authorization"] = f"Bearer {protocol.removeprefix(KEY_PREFIX)}"
        try:
            await authenticate(
                read_secret(
                    authorization=self._headers.get("authorization"),
                    x_api_key=self._headers.get("x-api-key"),
                )
            )
        except Unauthenticated as refused:
            # Accepted first: a browser is told nothing of a handshake that failed.
            await self.accept(SUBPROTOCOL if SUBPROTOCOL in offered else None)
            await self._refuse(None, refused)
            await self.close(POLICY_VIOLATION)
            return
        await self.accept(SUBPROTOCOL if SUBPROTOCOL in offered else None)

    @override
    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        try:
            message = _read(text_data)
        except InvalidRequest as wrong:
            await self._refuse(_id_in(text_data), wrong)
            return
        request_id = message["id"]
        if message["type"] == "chat.completion.cancel":
            await self._cancel(request_id)
            return
        if request_id in self._tasks:
            under_way = InvalidRequest("This 'id' is under way.", param="id", code="invalid_value")
            await self._refuse(request_id, under_way)
            return
        task = background.spawn(
            self._answer(request_id, message["body"]), name="inference.websocket"
        )
        self._tasks[request_id] = task
        task.add_done_callback(lambda _: self._tasks.pop(request_id, None))

    @override
    async def disconnect(self, code: int) -> None:
        self.is_gone = True
        for task in list(self._tasks.values()):
            task.cancel()

    async def _cancel(self, request_id: str) -> None:
        task = self._tasks.get(request_id)
        if task is None:
            await self._refuse(
                request_id, NotFound("No request of this 'id' is under way.", param="id")
            )
            return
        self.cancelled.add(request_id)
        task.cancel()

    async def _refuse(self, request_id: str | None, error: GatewayzError) -> None:
        """That a message means nothing here; ``request_id`` is the client's, as far as it can be read."""
        await self.tell(_error_message(request_id, error, known_as=new_id("gen")))

    async def tell(self, message: Json) -> None:
        await self.send(text_data=orjson.dumps(message).decode())

    async def _answer(self, request_id: str, body: Json) -> None:
        client = _Client(self, request_id)
        context = RequestContext(
            id=new_id("gen"),
            surface=CHAT_COMPLETIONS,
            body=orjson.dumps(body),
            headers=self._headers,
        )
        try:
            await serve(context, client)
        except GatewayzError as error:
            await client.fail(error, context)
        except (AnswerBroken, AnswerStopped) as broken:
            await client.fail(broken.client_error, context)
        except asyncio.CancelledError:
            if self.is_gone:
                raise
            if (task := asyncio.current_task()) is not None:
                task.uncancel()
            if request_id in self.cancelled:
                self.cancelled.discard(request_id)
                await client.tell("chat.completion.cancelled")
            else:
                await client.fail(STOPPING, context)
        except ClientTooSlow:
            await self.close(POLICY_VIOLATION)


def _error_message(request_id: str | None, error: GatewayzError, *, known_as: str) -> Json:
    """``request_id`` is the client's, ``known_as`` ours."""
    body = CODECS[CHAT_COMPLETIONS.wire].encode_error(error, request_id=known_as)
    told = {"status": error.status, "headers": error.headers(), "error": body["error"]}
    return {"type": "error", "id": request_id, **told}


def _id_in(text: str | None) -> str | None:
    """The id of a message that is wrong otherwise."""
    try:
        message = orjson.loads(text or "")
    except orjson.JSONDecodeError:
        return None
    found = message.get("id") if isinstance(message, dict) else None
    return found if isinstance(found, str) and len(found) <= LONGEST_ID else None


def _read(text: str | None) -> Json:
    """Raises InvalidRequest naming the field."""
    try:
        message = orjson.loads(text or "")
    except orjson.JSONDecodeError as error:
        raise InvalidRequest("A message must be JSON text.", code="invalid_json") from error
    if not isinstance(message, dict):
        raise InvalidRequest("A message must be a JSON object.", code="invalid_type")
    if message.get("type") not in {"chat.completion.create", "chat.completion.cancel"}:
        raise InvalidRequest(
            "'type' must be chat.completion.create or chat.completion.cancel.",
            param="type",
            code="invalid_value",
        )
    if not isinstance(message.get("id"), str) or not 0 < len(message["id"]) <= LONGEST_ID:
        raise InvalidRequest(
            f"'id' must be a text of 1 to {LONGEST_ID} characters.",
            param="id",
            code="invalid_value",
        )
    if message["type"] == "chat.completion.create" and not isinstance(message.get("body"), dict):
        raise InvalidRequest("'body' must be an object.", param="body", code="missing_field")
    return message


chat = ChatConsumer.as_asgi()
