"""Whatever is wrong with a request of the API, the answer is the error envelope and never a page."""

import pytest

from apps.inference.operations import BY_PATH
from tests.surfaces import SURFACES, Surface, ask


def error_of(response, status, code):
    assert (response.status_code, response["content-type"]) == (status, "application/json")
    assert response["content-length"] == str(len(response.content))
    assert response["x-should-retry"] == "false"
    error = response.json()["error"]
    assert error["code"] == code
    assert error["request_id"] == response["x-request-id"]
    return error


@pytest.mark.parametrize("path", ["/v1/models/", "/v1/credits/", *(f"{path}/" for path in BY_PATH)])
@pytest.mark.parametrize("method", ["get", "post"])
def test_right_path_is_named_when_a_slash_is_at_the_end(client, method, path):
    error = error_of(getattr(client, method)(path), 404, "not_found")

    assert error["message"].endswith(f": {path.rstrip('/')}.")


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1/nothing", "/v1/nothing/", "/v1beta"])
def test_no_path_is_named_when_there_is_none_like_it(client, path):
    error = error_of(client.get(path), 404, "not_found")

    assert error["message"] == f"There is no {path}."


def test_methods_are_named_when_another_is_wanted(client):
    response = client.post("/v1/models")

    error_of(response, 405, "method_not_allowed")
    assert response["allow"] == "GET"


def test_headers_of_the_page_are_kept_when_it_is_rewritten(client):
    assert client.get("/v1/nothing")["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/v1/models", "/v1/nothing", "/messages/"])
@pytest.mark.parametrize("tls", [False, True], ids=["plain", "behind TLS"])
def test_host_is_refused_in_the_envelope_when_it_is_not_listed(client, settings, path, tls):
    settings.ALLOWED_HOSTS = ["gateway.example"]
    settings.SECURE_SSL_REDIRECT = tls

    error = error_of(
        client.get(path, headers={"host": "elsewhere.example"}), 400, "invalid_request"
    )

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
