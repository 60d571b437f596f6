"""uvicorn, with one write where it makes two: an answer's head waits for the first bytes of its body.

    python -m gatewayz.server --port 8000 …        uvicorn's own command line, serving gatewayz.asgi

uvicorn hands head and body to the transport one after the other, and uvloop sends each at once: two system calls and
two packets for most answers. The head goes out at the end of the event loop's turn when no body has come by then.
"""

import asyncio
import sys
from typing import Any

from typing_extensions import override
from uvicorn.config import HTTP_PROTOCOLS
from uvicorn.main import main
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD = b"HTTP/1.1 "


class GatheringTransport:
    """A transport whose ``write`` holds back an HTTP head; everything else is the transport's own."""

    __slots__ = ("_head", "_loop", "_transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._head = b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if head := self._head:
            self._head = b""
            self._transport.writelines((head, data))
        elif data.startswith(HEAD):
            self._head = data
            self._loop.call_soon(self._flush)
        else:
            self._transport.write(data)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if head := self._head:
            self._head = b""
            self._transport.write(head)


class Protocol(HttpToolsProtocol):
    @override
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(GatheringTransport(transport))  # type: ignore[arg-type]


# uvicorn's workers are processes of their own: they import this module, and find the name meaning this there too.
HTTP_PROTOCOLS["httptools"] = "gatewayz.server:Protocol"

if __name__ == "__main__":
    main(["gatewayz.asgi:application", "--http", "httptools", *sys.argv[1:]])
