"""Every path of the API is served without its version too, and is the same there."""

import httpx
import pytest

from gatewayz.unversioned import first_parts, with_version
from tests.architecture.test_routes import ROUTES

NAMES_ONLY = {"/v1/", "/v1/docs", "/v1/openapi.json"}
PATHS = sorted(
    path.replace("<path:model_id>", "sandbox/echo").replace("{model}", "sandbox/echo").replace("<", "").replace(">", "")
    for path in ROUTES
    if path.startswith("/v1/") and path not in NAMES_ONLY
)  # fmt: skip


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("path", PATHS)
def test_answer_is_the_same_without_the_version(gateway, path, method):
    with httpx.Client(base_url=gateway.url, verify=False) as client:
        told = client.request(method, path)
        same = client.request(method, path.removeprefix("/v1"))

    assert same.status_code == told.status_code
    assert same.headers["content-type"] == told.headers["content-type"]
    assert without_ids(same) == without_ids(told)


def without_ids(answer: httpx.Response) -> str:
    text = answer.text
    for name in ("x-request-id", "request-id"):
        if value := answer.headers.get(name):
            text = text.replace(value, "")
    return text


def test_a_client_without_the_version_is_served_all_the_same(gateway, customer):
    client = gateway.client(customer)
    body = {"model": "sandbox/echo", "messages": [{"role": "user", "content": "Hello there"}]}

    answer = client.post("/chat/completions", json=body)
    stored = client.post("/responses", json={"model": "sandbox/responses", "input": "Hello"})
    again = client.get(f"/responses/{stored.json()['id']}")

    assert answer.json()["choices"][0]["message"]["content"] == "You said: Hello there"
    assert again.json()["id"] == stored.json()["id"]
    assert client.get("/models").json()["data"] == client.get("/v1/models").json()["data"]
    assert client.get("/models/sandbox/echo").status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/", "/admin/login/", "/health", "/metrics", "/openapi.json", "/v1/models", "/v1beta/models", "/static/x", "/modelsx"],
)  # fmt: skip
def test_what_is_none_of_the_apis_names_is_left_alone(path):
    scope = {"type": "http", "path": path, "raw_path": path.encode()}

    assert with_version(scope) is scope
    assert {"chat", "models", "user", "responses"} <= first_parts()


def test_missing_path_says_so_in_the_envelope_of_the_api(gateway):
    answer = httpx.get(f"{gateway.url}/responses/none/at/all", verify=False)

    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
