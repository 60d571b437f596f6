"""Recording: a whole answer as its client got it, kept to be given again.

    client ◄── Recording ◄── attempts.py        what goes through is written down, up to a size
                   └── keep(answer)             called once the answer is whole, before its last bytes leave, so that
                                                a client that asks again at once finds it

Answers are sealed before they are stored: compressed and encrypted under the keyring. What identifies a request is an HMAC
under the pepper, so that no store holds a prompt, nor anything that a prompt could be guessed by.
"""

import asyncio
import hashlib
import zlib
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import TypeVar

import msgspec
import orjson

from apps.common import crypto
from apps.inference.delivery import Client
from apps.inference.relay import Body
from apps.inference.requests.forms import Form

T = TypeVar("T", bound=msgspec.Struct)

Headers = list[tuple[bytes, bytes]]

OFF_THE_LOOP_BYTES = 64 * 1024
"""From here on compressing and encrypting takes longer than a thread costs."""


class Answered(Exception):
    """The client has its answer: one that was kept. The request ends here."""


class Answer(msgspec.Struct, frozen=True):
    """A complete answer: a stream in the pieces that it was sent in."""

    status: int
    headers: Headers
    pieces: list[bytes]


class Recording:
    """A client whose answer is written down on its way."""

    def __init__(
        self,
        client: Client,
        *,
        keep: Callable[[Answer | None], Awaitable[None]],
        most_bytes: int,
        headers: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        """``keep`` gets None when the answer was longer than ``most_bytes``; ``headers`` are told and not recorded."""
        self._client = client
        self._keep = keep
        self._room = most_bytes
        self._more_headers = headers
        self._status = 0
        self._headers: Headers = []
        self._pieces: list[bytes] = []

    @property
    def is_gone(self) -> bool:
        return self._client.is_gone

    async def start(self, status: int, headers: Headers) -> None:
        self._status = status
        self._headers = [one for one in headers if not one[0].startswith(b"x-ratelimit-")]
        await self._client.start(status, [*headers, *self._more_headers])

    async def send_body(self, body: bytes, *, more: bool) -> None:
        self._room -= len(body)
        if self._room >= 0:
            self._pieces.append(body)
        else:
            self._pieces.clear()
        if not more:
            is_kept = self._room >= 0
            await self._keep(Answer(self._status, self._headers, self._pieces) if is_kept else None)
        await self._client.send_body(body, more=more)


async def send(client: Client, answer: Answer, headers: Headers) -> None:
    """Give the answer again, with these headers instead of its own."""
    await client.start(answer.status, headers)
    last = len(answer.pieces) - 1
    for number, piece in enumerate(answer.pieces):
        await client.send_body(piece, more=number < last)


async def seal(value: msgspec.Struct) -> bytes:
    plain = msgspec.msgpack.encode(value)
    if len(plain) < OFF_THE_LOOP_BYTES:
        return _seal(plain)
    return await asyncio.to_thread(_seal, plain)


def _seal(plain: bytes) -> bytes:
    return crypto.seal(zlib.compress(plain, 1)).encode()


async def unseal(sealed: bytes, kind: type[T]) -> T | None:
    """None for what cannot be read any more: sealed under a key that is gone, or by a release that wrote it differently."""
    try:
        if len(sealed) < OFF_THE_LOOP_BYTES:
            plain = _unseal(sealed)
        else:
            plain = await asyncio.to_thread(_unseal, sealed)
        return msgspec.msgpack.decode(plain, type=kind)
    except (crypto.SecretUnreadable, zlib.error, msgspec.MsgspecError, ValueError):
        return None


def _unseal(sealed: bytes) -> bytes:
    return zlib.decompress(crypto.unseal(sealed.decode()))


def fingerprint(body: Body, *more: str, without: Collection[str] = ()) -> str:
    """64 hex digits that are the same for the same request: order of fields and a form's boundary do not matter."""
    if isinstance(body, Form):
        fields = sorted(field for field in body.fields if field[0] not in without)
        files = [
            (file.field, file.name, file.content_type, hashlib.sha256(file.data).hexdigest())
            for file in body.files
        ]
        said = orjson.dumps([fields, files])
    else:
        asked = {name: value for name, value in body.items() if name not in without}
        said = orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)
    digest = hashlib.sha256(said)
    for text in more:
        digest.update(b"\0" + text.encode())
    return crypto.lookup_hash(digest.hexdigest())
