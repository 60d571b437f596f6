"""OpenAI's other endpoints and rerank through the gateway: the official SDK reads the answers, the books say what they cost.

Every test compares the charge with the price by hand: sandbox prices are in apps/catalog/services/sandbox.py.
"""

import base64
import io
import math
import wave
from typing import Any

import openai
import pytest
from anthropic import Anthropic
from openai import OpenAI

NANO = 10**9


def sound_of(seconds: float) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(round(seconds * 8000) * 2))
    return file.getvalue()


def charged(customer: Any, surface: str) -> Any:
    """The one record of this customer, after checking that the balance agrees with it."""
    (record,) = customer.settled(requests=1)
    assert (record.surface, record.outcome) == (surface, "completed")
    assert customer.balance.total == 10 * NANO - record.charged
    assert customer.balance.held == 0
    return record


def test_embeddings_are_billed_by_the_token(openai_client: OpenAI, customer):
    answer = openai_client.embeddings.create(
        model="sandbox/embedding", input=["Hello there", "and again"], dimensions=8
    )

    assert [len(found.embedding) for found in answer.data] == [8, 8]
    assert answer.model == "sandbox/embedding"
    record = charged(customer, "embeddings")
    assert record.input_tokens == answer.usage.prompt_tokens > 0
    assert record.charged == math.floor(record.input_tokens * 0.02 / 1e6 * NANO + 0.5)
    assert answer.usage.model_extra is not None
    assert answer.usage.model_extra["cost"] == record.charged / NANO


def test_embeddings_of_tokens_and_in_base64(openai_client: OpenAI):
    plain = openai_client.embeddings.create(model="sandbox/embedding", input=[[1, 2, 3]])
    raw = openai_client.embeddings.with_raw_response.create(
        model="sandbox/embedding", input=[[1, 2, 3]], encoding_format="base64"
    )

    assert len(plain.data) == 1
    assert isinstance(raw.http_response.json()["data"][0]["embedding"], str)


def test_images_are_billed_by_the_image(openai_client: OpenAI, customer):
    answer = openai_client.images.generate(
        model="sandbox/image", prompt="A cat", n=2, size="1024x1024"
    )

    assert answer.data is not None
    assert len(answer.data) == 2
    record = charged(customer, "images")
    assert (record.images, record.charged) == (2, 80_000_000)


def test_image_edits_send_the_picture_on(openai_client: OpenAI, customer, gateway):
    picture = openai_client.images.generate(model="sandbox/image", prompt="A cat")
    assert picture.data is not None
    png = base64.b64decode(picture.data[0].b64_json or "")
    answer = openai_client.images.edit(
        model="sandbox/image", prompt="Bluer", image=("cat.png", png, "image/png"), n=1
    )

    assert answer.data is not None
    records = customer.settled(requests=2)
    assert sorted((r.surface, r.images, r.charged) for r in records) == [
        ("image_edits", 1, 40_000_000),
        ("images", 1, 40_000_000),
    ]


@pytest.mark.parametrize("shape", ["json", "verbose_json", "text", "srt", "vtt"])
def test_transcriptions_are_billed_by_the_second(openai_client: OpenAI, customer, shape: Any):
    answer = openai_client.audio.transcriptions.create(
        model="sandbox/transcription",
        file=("speech.wav", sound_of(2.4), "audio/wav"),
        response_format=shape,
    )

    text = answer if isinstance(answer, str) else answer.text
    assert "speech.wav" in text
    record = charged(customer, "transcriptions")
    assert (record.seconds, record.charged) == (3, 300_000)


def test_speech_is_billed_by_the_character(openai_client: OpenAI, customer):
    with openai_client.audio.speech.with_streaming_response.create(
        model="sandbox/speech", input="Hello there", voice="alloy", response_format="wav"
    ) as answer:
        sound = answer.read()

    assert answer.headers["content-type"].startswith("audio/")
    assert sound.startswith(b"RIFF")
    record = charged(customer, "speech")
    assert (record.characters, record.charged) == (11, 165_000)
    assert record.usage_source == "counted"


def test_moderations_are_free_and_recorded(openai_client: OpenAI, customer):
    answer = openai_client.moderations.create(model="sandbox/moderation", input="Be kind")

    assert answer.results[0].flagged is False
    assert charged(customer, "moderations").charged == 0


def test_moderations_choose_a_model_when_none_is_named(openai_client: OpenAI, customer):
    answer = openai_client.moderations.create(input="Be kind")

    assert answer.model == "sandbox/moderation"
    assert charged(customer, "moderations").requested_model == "sandbox/moderation"


def test_a_recording_of_25_mb_is_taken(openai_client: OpenAI):
    sound = b"\0" * 25 * 1000 * 1000

    answer = openai_client.audio.transcriptions.create(
        model="sandbox/transcription", file=("long.wav", sound)
    )

    assert answer.text


def test_rerank_is_billed_by_the_search(gateway, customer):
    body = {
        "model": "sandbox/reranker",
        "query": "cats",
        "documents": ["dogs", "cats and more cats", "fish"],
        "top_n": 2,
    }
    answer = gateway.client(customer).post("/v1/rerank", json=body)

    assert answer.status_code == 200
    assert answer.json()["results"][0]["index"] == 1
    record = charged(customer, "rerank")
    assert (record.searches, record.charged) == (1, 2_000_000)
    assert answer.json()["usage"]["cost"] == 0.002


def test_completions_answer_whole_and_streamed(openai_client: OpenAI, customer):
    whole = openai_client.completions.create(model="sandbox/echo", prompt="Hello", max_tokens=50)
    stream = openai_client.completions.create(
        model="sandbox/echo",
        prompt="Hello",
        max_tokens=50,
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)

    assert whole.choices[0].text == "You said: Hello"
    assert "".join(c.choices[0].text for c in chunks if c.choices) == "You said: Hello"
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == whole.usage.completion_tokens  # type: ignore[union-attr]
    first, second = customer.settled(requests=2)
    assert first.charged == second.charged > 0
    assert {first.surface, second.surface} == {"completions"}
    assert {chunk.model for chunk in chunks} == {"sandbox/echo"}


def test_tokens_are_counted_at_a_host_that_can_and_estimated_elsewhere(
    anthropic_client: Anthropic, gateway, customer
):
    messages: Any = [{"role": "user", "content": "Hello there, how are you?"}]
    counted = anthropic_client.messages.with_raw_response.count_tokens(
        model="sandbox/claude", messages=messages
    )
    estimated = anthropic_client.messages.with_raw_response.count_tokens(
        model="sandbox/echo", messages=messages
    )

    assert counted.parse().input_tokens > 0
    assert counted.headers["x-gatewayz-provider"] == "sandbox-anthropic"
    assert estimated.parse().input_tokens == 7
    assert estimated.headers["x-gatewayz-estimated"] == "true"
    assert customer.balance.total == 10 * NANO
    assert customer.records() == []


def test_nothing_to_count_is_a_count_too(gateway, customer):
    body = {"model": "sandbox/claude", "messages": [{"role": "user", "content": ""}]}
    answer = gateway.client(customer).post("/v1/messages/count_tokens", json=body)

    assert (answer.status_code, answer.json()) == (200, {"input_tokens": 0})


CASES: list[tuple[str, dict[str, Any], str, str]] = [
    ("embeddings", {"model": "sandbox/embedding"}, "input", "missing_field"),
    ("embeddings", {"model": "sandbox/embedding", "input": []}, "input", "invalid_value"),
    ("embeddings", {"model": "sandbox/embedding", "input": 7}, "input", "invalid_type"),
    ("embeddings", {"model": "sandbox/echo", "input": "x"}, "model", "model_not_supported"),
    ("chat/completions", {"model": "sandbox/embedding", "messages": [{"role": "user", "content": "x"}]}, "model", "model_not_supported"),
    ("completions", {"model": "sandbox/echo"}, "prompt", "missing_field"),
    ("completions", {"model": "sandbox/claude", "prompt": "x"}, "model", "model_not_supported"),
    ("images/generations", {"model": "sandbox/image", "prompt": "x", "n": 0}, "n", "invalid_value"),
    ("images/generations", {"model": "sandbox/image", "prompt": "x", "stream": True, "n": 2}, "n", "invalid_value"),
    ("images/generations", {"model": "sandbox/image", "prompt": "x", "partial_images": 4}, "partial_images", "invalid_value"),
    ("audio/speech", {"model": "sandbox/speech", "input": "x", "voice": "alloy", "stream_format": "ogg"}, "stream_format", "invalid_value"),
    ("audio/speech", {"model": "sandbox/speech", "input": "", "voice": "alloy"}, "input", "invalid_value"),
    ("audio/speech", {"model": "sandbox/speech", "input": "x" * 4097, "voice": "alloy"}, "input", "invalid_value"),
    ("audio/speech", {"model": "sandbox/speech", "input": "x"}, "voice", "missing_field"),
    ("rerank", {"model": "sandbox/reranker", "query": "x", "documents": []}, "documents", "invalid_value"),
    ("moderations", {"model": "sandbox/moderation", "input": []}, "input", "invalid_value"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "body", "param", "code"), CASES)
def test_bad_input_names_the_field_and_costs_nothing(gateway, customer, path, body, param, code):
    answer = gateway.client(customer).post(f"/v1/{path}", json=body)

    error = answer.json()["error"]
    assert (answer.status_code, error["param"], error["code"]) == (400, param, code)
    assert customer.balance.total == 10 * NANO
    assert customer.balance.held == 0


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("temperature", "abc"),
        ("temperature", "2"),
        ("temperature", "nan"),
        ("stream", "maybe"),
        ("stream", ""),
    ],
)
def test_a_form_with_a_wrong_value_names_its_field(gateway, customer, upstream, field, value):
    data = {"model": "sandbox/transcription", field: value}
    files = {"file": ("a.wav", b"x", "audio/wav")}

    answer = gateway.client(customer).post("/v1/audio/transcriptions", data=data, files=files)

    error = answer.json()["error"]
    assert (answer.status_code, error["param"], error["code"]) == (400, field, "invalid_value")
    assert customer.records() == []


@pytest.mark.parametrize("fields", [{"temperature": "0.2", "stream": "False"}, {"stream": "0"}])
def test_a_form_with_right_values_is_answered(gateway, customer, fields):
    data = {"model": "sandbox/transcription", **fields}

    answer = gateway.client(customer).post(
        "/v1/audio/transcriptions", data=data, files={"file": ("a.wav", b"x", "audio/wav")}
    )

    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("data", "files", "param"),
    [
        ({"model": "sandbox/transcription"}, {}, "file"),
        ({"model": "sandbox/transcription"}, {"file": ("a.wav", b"", "audio/wav")}, "file"),
        ({}, {"file": ("a.wav", b"x", "audio/wav")}, "model"),
    ],
)
def test_a_form_without_a_field_names_it(gateway, customer, data, files, param):
    files = files or {"other": ("x", b"y", "text/plain")}
    answer = gateway.client(customer).post("/v1/audio/transcriptions", data=data, files=files)

    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (b'{"model":"sandbox/transcription"}', "application/json"),
        (b"nonsense", "multipart/form-data; boundary=x"),
        (b"", "multipart/form-data"),
    ],
)
def test_what_is_no_form_is_refused(gateway, customer, content, content_type):
    answer = gateway.client(customer).post(
        "/v1/audio/transcriptions", content=content, headers={"content-type": content_type}
    )

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] in {"invalid_form", "missing_field"}


def test_a_host_that_fails_is_not_billed(gateway, customer, openai_client: OpenAI):
    with pytest.raises(openai.APIStatusError) as failed:
        openai_client.embeddings.create(model="sandbox/embedding+status=500", input="x")

    assert failed.value.status_code == 503
    (record,) = customer.settled(requests=1)
    assert (record.outcome, record.charged) == ("failed", 0)
    assert customer.balance.held == 0


def test_a_page_in_place_of_sound_is_no_sound(gateway, customer):
    body = {"model": "sandbox/speech+errorbody", "input": "Hello", "voice": "alloy"}
    answer = gateway.client(customer).post("/v1/audio/speech", json=body)

    assert answer.status_code == 503
    (record,) = customer.settled(requests=1)
    assert (record.outcome, record.charged) == ("failed", 0)
    assert customer.balance.held == 0
