"""GET /v1/models without a query, in OpenAI's shape, answered ahead of Django from bytes that were prepared with the snapshot."""

from typing import Any

from apps.catalog.dialects import HEADERS
from apps.catalog.selectors import catalog
from apps.common.ids import new_id
from apps.common.prepared import accepts_gzip

PATH = "/v1/models"
COMPANIES = frozenset(name.encode() for name in HEADERS)
VARY = ", ".join(("accept-encoding", *HEADERS)).encode()


def is_plain_listing(scope: dict[str, Any]) -> bool:
    return (
        scope["path"] == PATH
        and scope["method"] in {"GET", "HEAD"}
        and not scope["query_string"]
        and COMPANIES.isdisjoint(name for name, _ in scope["headers"])
    )


async def answer(scope: dict[str, Any], _receive: Any, send: Any) -> None:
    asked = dict(scope["headers"])
    listing = (await catalog.fresh()).listing
    headers = [
        (b"content-type", b"application/json"),
        (b"etag", listing.etag.encode()),
        (b"vary", VARY),
        (b"x-request-id", new_id("req").encode()),
    ]
    status, body = 200, listing.body
    if listing.known_to(asked.get(b"if-none-match", b"").decode("latin-1")):
        status, body = 304, b""
    else:
        if accepts_gzip(asked.get(b"accept-encoding", b"").decode("latin-1")):
            body = await listing.compressed_body()
            headers.append((b"content-encoding", b"gzip"))
        headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})
