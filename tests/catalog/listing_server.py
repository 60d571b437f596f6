"""A provider's list of models on a real socket: it says what the test tells it to, page by page."""

import gzip
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass
class ListServer:
    url: str = ""
    body: Any = None
    """JSON, or bytes as they are, or a function of the query that returns one of them."""
    status: int = 200
    etag: str = ""
    asked: list[tuple[str, dict[str, str], dict[str, str]]] = field(default_factory=list)
    """Path, query and headers of each request."""
    methods: list[str] = field(default_factory=list)
    before: Callable[[], None] = lambda: None
    headers: dict[str, str] = field(default_factory=dict)


@contextmanager
def list_server() -> Iterator[ListServer]:
    told = ListServer()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            told.methods.append(self.command)
            parts = urlsplit(self.path)
            query = dict(parse_qsl(parts.query))
            told.asked.append((parts.path, query, {k.lower(): v for k, v in self.headers.items()}))
            told.before()
            if told.etag and self.headers.get("if-none-match") == told.etag:
                self.send_response(304)
                self.end_headers()
                return
            body = told.body(query) if callable(told.body) else told.body
            raw = body if isinstance(body, bytes) else json.dumps(body).encode()
            packed = gzip.compress(raw, 1)
            self.send_response(told.status)
            self.send_header("content-encoding", "gzip")
            self.send_header("content-length", str(len(packed)))
            if told.etag:
                self.send_header("etag", told.etag)
            for name, value in told.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(packed)

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
