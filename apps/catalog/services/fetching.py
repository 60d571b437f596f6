"""Fetching a provider's list of models: page by page into a temporary file, with deadlines and a cap, never into memory.

Runs in a worker or on the command line, beside the hot path, so it is synchronous and uses a common client. A redirect
is an error: the secret that goes along is meant for one host.
"""

import hashlib
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, Any
from urllib.parse import urlencode

import ijson  # type: ignore[import-untyped] # publishes no types
import urllib3

from apps.catalog.providers.listed import Listing, Paging, first
from apps.catalog.services.json_lists import Guard, ListRefused, entries_at

CONNECT_SECONDS = 10
READ_SECONDS = 30
"""Between two pieces of an answer."""
TOTAL_SECONDS = 180
MOST_BYTES = 100 * 1024 * 1024
"""Of a whole list, after decompression."""
MOST_PAGES = 500
CHUNK = 2**16
AGENT = "gatewayz-catalogue/1"


class ListUnchanged(Exception):
    """Nothing has changed since the last time: the provider says so, or the bytes are the same."""


@dataclass(slots=True)
class Fetch:
    """One reading of a list: give it to ``entries``, then ask it for what it has found out."""

    listing: Listing
    url: str
    headers: Mapping[str, str]
    etag: str = ""
    """Of the last time; afterwards of this time."""
    content_hash: str = ""
    """Of the last time: a list in one piece that has it still is not even read."""
    sent: int = 0
    digest: Any = field(default_factory=hashlib.sha256)
    deadline: float = field(default_factory=lambda: time.monotonic() + TOTAL_SECONDS)

    def entries(self) -> Iterator[Any]:
        """Every entry of every page. Raises ListRefused, ListUnchanged."""
        asked, number = {}, 1
        if self.listing.pages.style is not Paging.NONE:
            asked = {self.listing.pages.size_parameter: str(self.listing.pages.size)}
        if self.listing.pages.style is Paging.NUMBERED:
            asked[self.listing.pages.parameter] = "1"
        while number <= MOST_PAGES:
            count, last = 0, None
            with self._page(asked) as file:
                for entry in parse(file, self.listing):
                    count, last = count + 1, entry
                    yield entry
                following = self._following(file, count, last, number)
            if not following:
                return
            asked[self.listing.pages.parameter] = following
            number += 1
        raise ListRefused(f"The list has more than {MOST_PAGES} pages.")

    def _following(self, file: IO[bytes], count: int, last: Any, number: int) -> str:
        """What to ask for the next page; nothing after the last one."""
        pages = self.listing.pages
        if pages.style is Paging.TOKEN:
            file.seek(0)
            return str(next(entries_at(file, pages.token), None) or "")
        if count < pages.size:
            return ""
        if pages.style is Paging.AFTER_ID:
            return str(first(last, self.listing.ids) or "")
        return str(number + 1) if pages.style is Paging.NUMBERED else ""

    @contextmanager
    def _page(self, asked: Mapping[str, str]) -> Iterator[IO[bytes]]:
        separator = "&" if "?" in self.url else "?"
        url = f"{self.url}{separator}{urlencode(asked)}" if asked else self.url
        with tempfile.TemporaryFile() as file:
            self._download(url, file)
            in_one_piece = self.listing.pages.style is Paging.NONE
            if in_one_piece and self.digest.hexdigest() == self.content_hash:
                raise ListUnchanged
            file.seek(0)
            yield file

    def _download(self, url: str, file: IO[bytes]) -> None:
        headers = {
            "accept": "application/json",
            "accept-encoding": "gzip",
            "user-agent": AGENT,
            **self.headers,
        }
        if self.etag and self.listing.pages.style is Paging.NONE:
            headers["if-none-match"] = self.etag
        timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS)
        try:
            with (
                urllib3.PoolManager() as pool,
                pool.request(
                    "GET",
                    url,
                    headers=headers,
                    preload_content=False,
                    redirect=False,
                    retries=False,
                    timeout=timeout,
                ) as response,
            ):
                self._check(response)
                guard = Guard()
                for chunk in response.stream(CHUNK, decode_content=True):
                    self._take(chunk, file)
                    guard.take(chunk)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise ListRefused(f"The list could not be fetched: {type(error).__name__}.") from error

    def _check(self, response: urllib3.BaseHTTPResponse) -> None:
        if response.status == 304 and self.etag:
            raise ListUnchanged
        if response.status != 200:
            raise ListRefused(f"The list was answered with status {response.status}.")
        self.etag = response.headers.get("etag", "")[:300]

    def _take(self, chunk: bytes, file: IO[bytes]) -> None:
        self.sent += len(chunk)
        if self.sent > MOST_BYTES:
            raise ListRefused(f"The list is larger than {MOST_BYTES // 2**20} MiB.")
        if time.monotonic() > self.deadline:
            raise ListRefused(f"The list took longer than {TOTAL_SECONDS} seconds.")
        self.digest.update(chunk)
        file.write(chunk)


def parse(file: IO[bytes], listing: Listing) -> Iterator[Any]:
    """The entries, one after the other, of the first place that has any. Numbers with a point or exponent are Decimal."""
    try:
        for prefix in listing.items:
            file.seek(0)
            found = False
            for entry in entries_at(file, prefix):
                found = True
                yield entry
            if found:
                return
    except (ijson.JSONError, UnicodeDecodeError) as error:
        raise ListRefused("The list is not JSON, or was cut off.") from error
    except (ArithmeticError, ValueError) as error:
        raise ListRefused("The list has a number that cannot be read.") from error
