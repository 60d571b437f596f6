"""The served OpenAPI document: whole, valid in its references, and the same as the committed one."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest
from ninja import Schema

from apps.inference.operations import SURFACES
from gatewayz.management.commands.export_openapi import render
from gatewayz.openapi import WITHOUT_VERSION
from tests.architecture.test_routes import ROUTES

ROOT = Path(__file__).resolve().parents[2]
PUBLIC = {
    "/v1/.well-known/jwks.json",
    "/v1/providers",
    "/v1/provider",
    "/v1/provider/{slug}",
    "/v1/provider/{slug}/stats",
    "/v1/provider/{slug}/top-models",
    "/v1/gateways",
    "/v1/gateways/status",
    "/v1/gateways/summary",
    "/v1/gateway/{slug}/stats",
    "/v1/routers",
    "/v1/ranking/models",
    "/v1/plans",
    "/v1/plans/{plan}",
    "/v1/subscription/plans",
    "/v1/partner-trials/config/{code}",
    "/v1/partner-trials/check/{code}",
    "/api/stripe/credit-packages",
    "/api/stripe/webhook",
    *WITHOUT_VERSION,
    "/openapi.json",
    "/health",
    "/health/ready",
    "/metrics",
}
PUBLIC_PREFIXES = ("/v1/models", "/v1beta/models")
PAGES_AND_NAMES = {
    "/",
    "/admin/",
    "/v1/",
    "/v1beta/",
    "/api/stripe/",
    "/v1/docs",
    "/v1/openapi.json",
}


@pytest.fixture
def document(client):
    response = client.get("/v1/openapi.json")
    assert response.status_code == 200
    return response.json()


def test_document_is_the_committed_one_when_rendered():
    committed = (ROOT / "docs/openapi.json").read_text()

    assert committed == render(), (
        "the API has changed: run `make openapi` and look at the difference"
    )


def test_document_is_the_rendered_one_when_served(document):
    assert document == json.loads(render())


def test_document_has_every_route_when_compared_with_the_table_of_routes(document):
    served = {re.sub("<(?:path:)?([a-z_]+)>", r"{\1}", path) for path in ROUTES} - PAGES_AND_NAMES

    assert served == document["paths"].keys() - {"/admin/refresh-providers", *WITHOUT_VERSION}


@pytest.mark.parametrize("path", ["/models", "/ranking/models"])
def test_path_that_is_known_without_its_version_is_shown_so(document, path):
    shown, versioned = document["paths"][path]["get"], document["paths"][f"/v1{path}"]["get"]

    assert shown["description"] == f"The same as `GET /v1{path}`."
    assert shown["operationId"] != versioned["operationId"]
    own = {"description", "operationId"}
    assert {k: v for k, v in shown.items() if k not in own} == {
        k: v for k, v in versioned.items() if k not in own
    }


def test_document_is_not_sent_again_when_the_client_has_it(client):
    tag = client.get("/openapi.json")["etag"]

    assert client.get("/v1/openapi.json", headers={"if-none-match": tag}).status_code == 304


@pytest.mark.parametrize("surface", SURFACES, ids=lambda surface: surface.paths[0])
def test_inference_operation_is_documented_when_it_is_in_the_table(document, surface):
    operation = document["paths"][surface.paths[0]]["post"]

    assert operation["summary"] == surface.summary
    assert {"200", "400", "401", "402", "429", "503"} <= set(operation["responses"])
    content = operation["requestBody"]["content"]
    if surface.read_json is not None:
        assert content["application/json"]["schema"]["required"] == ["contents"]
        return
    if surface.body is None:
        form = content["multipart/form-data"]["schema"]["properties"]
        assert set(form) == {field.rstrip("!*") for field in surface.form}
        return
    reference = content["application/json"]["schema"]["$ref"]
    fields = set(surface.body.__struct_fields__)
    assert set(find(document, reference)["properties"]) == fields


def test_schemas_have_names_of_their_own_when_the_document_has_one_for_each(document):
    def descendants(parent):
        for child in parent.__subclasses__():
            yield child
            yield from descendants(child)

    ours = {found for found in descendants(Schema) if found.__module__.startswith("apps.")}
    assert document["components"]["schemas"]
    assert [name for name, count in Counter(c.__name__ for c in ours).items() if count > 1] == []


def test_every_reference_leads_somewhere_when_followed(document):
    references = list(references_in(document))

    assert references
    for reference in references:
        assert find(document, reference)


def test_operations_ask_for_a_key_when_they_are_not_public(document):
    for path, item in document["paths"].items():
        for operation in item.values():
            is_public = path in PUBLIC or (path.startswith(PUBLIC_PREFIXES) and ":" not in path)
            assert ("security" in operation) == (not is_public), path


def find(document, reference):
    found = document
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def references_in(value):
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for inner in value.values():
            yield from references_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references_in(inner)
