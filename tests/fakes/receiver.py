"""An endpoint for webhooks: keeps every body and signature in the order of arrival, and answers as it is told."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import stripe

SECRET = "whsec_test"


@dataclass(frozen=True, slots=True)
class Received:
    body: bytes
    signature: str

    def event(self, *, secret: str = SECRET) -> stripe.Event:
        """The event, if its signature is right; raises ``stripe.SignatureVerificationError`` else."""
        found: stripe.Event = stripe.Webhook.construct_event(self.body, self.signature, secret)
        return found


@dataclass(slots=True)
class Receiver:
    url: str
    status: int = 200
    received: list[Received] = field(default_factory=list)

    @property
    def kinds(self) -> list[str]:
        return [one.event().type for one in self.received]


@contextmanager
def start_receiver() -> Iterator[Receiver]:
    receiver = Receiver("")

    class Endpoint(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            receiver.received.append(Received(body, self.headers["Stripe-Signature"]))
            self.send_response(receiver.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as in the base
            """Nothing: the tests look at what was received."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    receiver.url = f"http://127.0.0.1:{server.server_port}/hook"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
