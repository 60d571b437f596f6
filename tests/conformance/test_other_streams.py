"""Streams of pictures, sound and transcripts through the gateway: the official SDK reads them, the books say what they cost.

Sandbox prices are in apps/catalog/services/sandbox.py.
"""

import base64
import json
import time
from collections.abc import Callable, Iterable
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI

from tests.conformance.test_other_endpoints import NANO, charged, sound_of
from tests.gateway import Customer, Gateway

PNG = b"\x89PNG\r\n\x1a\n"
MP3 = b"\xff\xfb"
FILE = ("speech.wav", sound_of(2.4), "audio/wav")


def paint(client: OpenAI, model: str = "sandbox/image", **fields: Any) -> Iterable[Any]:
    return client.images.generate(
        model=model, prompt="A cat", stream=True, **{"partial_images": 2} | fields
    )


def alter(client: OpenAI, model: str = "sandbox/image", **fields: Any) -> Iterable[Any]:
    return client.images.edit(
        model=model,
        prompt="A cat",
        image=("cat.png", PNG, "image/png"),
        stream=True,
        **{"partial_images": 2} | fields,
    )


def hear(client: OpenAI, model: str = "sandbox/transcription-tokens") -> Iterable[Any]:
    return client.audio.transcriptions.create(model=model, file=FILE, stream=True)


def cost_of(event: Any) -> float:
    found: float = event.usage.model_extra["cost"]
    return found


@pytest.mark.parametrize(
    ("ask", "surface", "kind"),
    [(paint, "images", "image_generation"), (alter, "image_edits", "image_edit")],
)
def test_images_are_shown_as_they_come_and_billed_by_the_image(
    openai_client: OpenAI,
    customer: Customer,
    ask: Callable[..., Iterable[Any]],
    surface: str,
    kind: str,
):
    *partial, last = ask(openai_client)

    assert [event.type for event in partial] == [f"{kind}.partial_image"] * 2
    assert [event.partial_image_index for event in partial] == [0, 1]
    assert last.type == f"{kind}.completed"
    assert base64.b64decode(last.b64_json).startswith(PNG)
    assert last.usage.output_tokens == 1056 + 2 * 100
    record = charged(customer, surface)
    assert (record.images, record.charged, record.usage_source) == (1, 40_000_000, "provider")
    assert record.output_tokens == last.usage.output_tokens
    assert record.streamed
    assert cost_of(last) == 0.04


def test_image_without_partial_ones_is_a_stream_of_one(openai_client: OpenAI, customer: Customer):
    [last] = paint(openai_client, partial_images=0)

    assert last.type == "image_generation.completed"
    assert charged(customer, "images").charged == 40_000_000


def test_transcript_is_shown_as_it_comes_and_billed_by_the_token(
    openai_client: OpenAI, customer: Customer
):
    *deltas, last = hear(openai_client)

    assert len(deltas) > 3
    assert "".join(event.delta for event in deltas) == last.text
    assert "speech.wav" in last.text
    record = charged(customer, "transcriptions")
    assert record.usage_source == "provider"
    assert record.audio_input_tokens == 24
    assert record.output_tokens == last.usage.output_tokens > 0
    assert cost_of(last) == record.charged / NANO > 0


def test_transcript_of_a_model_that_does_not_stream_is_one_event(
    openai_client: OpenAI, customer: Customer
):
    """whisper-1 ignores ``stream``; a client that asked for one gets one all the same."""
    [last] = hear(openai_client, "sandbox/transcription")

    assert last.type == "transcript.text.done"
    assert "speech.wav" in last.text
    record = charged(customer, "transcriptions")
    assert (record.seconds, record.charged) == (3, 300_000)


@pytest.mark.parametrize("stream_format", [{}, {"stream_format": "audio"}])
def test_sound_is_sent_as_it_comes(
    openai_client: OpenAI, customer: Customer, upstream: Any, stream_format: Any
):
    with openai_client.audio.speech.with_streaming_response.create(
        model="sandbox/speech+interval=50",
        input="x" * 100,
        voice="alloy",
        response_format="pcm",
        **stream_format,
    ) as answer:
        arrived = [(time.monotonic(), piece) for piece in answer.iter_bytes()]

    assert answer.headers["content-type"] == "audio/pcm"
    assert sum(len(piece) for _, piece in arrived) == 48_000
    assert arrived[-1][0] - arrived[0][0] > 0.3, "it came all at once"
    record = charged(customer, "speech")
    assert (record.characters, record.charged) == (100, 1_500_000)
    assert record.usage_source == "counted"


def test_sound_in_events_is_metered_by_the_last_of_them(gateway: Gateway, customer: Customer):
    body = {
        "model": "sandbox/speech",
        "input": "Hello there",
        "voice": "alloy",
        "stream_format": "sse",
    }
    answer = gateway.client(customer).post("/v1/audio/speech", json=body)

    assert answer.headers["content-type"].startswith("text/event-stream")
    *deltas, last = events_of(answer.text)
    assert {event["type"] for event in deltas} == {"speech.audio.delta"}
    assert base64.b64decode(deltas[0]["audio"]).startswith(MP3)
    assert last["type"] == "speech.audio.done"
    record = charged(customer, "speech")
    assert (record.characters, record.charged, record.output_tokens) == (11, 165_000, 11)
    assert (record.usage_source, last["usage"]["cost"]) == ("provider", 0.000165)


def events_of(text: str) -> list[dict[str, Any]]:
    lines = [line for line in text.split("\n") if line.startswith("data: ")]
    return [json.loads(line.removeprefix("data: ")) for line in lines]


@pytest.mark.parametrize("usage", ["nousage", "absurd_usage"])
def test_units_of_the_request_are_billed_when_the_last_event_has_no_usage_to_believe(
    openai_client: OpenAI, customer: Customer, usage: str
):
    *_, last = paint(openai_client, f"sandbox/image+{usage}")

    record = charged(customer, "images")
    assert (record.images, record.charged) == (1, 40_000_000)
    assert cost_of(last) == 0.04
    assert "-5" not in str(last.usage)


# When it breaks.


@pytest.mark.parametrize("fault", ["cut=1", "midstream_error=1", "malformed=1", "nofinish"])
@pytest.mark.parametrize(
    ("ask", "model"),
    [(paint, "image"), (alter, "image"), (hear, "transcription-tokens")],
    ids=["images", "image_edits", "transcriptions"],
)
def test_stream_that_breaks_raises_in_the_sdk_and_is_free(
    openai_client: OpenAI,
    customer: Customer,
    ask: Callable[..., Iterable[Any]],
    model: str,
    fault: str,
):
    seen: list[Any] = []
    with pytest.raises(openai.APIError) as broken:
        seen.extend(iter_into(seen, ask(openai_client, f"sandbox/{model}+lull=200+{fault}")))

    assert seen
    assert (broken.value.body or {})["code"] == "upstream_error"  # type: ignore[index]
    (record,) = customer.settled(requests=1)
    assert (record.outcome, record.charged) == ("interrupted", 0)


def iter_into(seen: list[Any], stream: Iterable[Any]) -> list[Any]:
    for event in stream:
        seen.append(event)
    return []


def test_sound_that_breaks_is_left_unfinished(gateway: Gateway, customer: Customer):
    body = {"model": "sandbox/speech+lull=200+cut=2", "input": "x" * 100, "voice": "alloy", "response_format": "pcm"}  # fmt: skip

    with (
        pytest.raises(httpx.RemoteProtocolError),
        gateway.client(customer).stream("POST", "/v1/audio/speech", json=body) as answer,
    ):
        assert answer.status_code == 200
        answer.read()

    (record,) = customer.settled(requests=1)
    assert (record.outcome, record.charged) == ("interrupted", 0)


@pytest.mark.parametrize("fault", ["status=500", "errorbody", "empty", "cut=0", "malformed=0"])
@pytest.mark.parametrize(
    ("ask", "model"),
    [(paint, "image"), (hear, "transcription-tokens")],
    ids=["images", "transcriptions"],
)
def test_failure_before_content_has_a_status_of_its_own(
    openai_client: OpenAI,
    customer: Customer,
    ask: Callable[..., Iterable[Any]],
    model: str,
    fault: str,
):
    with pytest.raises(openai.APIStatusError) as failed:
        list(ask(openai_client, f"sandbox/{model}+{fault}"))

    assert failed.value.status_code == 503
    (record,) = customer.settled(requests=1)
    assert record.charged == 0


def test_next_host_answers_in_the_place_of_one_that_fails_before_content(
    openai_client: OpenAI, customer: Customer
):
    """The same host asked again is the next one here: the sandbox has one of each."""
    *_, last = paint(openai_client, "sandbox/image+status=500+first=1")

    assert last.type == "image_generation.completed"
    assert charged(customer, "images").attempts[0]["fault"] == "status"


# When the client leaves.


@pytest.mark.parametrize(
    ("path", "model", "fields", "expected"),
    [
        ("images/generations", "image+interval=300", {"prompt": "A cat", "stream": True, "partial_images": 3}, {"images": 1, "output_tokens": 4200}),
        ("audio/speech", "speech+interval=50", {"input": "x" * 1000, "voice": "alloy"}, {"characters": 1000}),
        ("audio/speech", "speech+interval=50", {"input": "x" * 1000, "voice": "alloy", "stream_format": "sse"}, {"characters": 1000}),
    ],
    ids=["images", "sound", "sound in events"],
)  # fmt: skip
def test_host_is_stopped_and_what_was_made_is_billed_when_the_client_leaves(
    gateway: Gateway,
    customer: Customer,
    upstream: Any,
    path: str,
    model: str,
    fields: dict[str, Any],
    expected: dict[str, int],
):
    body = {"model": f"sandbox/{model}", **fields}
    with gateway.client(customer).stream("POST", f"/v1/{path}", json=body) as answer:
        next(answer.iter_bytes())

    (record,) = customer.settled(requests=1)
    assert (record.outcome, record.usage_source) == ("client_gone", "counted")
    assert {name: getattr(record, name) for name in expected} == expected
    deadline = time.monotonic() + 2
    while upstream.stats()["aborted"] != 1:
        assert time.monotonic() < deadline, "the host was not stopped"
        time.sleep(0.02)


def test_several_images_are_no_stream(openai_client: OpenAI, customer: Customer):
    with pytest.raises(openai.BadRequestError) as refused:
        list(paint(openai_client, n=2))

    assert (refused.value.param, refused.value.code) == ("n", "invalid_value")
    assert customer.balance.held == 0
