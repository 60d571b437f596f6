"""The HTTP seam against raw sockets: framing, reuse, back-pressure, and everything a host can do wrong."""

import asyncio
import ssl
import subprocess
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from apps.common import http
from apps.common.http import TransportError, UpstreamResponse, open_upstream

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Host:
    """A provider's socket: counts connections and requests, and answers what the test says."""

    def __init__(self, *answers: bytes, close: bool = False) -> None:
        self.answers = answers
        self.close = close
        self.connections = 0
        self.requests: list[bytes] = []
        self.gone = asyncio.Event()

    async def __aenter__(self) -> "Host":
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self.server.sockets[0].getsockname()[1]}/v1/chat?a=b"
        return self

    async def __aexit__(self, *_: object) -> None:
        await http.close()
        self.server.close()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                size = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
                self.requests.append(head + await reader.readexactly(size))
                for piece in self.answers:
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0.005)
                if self.close:
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()
            self.gone.set()

    async def ask(self, **changes: object) -> UpstreamResponse:
        arguments = {"headers": {"x-a": "1"}, "body": b'{"n":1}', "connect_timeout": 5.0, **changes}
        return await open_upstream(self.url, **arguments)  # type: ignore[arg-type]


async def answer_of(host: Host) -> bytes:
    response = await host.ask()
    try:
        return await response.read()
    finally:
        response.close()


async def test_a_request_is_what_was_asked_for() -> None:
    async with Host(
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nX-Id: 7\r\nx-id: 8\r\n\r\nok"
    ) as host:
        response = await host.ask()
        assert (response.status, response.headers["x-id"], await response.read()) == (
            200,
            "7, 8",
            b"ok",
        )
        head, _, body = host.requests[0].partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        assert lines[0] == b"POST /v1/chat?a=b HTTP/1.1"
        assert set(lines[1:]) == {
            b"host: " + host.url.split("/")[2].encode(), b"x-a: 1", b"content-length: 7",
        }  # fmt: skip
        assert body == b'{"n":1}'


@pytest.mark.parametrize(
    "pieces",
    [
        [b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabcdef"],
        [b"HTTP/1.1 200 OK\r\ncont", b"ent-length: 6\r\n\r", b"\nabc", b"def"],
        [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n", b"3\r\ndef\r\n0\r\nx-trailer: 1\r\n\r\n"],
        [b"HTTP/1.1 100 Continue\r\nx-hint: 1\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabcdef"],
        [b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabcdef"],
    ],
)  # fmt: skip
async def test_a_whole_answer_however_framed_and_its_connection_is_used_again(
    pieces: list[bytes],
) -> None:
    async with Host(*pieces) as host:
        assert [await answer_of(host) for _ in range(3)] == [b"abcdef"] * 3
        assert (host.connections, len(host.requests)) == (1, 3)


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n",
    ],
)
async def test_an_answer_without_a_length_ends_with_its_connection(head: bytes) -> None:
    async with Host(head, b"abc", b"def", close=True) as host:
        assert await answer_of(host) == b"abcdef"
        assert await answer_of(host) == b"abcdef"
        assert host.connections == 2


@pytest.mark.parametrize(
    "pieces",
    [
        [],
        [b"HTTP/1.1 200 OK\r\nconten"],
        [b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc"],
        [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n"],
        [b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\nabc\r\n"],
        [b"SMTP ready\r\n\r\n"],
        [b"HTTP/1.1 101 Switching\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"],
        [b"HTTP/1.1 200 OK\r\n" + b"x-filler: " + b"y" * 1000 + b"\r\n"] + [b"x-filler: " + b"y" * 1000 + b"\r\n"] * 80,
    ],
    ids=["nothing", "half a head", "short", "no last chunk", "bad chunk", "not HTTP", "upgrade", "endless head"],
)  # fmt: skip
async def test_a_broken_answer_is_never_taken_for_whole(pieces: list[bytes]) -> None:
    async with Host(*pieces, close=True) as host:
        with pytest.raises(TransportError):
            await answer_of(host)


async def test_what_arrived_before_the_break_is_handed_out_first() -> None:
    async with Host(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc", close=True) as host:
        response = await host.ask()
        assert await response.read_some() == b"abc"
        with pytest.raises(TransportError):
            await response.read_some()


async def test_bytes_behind_a_whole_answer_end_the_connection_not_the_answer() -> None:
    async with Host(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n") as host:
        assert await answer_of(host) == b"ok"
        assert await answer_of(host) == b"ok"
        assert host.connections == 2


@pytest.mark.parametrize(
    ("head", "status", "body"),
    [
        (b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n", 500, b""),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", 200, b"ok"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 200, b"ok"),
    ],
)
@pytest.mark.parametrize(
    "behind",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 500 Oops\r\nx: y\r\n\r\n",
    ],
)
async def test_a_second_answer_in_the_same_bytes_changes_nothing(
    head: bytes, status: int, body: bytes, behind: bytes
) -> None:
    async with Host(head + behind) as host:
        for _ in range(2):
            response = await host.ask()
            assert (response.status, await response.read()) == (status, body)
            response.close()
        assert host.connections == 2


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nx-a: ",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx-trailer: ",
        b"HTTP/1.1 ",
    ],
    ids=["header", "trailer", "status line"],
)
async def test_one_line_without_an_end_is_cut_off_at_once(head: bytes) -> None:
    """The parser gathers a line until it ends, which takes time that grows with its square."""
    loop = asyncio.get_running_loop()
    async with Host(head, *[b"a" * 65536] * 400) as host:
        started = loop.time()
        with pytest.raises(TransportError):
            await answer_of(host)
        assert loop.time() - started < 1


async def test_a_body_without_an_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "LARGEST_BODY", 100_000)
    async with Host(b"HTTP/1.1 200 OK\r\n\r\n", *[b"x" * 65536] * 50) as host:
        with pytest.raises(TransportError):
            await answer_of(host)
        await asyncio.wait_for(host.gone.wait(), 1)


async def test_a_cut_body_is_cut_whatever_the_case_of_its_coding() -> None:
    async with Host(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n", close=True
    ) as host:
        with pytest.raises(TransportError):
            await answer_of(host)


async def test_closing_early_hangs_up() -> None:
    async with Host(b"HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n", *[b"abc"] * 300) as host:
        response = await host.ask()
        await response.read_some()
        response.close()
        await asyncio.wait_for(host.gone.wait(), 1)


async def test_an_idle_connection_that_its_host_closed_is_not_used() -> None:
    async with Host(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", close=True) as host:
        for _ in range(3):
            assert await answer_of(host) == b"ok"
            await asyncio.sleep(0.02)
        assert host.connections == 3


async def test_an_idle_connection_grows_old(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "KEEPALIVE_SECONDS", 0.1)
    async with Host(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok") as host:
        assert await answer_of(host) == b"ok"
        await asyncio.wait_for(host.gone.wait(), 1)
        assert await answer_of(host) == b"ok"
        assert host.connections == 2


async def test_a_reader_that_stops_stops_its_host() -> None:
    """The host can send no more than the sockets' buffers and one high-water mark while nobody reads."""
    sent = 0

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 64000000\r\n\r\n")
        for _ in range(64):
            writer.write(b"x" * 1_000_000)
            await writer.drain()
            sent += 1_000_000
        writer.close()

    host = Host()
    host.serve = pour  # type: ignore[method-assign]
    async with host:
        response = await host.ask()
        await asyncio.sleep(0.3)
        assert sent < 20_000_000
        assert len(await response.read()) == 64_000_000
        response.close()


@pytest.mark.parametrize("value", ["1\r\nx-evil: 1", "1\nx", "1\r", "a\0"])
async def test_a_header_cannot_smuggle_another(value: str) -> None:
    async with Host() as host:
        with pytest.raises(ValueError, match="line break"):
            await host.ask(headers={"x-a": value})
        assert host.connections == 0


async def test_a_host_that_does_not_answer_the_connect_times_out() -> None:
    with pytest.raises((TimeoutError, OSError)):  # a sandbox may have no route at all
        await open_upstream("http://192.0.2.1:9/", headers={}, body=b"", connect_timeout=0.2)


async def test_a_certificate_that_nobody_signed_is_refused(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    theirs = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    theirs.load_cert_chain(certificate, key)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        await writer.drain()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=theirs)
    url = f"https://localhost:{server.sockets[0].getsockname()[1]}/"
    with pytest.raises(ssl.SSLCertVerificationError):
        await open_upstream(url, headers={}, body=b"", connect_timeout=5)
    http._tls().load_verify_locations(certificate)
    try:
        response = await open_upstream(url, headers={}, body=b"", connect_timeout=5)
        assert await response.read() == b"ok"
        response.close()
    finally:
        http._tls.cache_clear()
        await http.close()
        server.close()
