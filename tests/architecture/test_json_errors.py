"""Whatever is wrong with a request of the API, the answer is the error envelope of its path and never a page."""

import gzip
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from apps.catalog.providers.spec import Wire
from apps.inference.operations import BY_PATH
from gatewayz import hosts
from tests.architecture.test_routes import PUBLIC, ROUTES
from tests.surfaces import SURFACES, Surface, ask


def error_of(response, status, code, wire=Wire.OPENAI_CHAT):
    assert (response.status_code, response["content-type"]) == (status, "application/json")
    assert response["content-length"] == str(len(response.content))
    assert response["x-should-retry"] == "false"
    body = response.json()
    assert read_envelope(body, wire) == (code, response["x-request-id"])
    return body["error"]


NO_API = {"/", "/metrics", "/v1/docs", "/admin/"}
FILLED = {
    "<path:model_id>": "sandbox/echo", "{model}": "sandbox/echo", "<slug>": "sandbox",
    "<category>": "tools", "<response_id>": "resp_1", "<plan>": "pro", "<code>": "NOBODY",
    "<session_id>": "cs_1", "<intent_id>": "pi_1", "<payment_id>": "ord_1", "<card_id>": "pm_1", "<tax_id>": "txi_1",
}  # fmt: skip


def fill(path: str) -> str:
    for name, value in FILLED.items():
        path = path.replace(name, value)
    return path


STAFF = "/admin/refresh-providers"
EVERY_PATH = sorted({fill(path) for path in ROUTES} - NO_API | {STAFF})
MISTAKES: dict[str, Callable[[httpx.Client, str], httpx.Response]] = {
    "wrong method": lambda client, path: client.patch(path),
    "slash at the end": lambda client, path: client.get(path + "/"),
    "foreign host": lambda client, path: client.get(path, headers={"host": "elsewhere.example"}),
    "foreign host, posted": lambda client, path: client.post(path, headers={"host": "a/b"}),
}


def wire_of_path(path: str) -> Wire:
    if "/messages" in path:
        return Wire.ANTHROPIC_MESSAGES
    is_googles = path.startswith("/v1beta") or "Content" in path or ":countTokens" in path
    return Wire.GEMINI if is_googles else Wire.OPENAI_CHAT


def read_envelope(body: dict[str, Any], wire: Wire) -> tuple[str, str]:
    """Code and request id."""
    error = body["error"]
    if wire is Wire.GEMINI:
        return error["details"][0]["reason"], error["details"][1]["requestId"]
    if wire is Wire.ANTHROPIC_MESSAGES:
        assert body["type"] == "error"
        return error["code"], body["request_id"]
    assert set(error) == {"message", "type", "param", "code", "request_id"}
    return error["code"], error["request_id"]


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.parametrize("path", EVERY_PATH)
def test_mistake_is_told_in_the_envelope_of_the_path(gateway, settings, path, mistake):
    settings.ALLOWED_HOSTS = ["127.0.0.1"]
    hosts.is_ours.cache_clear()
    with httpx.Client(base_url=gateway.url, verify=False) as client:
        response = MISTAKES[mistake](client, path)
    hosts.is_ours.cache_clear()

    if path == STAFF and "slash" in mistake:
        assert response.headers["location"].startswith("/admin/login/")  # a page of the admin
        return
    assert response.status_code in {400, 404, 405} or path == STAFF
    assert response.headers["content-type"] == "application/json"
    code, request_id = read_envelope(response.json(), wire_of_path(path))
    assert request_id == response.headers["x-request-id"]
    if "host" in mistake:
        assert (response.status_code, code) == (400, "invalid_request")


@pytest.mark.parametrize("method", ["get", "post", "delete"])
@pytest.mark.parametrize("path", ["/v1/messages/batches", "/v1/messages/batches/b_1/results"])
def test_paths_below_messages_are_refused_in_anthropics_envelope(client, method, path):
    error_of(getattr(client, method)(path), 404, "not_found", Wire.ANTHROPIC_MESSAGES)


@pytest.mark.parametrize("path", ["/v1/models/", "/v1/credits/", *(f"{path}/" for path in BY_PATH)])
@pytest.mark.parametrize("method", ["get", "post"])
def test_right_path_is_named_when_a_slash_is_at_the_end(client, method, path):
    error = error_of(getattr(client, method)(path), 404, "not_found", wire_of_path(path))

    assert error["message"].endswith(f": {path.rstrip('/')}.")


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1/nothing", "/v1/nothing/", "/v1beta"])
def test_no_path_is_named_when_there_is_none_like_it(client, path):
    error = error_of(client.get(path), 404, "not_found", wire_of_path(path))

    assert error["message"] == f"There is no {path}."


def test_methods_are_named_when_another_is_wanted(client):
    response = client.post("/v1/models")

    error_of(response, 405, "method_not_allowed")
    assert response["allow"] == "GET, HEAD"


NOT_READ = {"/v1/", "/v1beta/", "/api/stripe/", "/api/stripe/webhook"}
READABLE = sorted(
    path
    for path, who in ROUTES.items()
    if who == PUBLIC and path not in NO_API | NOT_READ and "<code>" not in path
)


@pytest.mark.parametrize("path", [fill(path) for path in READABLE])
def test_head_is_answered_as_get_without_the_body(gateway, path):
    query = {"/v1/models/search": "?q=echo", "/v1/models/compare": "?ids=sandbox/echo"}.get(
        path, ""
    )
    with httpx.Client(base_url=gateway.url, verify=False) as client:
        if path == "/v1/models/batch-compare":
            refused = client.head(path)
            assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
            return
        read, asked = client.get(path + query), client.head(path + query)

    assert (asked.status_code, asked.content) == (200, b"") != (200, read.content)
    assert asked.headers["content-type"] == read.headers["content-type"]


def test_body_is_called_too_large_when_it_is(client):
    response = client.post(
        "/v1/models/batch-compare", b" " * 3_000_000, content_type="application/json"
    )

    error_of(response, 413, "request_too_large")


def test_compressed_body_is_refused_by_its_header(client):
    body = gzip.compress(b'{"models": ["a", "b"]}')
    asked = {"content_type": "application/json", "headers": {"content-encoding": "gzip"}}
    response = client.post("/v1/models/batch-compare", body, **asked)

    error_of(response, 415, "unsupported_encoding")
    assert response.json()["error"]["param"] == "content-encoding"
    assert response["accept-encoding"] == "identity"
    asked["headers"] = {"content-encoding": "identity"}
    plain = client.post("/v1/models/batch-compare", b"{", **asked)
    error_of(plain, 400, "invalid_json")


@pytest.mark.parametrize(
    ("body", "param", "code", "message"),
    [
        (b"", None, "missing_field", "The body is missing."),
        (b"{", None, "invalid_json", "The body is not valid JSON."),
        (b"{}", "models", "missing_field", "'models' is missing."),
        (b'{"models": "x"}', "models", "invalid_value", "'models' should be a valid list."),
        (b'{"models": ["a", 1]}', "models[1]", "invalid_value", "'models[1]' should be a valid string."),
    ],
)  # fmt: skip
def test_field_of_the_body_is_named_by_its_path(client, body, param, code, message):
    response = client.post("/v1/models/batch-compare", body, content_type="application/json")

    error = error_of(response, 400, code)
    assert (error["param"], error["message"]) == (param, message)


def test_headers_of_the_page_are_kept_when_it_is_rewritten(client):
    assert client.get("/v1/nothing")["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/v1/models", "/v1/nothing", "/v1/messages/"])
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "behind TLS"])
def test_host_is_refused_in_the_envelope_when_it_is_not_listed(client, settings, path, tls):
    settings.ALLOWED_HOSTS = ["gateway.example"]
    settings.SECURE_SSL_REDIRECT = tls

    response = client.get(path, headers={"host": "elsewhere.example"})
    error = error_of(response, 400, "invalid_request", wire_of_path(path))

    assert "ALLOWED_HOSTS" in error["message"]
    assert "elsewhere" not in error["message"]


def test_pages_keep_djangos_errors_when_they_are_not_the_apis(client):
    assert client.get("/nothing")["content-type"].startswith("text/html")


@pytest.mark.parametrize("surface", SURFACES, ids=str)
def test_path_without_the_version_is_served_when_asked(gateway, customer, surface: Surface):
    path = surface.path.removeprefix("/v1")
    answer = gateway.client(customer).post(path, json=surface.body("sandbox/echo"))

    with_version = ask(gateway.client(customer), surface, surface.body("sandbox/echo"))
    assert (answer.status_code, with_version.status) == (200, 200)
    assert answer.json().keys() == with_version.events[0].keys()
