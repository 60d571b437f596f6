"""GET /v1/models over a socket: prepared bytes, compressed for those who can read them, nothing for those who have them."""

import gzip

import httpx
import pytest


@pytest.fixture
def plain(gateway):
    return httpx.get(f"{gateway.url}/v1/models", headers={"accept-encoding": "identity"})


def test_the_list_is_the_same_compressed_and_not(gateway, plain):
    assert plain.status_code == 200
    assert plain.headers["content-type"] == "application/json"
    assert "sandbox/echo" in {card["id"] for card in plain.json()["data"]}
    with httpx.stream(
        "GET", f"{gateway.url}/v1/models", headers={"accept-encoding": "br, gzip;q=0.5"}
    ) as packed:
        raw = b"".join(packed.iter_raw())
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["vary"].startswith("accept-encoding, ")
    assert gzip.decompress(raw) == plain.content
    refused = httpx.get(
        f"{gateway.url}/v1/models", headers={"accept-encoding": "gzip;q=0, deflate"}
    )
    assert "content-encoding" not in refused.headers
    assert refused.content == plain.content


@pytest.mark.parametrize("tags", ["{etag}", '"other", {etag}', "{strong}", "*"])
def test_a_client_that_has_the_list_gets_none(gateway, plain, tags):
    etag = plain.headers["etag"]
    sent = tags.format(etag=etag, strong=etag.removeprefix("W/"))
    answer = httpx.get(f"{gateway.url}/v1/models", headers={"if-none-match": sent})
    assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", etag)
    stale = httpx.get(f"{gateway.url}/v1/models", headers={"if-none-match": '"0"'})
    assert (stale.status_code, stale.json()) == (200, plain.json())


def test_head_tells_the_size_without_the_list(gateway, plain):
    answer = httpx.head(f"{gateway.url}/v1/models", headers={"accept-encoding": "identity"})
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == str(len(plain.content))
