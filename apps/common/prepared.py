"""Prepared: a JSON body that is made once and served many times, whole, compressed or not at all (304)."""

import asyncio
import gzip
import hashlib


class Prepared:
    def __init__(self, body: bytes) -> None:
        self.body = body
        self._compressed: bytes | None = None
        self.etag = f'W/"{hashlib.sha256(body).hexdigest()[:32]}"'
        """Weak: the compressed body has it too."""

    async def compressed_body(self) -> bytes:
        """gzip, about a tenth of the body; made by the first who asks, beside the event loop."""
        if self._compressed is None:
            self._compressed = await asyncio.to_thread(gzip.compress, self.body, 5, mtime=0)
        return self._compressed

    def known_to(self, if_none_match: str) -> bool:
        """Whether a client that sends this header has the body already (RFC 9110, 13.1.2)."""
        if if_none_match.strip() == "*":
            return True
        opaque = self.etag.removeprefix("W/")
        return any(tag.strip().removeprefix("W/") == opaque for tag in if_none_match.split(","))


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether the header names gzip and does not refuse it with a weight of nought."""
    for coding in accept_encoding.lower().split(","):
        name, _, weight = coding.partition(";")
        if name.strip() in {"gzip", "*"}:
            return weight.strip().replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return False
