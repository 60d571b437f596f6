"""Google's official SDK against the gateway: hosts of every wire answer generateContent."""

from collections.abc import Callable
from typing import Any

import pytest
from google import genai
from google.genai import errors, types

from apps.catalog.providers.spec import Wire
from apps.inference.operations import GEMINI_MODELS
from tests.gateway import Customer, Gateway
from tests.hosting import Host

MODELS = (
    "sandbox/echo",
    "sandbox/claude",
    "sandbox/gemini",
    "sandbox/converse",
    "sandbox/responses",
)
every_lane = pytest.mark.parametrize("model", MODELS)


def weather(city: str) -> str:
    """Finds the weather.

    Args:
        city: The city.
    """
    return f"sunny in {city}"


@every_lane
def test_answers_when_not_streamed(google_client: genai.Client, customer: Customer, model: str):
    answer = google_client.models.generate_content(model=model, contents="Hello there")

    assert answer.text == "You said: Hello there"
    assert answer.model_version == model
    assert answer.usage_metadata is not None
    assert answer.usage_metadata.prompt_token_count
    (record,) = customer.settled(requests=1)
    assert record.surface == "gemini"
    assert record.charged > 0


@every_lane
def test_streams(google_client: genai.Client, model: str):
    chunks = list(google_client.models.generate_content_stream(model=model, contents="Hello there"))

    assert "".join(chunk.text or "" for chunk in chunks) == "You said: Hello there"
    assert len(chunks) > 2
    assert chunks[-1].usage_metadata is not None
    assert chunks[-1].candidates is not None
    assert chunks[-1].candidates[0].finish_reason is types.FinishReason.STOP


@every_lane
def test_calls_a_function_and_reads_its_result(google_client: genai.Client, model: str):
    config = types.GenerateContentConfig(tools=[weather], max_output_tokens=200)
    chat = google_client.chats.create(model=model, config=config)
    answer = chat.send_message("Use weather, please.")

    assert answer.text is not None
    assert "sunny" in answer.text


@every_lane
def test_system_instruction_images_and_schema(google_client: genai.Client, model: str):
    contents: Any = [
        types.Part.from_bytes(data=b"a picture", mime_type="image/png"),
        "What is this?",
    ]
    config = types.GenerateContentConfig(
        system_instruction="Be brief.",
        response_mime_type="application/json",
        response_schema={
            "type": "OBJECT",
            "properties": {"city": {"type": "STRING"}},
            "required": ["city"],
        },
        temperature=0.5,
    )
    answer = google_client.models.generate_content(model=model, contents=contents, config=config)

    assert answer.text is not None
    assert "city" in answer.text


def test_tokens_are_estimated(google_client: genai.Client):
    answer = google_client.models.count_tokens(model="sandbox/echo", contents="Hello there, you")

    assert answer.total_tokens == 4


def test_tokens_of_a_whole_request_are_estimated(gateway: Gateway, customer: Customer):
    path = f"{GEMINI_MODELS[0]}sandbox/echo:countTokens"
    contents = [{"parts": [{"text": "Hello there, you"}]}]
    request = {"model": "models/sandbox/echo", "contents": contents}
    more = request | {"systemInstruction": {"parts": [{"text": "Be brief, all of you."}]}}
    client = gateway.client(customer)

    plain = client.post(path, json={"generateContentRequest": request})
    longer = client.post(path, json={"generate_content_request": more})
    both = client.post(path, json={"generateContentRequest": request, "contents": contents})
    odd = client.post(path, json={"generateContentRequest": 7})

    assert plain.json()["totalTokens"] == 4
    assert longer.json()["totalTokens"] > 4
    assert (both.status_code, odd.status_code) == (400, 400)
    assert "generateContentRequest" in odd.json()["error"]["message"]


@pytest.mark.parametrize(
    ("model", "contents", "status", "code"),
    [
        ("nobody/nothing", "Hi", "NOT_FOUND", 404),
        ("sandbox/embedding", "Hi", "INVALID_ARGUMENT", 400),
    ],
)
def test_errors_are_googles(
    google_client: genai.Client, model: str, contents: str, status: str, code: int
):
    with pytest.raises(errors.ClientError) as refused:
        google_client.models.generate_content(model=model, contents=contents)

    assert (refused.value.code, refused.value.status) == (code, status)


def test_a_wrong_key_is_googles_401(gateway: Gateway):
    options = types.HttpOptions(base_url=gateway.url)
    with (
        genai.Client(api_key="wrong", http_options=options) as client,
        pytest.raises(errors.ClientError) as refused,
    ):
        client.models.generate_content(model="sandbox/echo", contents="Hi")

    assert (refused.value.code, refused.value.status) == (401, "UNAUTHENTICATED")


def test_a_field_of_the_body_is_named(gateway: Gateway, customer: Customer):
    path = f"{GEMINI_MODELS[0]}sandbox/echo:generateContent"
    answer = gateway.client(customer).post(path, json={"contents": [{"parts": [{"text": 7}]}]})

    assert answer.status_code == 400
    assert "contents[0].parts[0].text" in answer.text
    assert customer.balance.held == 0


def test_what_only_google_knows_reaches_its_sdk(google_client: genai.Client, customer: Customer):
    """The lane between equals is verbatim: candidates and executed code have no place in any other format."""
    config = types.GenerateContentConfig(
        candidate_count=2,
        tools=[types.Tool(code_execution=types.ToolCodeExecution())],
    )
    whole = google_client.models.generate_content(
        model="sandbox/gemini", contents="Use codeExecution", config=config
    )
    *_, last = google_client.models.generate_content_stream(
        model="sandbox/gemini", contents="Use codeExecution", config=config
    )

    assert whole.candidates is not None
    assert len(whole.candidates) == 2
    assert whole.executable_code is not None
    assert last.usage_metadata is not None
    assert last.usage_metadata.candidates_token_count
    first, second = customer.settled(requests=2)
    assert first.charged == second.charged > 0


def test_thoughts_and_their_signatures_return_to_the_host_that_made_them(
    google_client: genai.Client, make_model: Callable[..., str]
):
    """The sandbox's reasoner refuses a call without its signature, as Gemini 3 does."""
    thinking = types.ThinkingConfig(include_thoughts=True)
    config = types.GenerateContentConfig(tools=[weather], thinking_config=thinking)
    chat = google_client.chats.create(
        model=make_model(Host("reasoner", Wire.GEMINI)), config=config
    )

    answer = chat.send_message("Use weather, please.")

    assert answer.text is not None
    assert "sunny" in answer.text


def test_stream_that_breaks_raises_in_the_sdk(
    google_client: genai.Client, make_model: Callable[..., str], customer: Customer
):
    model = make_model(Host("echo+lull=200+cut=2", Wire.GEMINI))

    with pytest.raises(errors.APIError) as broken:
        list(google_client.models.generate_content_stream(model=model, contents="Hello there"))

    assert broken.value.status == "INTERNAL"
    (record,) = customer.settled(requests=1)
    assert (record.outcome, record.charged) == ("interrupted", 0)
