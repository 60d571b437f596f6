"""The official SDKs list the models and read one: each gets the list of its own company."""

import anthropic
import httpx
import openai
import pytest
from google import genai
from google.genai import errors

from tests.gateway import Gateway

MODEL = "sandbox/echo"


@pytest.fixture
def conversing(gateway: Gateway) -> set[str]:
    """The ids that the gateway's own list has for models that write text."""
    found = httpx.get(f"{gateway.url}/v1/models?output_modalities=text", verify=False).json()
    assert found["total"] == len(found["data"]) > 2
    return {card["id"] for card in found["data"]}


def test_openai_lists_and_reads_models(openai_client: openai.OpenAI, conversing: set[str]):
    listed = list(openai_client.models.list())

    assert conversing <= {model.id for model in listed}
    assert len({model.id for model in listed}) == len(listed)
    read = openai_client.models.retrieve(MODEL)
    assert (read.id, read.owned_by, read.object) == (MODEL, "sandbox", "model")
    with pytest.raises(openai.NotFoundError):
        openai_client.models.retrieve("acme/none")


def test_anthropic_lists_models_page_after_page(
    anthropic_client: anthropic.Anthropic, conversing: set[str]
):
    listed = [model.id for model in anthropic_client.models.list(limit=2)]

    assert set(listed) == conversing
    assert len(listed) == len(conversing)
    first = anthropic_client.models.list(limit=1)
    assert (first.has_more, first.first_id, first.last_id) == (True, listed[0], listed[0])
    before = anthropic_client.models.list(limit=1, before_id=listed[2])
    assert [model.id for model in before.data] == [listed[1]]
    assert before.has_more
    with pytest.raises(anthropic.BadRequestError):
        anthropic_client.models.list(after_id="acme/none")
    with pytest.raises(anthropic.BadRequestError):
        anthropic_client.models.list(after_id=listed[0], before_id=listed[1])


def test_anthropic_reads_a_model(anthropic_client: anthropic.Anthropic):
    read = anthropic_client.models.retrieve(MODEL)

    assert (read.id, read.type) == (MODEL, "model")
    assert read.created_at.year == 1970  # nobody knows when it came out
    with pytest.raises(anthropic.NotFoundError):
        anthropic_client.models.retrieve("acme/none")


def test_google_lists_models_page_after_page(google_client: genai.Client, conversing: set[str]):
    pager = google_client.models.list(config={"page_size": 2})
    listed = [model.name for model in pager]

    assert set(listed) == {f"models/{model}" for model in conversing}
    assert len(listed) == len(conversing)


def test_google_reads_a_model(google_client: genai.Client):
    read = google_client.models.get(model=MODEL)

    assert read.name == f"models/{MODEL}"
    assert read.supported_actions == ["generateContent", "countTokens"]
    with pytest.raises(errors.ClientError) as raised:
        google_client.models.get(model="acme/none")
    assert (raised.value.code, raised.value.status) == (404, "NOT_FOUND")


@pytest.mark.parametrize("query", ["pageSize=-1", "pageSize=x", "pageToken=acme/none"])
def test_googles_page_is_refused_in_googles_envelope(gateway: Gateway, query: str):
    response = httpx.get(f"{gateway.url}/v1beta/models?{query}", verify=False)

    assert response.status_code == 400
    assert response.json()["error"]["status"] == "INVALID_ARGUMENT"
    assert query.partition("=")[0] in response.json()["error"]["message"]
