"""OpenAI's other endpoints and rerank, read by the official SDK where it knows them."""

import base64
import io
import json
import struct
import wave
import zlib
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from tests.sandbox.process import SandboxProcess
from tests.sandbox.raw import post


@pytest.fixture
def client(sandbox: SandboxProcess) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(
        base_url=f"{sandbox.base_url}/v1", api_key="sk-test", max_retries=0
    ) as client:
        yield client


def sound_of(seconds: float) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(8000)
        sound.writeframes(bytes(round(seconds * 8000) * 2))
    return file.getvalue()


class TestCompletions:
    def test_answers_each_prompt_n_times(self, client: openai.OpenAI) -> None:
        answer = client.completions.create(model="echo", prompt=["one", "two"], n=2, echo=True)

        assert answer.id.startswith("cmpl-")
        assert [choice.text for choice in answer.choices] == [
            "oneYou said: one",
            "oneYou said: one (choice 1)",
            "twoYou said: two",
            "twoYou said: two (choice 1)",
        ]
        assert [choice.index for choice in answer.choices] == [0, 1, 2, 3]
        assert answer.usage is not None
        assert answer.usage.prompt_tokens == 2

    def test_stops_after_16_tokens_when_no_limit_is_given(self, client: openai.OpenAI) -> None:
        answer = client.completions.create(model="echo", prompt="x" * 100)

        assert answer.choices[0].finish_reason == "length"
        assert answer.usage is not None
        assert answer.usage.completion_tokens == 16

    def test_streams(self, client: openai.OpenAI) -> None:
        chunks = list(
            client.completions.create(
                model="echo",
                prompt="hello world",
                stream=True,
                stream_options={"include_usage": True},
            )
        )

        texts = [chunk.choices[0].text for chunk in chunks if chunk.choices]
        assert texts == ["You ", "said: ", "hello ", "world", ""]
        assert chunks[-1].usage is not None
        assert chunks[-1].usage.completion_tokens == 6

    def test_counts_token_ids_and_gives_logprobs(self, client: openai.OpenAI) -> None:
        answer = client.completions.create(model="echo", prompt=[1, 2, 3], logprobs=2)

        assert answer.usage is not None
        assert answer.usage.prompt_tokens == 3
        logprobs = answer.choices[0].logprobs
        assert logprobs is not None
        assert "".join(logprobs.tokens or ()) == answer.choices[0].text

    @pytest.mark.parametrize("wrong", [{"prompt": []}, {"best_of": 1, "n": 2}, {"logprobs": 9}])
    def test_refuses_wrong_requests(self, client: openai.OpenAI, wrong: dict[str, Any]) -> None:
        with pytest.raises(openai.BadRequestError):
            client.completions.create(model="echo", prompt="x", extra_body=wrong)


class TestEmbeddings:
    def test_gives_unit_vectors_that_both_encodings_agree_on(self, client: openai.OpenAI) -> None:
        packed = client.embeddings.create(model="embedding", input="hello")
        plain = client.embeddings.create(model="embedding", input="hello", encoding_format="float")

        vector = plain.data[0].embedding
        assert len(vector) == 1536
        assert sum(value * value for value in vector) == pytest.approx(1)
        assert packed.data[0].embedding == pytest.approx(vector, abs=1e-6)
        assert (plain.usage.prompt_tokens, plain.usage.total_tokens) == (2, 2)

    def test_takes_lists_and_tokens_and_dimensions(self, client: openai.OpenAI) -> None:
        texts = client.embeddings.create(model="embedding", input=["a", "b", "a"], dimensions=8)
        tokens = client.embeddings.create(model="embedding", input=[[1, 2], [3]])

        assert [row.index for row in texts.data] == [0, 1, 2]
        assert {len(row.embedding) for row in texts.data} == {8}
        assert texts.data[0].embedding == texts.data[2].embedding != texts.data[1].embedding
        assert tokens.usage.prompt_tokens == 3

    def test_base64_is_of_32_bit_floats(self, sandbox: SandboxProcess) -> None:
        body = {
            "model": "embedding",
            "input": "x",
            "dimensions": 4,
            "encoding_format": "base64",
        }

        (row,) = post(sandbox.base_url, "/v1/embeddings", body).json["data"]

        assert len(struct.unpack("<4f", base64.b64decode(row["embedding"]))) == 4

    @pytest.mark.parametrize(
        "wrong", [{"input": ""}, {"input": [""]}, {"input": [{}]}, {"dimensions": 0}]
    )
    def test_refuses_wrong_requests(self, client: openai.OpenAI, wrong: dict[str, Any]) -> None:
        with pytest.raises(openai.BadRequestError):
            client.embeddings.create(model="embedding", input="x", extra_body=wrong)

    def test_knows_its_models(self, client: openai.OpenAI) -> None:
        with pytest.raises(openai.NotFoundError):
            client.embeddings.create(model="echo", input="x")


def check_png(data: bytes, width: int, height: int) -> None:
    """Reads the file's chunks, their sums and the length of the pixels."""
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack("!II", data[16:24]) == (width, height)
    at, pixels = 8, b""
    while at < len(data):
        size, kind = struct.unpack("!I4s", data[at : at + 8])
        content = data[at + 8 : at + 8 + size]
        (checksum,) = struct.unpack("!I", data[at + 8 + size : at + 12 + size])
        assert checksum == zlib.crc32(kind + content)
        pixels += content if kind == b"IDAT" else b""
        at += 12 + size
    assert kind == b"IEND"
    assert len(zlib.decompress(pixels)) == height * (1 + width // 8)


class TestImages:
    def test_paints_real_pictures_of_the_size(self, client: openai.OpenAI) -> None:
        answer = client.images.generate(
            model="image", prompt="a cat", n=2, size="1536x1024", quality="low"
        )

        pictures = [base64.b64decode(image.b64_json or "") for image in answer.data or ()]
        assert len(set(pictures)) == 2
        for picture in pictures:
            check_png(picture, 1536, 1024)
        assert answer.usage is not None
        assert (answer.usage.input_tokens, answer.usage.output_tokens) == (2, 800)
        assert answer.usage.input_tokens_details.text_tokens == 2
        assert answer.size == "1536x1024"

    def test_edits_by_form(self, client: openai.OpenAI) -> None:
        files: Any = [("a.png", b"\x89PNG one"), ("b.png", b"\x89PNG two")]

        answer = client.images.edit(model="image", image=files, prompt="a hat", n=1)

        check_png(base64.b64decode((answer.data or [])[0].b64_json or ""), 1024, 1024)
        assert answer.usage is not None
        assert answer.usage.input_tokens_details.image_tokens == 2 * 85
        with pytest.raises(openai.BadRequestError, match="unsupported mimetype"):
            client.images.edit(model="image", image=("a.txt", b"x"), prompt="a hat")

    @pytest.mark.parametrize(
        ("wrong", "code"),
        [
            ({"size": "10x10"}, "invalid_value"),
            ({"n": 11}, None),
            ({"partial_images": 4}, None),
            ({"response_format": "url"}, "unknown_parameter"),
        ],
    )
    def test_refuses_wrong_requests(
        self, client: openai.OpenAI, wrong: dict[str, Any], code: str | None
    ) -> None:
        with pytest.raises(openai.BadRequestError) as caught:
            client.images.generate(model="image", prompt="x", extra_body=wrong)
        assert caught.value.code == code

    def test_shows_partial_images(self, client: openai.OpenAI) -> None:
        *partial, last = client.images.generate(
            model="image", prompt="a hat", stream=True, partial_images=2, quality="low"
        )

        assert [event.type for event in partial] == ["image_generation.partial_image"] * 2
        assert last.type == "image_generation.completed"
        assert last.usage.output_tokens == 272 + 2 * 100


class TestTranscriptions:
    def test_streams_when_billed_by_tokens(self, client: openai.OpenAI) -> None:
        file = ("a.wav", sound_of(2.5), "audio/wav")

        stream: Any = client.audio.transcriptions.create(
            model="transcription-tokens", file=file, stream=True
        )
        *deltas, last = stream
        ignored = client.audio.transcriptions.with_raw_response.create(
            model="transcription", file=file, stream=True
        )

        assert last.type == "transcript.text.done"
        assert "".join(event.delta for event in deltas) == last.text
        assert ignored.headers["content-type"] == "application/json"

    def test_tells_what_was_sent_and_how_long_it_is(self, client: openai.OpenAI) -> None:
        file = ("a.wav", sound_of(2.5), "audio/wav")

        answer: Any = client.audio.transcriptions.create(model="transcription", file=file)

        assert answer.text == f"You sent a.wav, {len(file[1])} bytes of audio/wav."
        assert answer.usage.to_dict() == {"type": "duration", "seconds": 3}

    def test_bills_by_tokens_too(self, client: openai.OpenAI) -> None:
        answer: Any = client.audio.transcriptions.create(
            model="transcription-tokens", file=("a.wav", sound_of(2.5)), prompt="names"
        )

        usage = answer.usage
        assert usage.type == "tokens"
        assert usage.input_token_details.to_dict() == {"audio_tokens": 25, "text_tokens": 2}
        assert usage.total_tokens == 27 + usage.output_tokens

    def test_gives_segments_and_words(self, client: openai.OpenAI) -> None:
        answer = client.audio.transcriptions.create(
            model="transcription",
            file=("a.wav", sound_of(2)),
            response_format="verbose_json",
            timestamp_granularities=["segment", "word"],
        )

        assert answer.duration == 2
        assert answer.segments is not None
        assert answer.words is not None
        assert answer.segments[0].end == 2
        assert " ".join(word.word for word in answer.words) == answer.text

    @pytest.mark.parametrize(
        ("wanted", "line"),
        [
            ("text", "You sent"),
            ("srt", "00:00:00,000 --> 00:00:02,500"),
            ("vtt", "00:00:00.000 --> 00:00:02.500"),
        ],
    )
    def test_speaks_plain_formats(self, client: openai.OpenAI, wanted: Any, line: str) -> None:
        answer = client.audio.transcriptions.create(
            model="transcription", file=("a.wav", sound_of(2.5)), response_format=wanted
        )

        assert line in answer

    def test_refuses_formats_that_the_model_does_not_speak(self, client: openai.OpenAI) -> None:
        with pytest.raises(openai.BadRequestError, match="not compatible"):
            client.audio.transcriptions.create(
                model="transcription-tokens", file=("a.wav", b"x"), response_format="srt"
            )
        with pytest.raises(openai.BadRequestError, match="file"):
            client.post("/audio/transcriptions", body={"model": "transcription"}, cast_to=object)


class TestSpeech:
    def test_lasts_as_long_as_the_text(self, client: openai.OpenAI) -> None:
        def speak(text: str, **options: Any) -> bytes:
            return client.audio.speech.create(
                model="speech", voice="alloy", input=text, **options
            ).content

        with wave.open(io.BytesIO(speak("x" * 50, response_format="wav"))) as sound:
            assert sound.getnframes() / sound.getframerate() == 0.5
        assert len(speak("x" * 50, response_format="pcm")) == 24_000
        assert len(speak("x" * 50, response_format="pcm", speed=2)) == 12_000
        assert speak("hello").startswith(b"\xff\xfb")

    def test_streams_and_can_be_cut(self, sandbox: SandboxProcess) -> None:
        body = {"input": "x" * 100, "voice": "alloy", "response_format": "pcm"}

        whole = post(sandbox.base_url, "/v1/audio/speech", {**body, "model": "speech"})
        cut = post(sandbox.base_url, "/v1/audio/speech", {**body, "model": "speech+cut=2"})
        error = post(sandbox.base_url, "/v1/audio/speech", {**body, "model": "speech+errorbody"})

        assert whole.headers["content-type"] == "audio/pcm"
        assert (len(whole.chunks), len(whole.body)) == (10, 48_000)
        assert (cut.ending, len(cut.chunks)) == ("cut", 2)
        assert error.json["error"]["type"] == "server_error"

    def test_speaks_in_events(self, client: openai.OpenAI) -> None:
        answer = client.audio.speech.create(
            model="speech", voice="alloy", input="x" * 100, stream_format="sse"
        )

        lines = [line for line in answer.text.split("\n") if line.startswith("data: ")]
        events = [json.loads(line.removeprefix("data: ")) for line in lines]
        assert {event["type"] for event in events[:-1]} == {"speech.audio.delta"}
        assert events[-1]["usage"] == {
            "input_tokens": 25,
            "output_tokens": 100,
            "total_tokens": 125,
        }

    @pytest.mark.parametrize(
        "wrong", [{"input": ""}, {"input": "x" * 4097}, {"speed": 9}, {"response_format": "opus"}]
    )
    def test_refuses_wrong_requests(self, client: openai.OpenAI, wrong: dict[str, Any]) -> None:
        with pytest.raises(openai.BadRequestError):
            client.audio.speech.create(model="speech", voice="alloy", input="x", extra_body=wrong)


class TestModerations:
    def test_flags_by_words(self, client: openai.OpenAI) -> None:
        answer = client.moderations.create(model="moderation", input=["hello", "I kill time"])

        assert [result.flagged for result in answer.results] == [False, True]
        assert answer.results[1].categories.violence is True
        assert answer.results[1].category_scores.violence > 0.5
        assert answer.results[0].categories.self_harm is False

    def test_takes_parts_as_one_input(self, client: openai.OpenAI) -> None:
        parts: Any = [
            {"type": "text", "text": "hello"},
            {"type": "image_url", "image_url": {"url": "https://example.com/cat.png"}},
        ]

        assert len(client.moderations.create(model="moderation", input=parts).results) == 1


class TestRerank:
    BODY = {
        "model": "reranker",
        "query": "the capital of France",
        "documents": ["Paris is the capital of France", {"text": "cats"}, "the end of it"],
    }

    @pytest.mark.parametrize("path", ["/v1/rerank", "/v2/rerank"])
    def test_orders_documents_by_shared_words(self, sandbox: SandboxProcess, path: str) -> None:
        answer = post(sandbox.base_url, path, self.BODY).json
        top = post(sandbox.base_url, path, {**self.BODY, "top_n": 1, "return_documents": True}).json

        assert [(r["index"], r["relevance_score"]) for r in answer["results"]] == [
            (0, 1.0),
            (2, 0.5),
            (1, 0.0),
        ]
        assert answer["meta"]["billed_units"] == {"search_units": 1}
        assert answer["usage"]["total_tokens"] == 3 * 6 + 8 + 1 + 4
        (best,) = top["results"]
        assert best["document"] == {"text": "Paris is the capital of France"}

    def test_refuses_as_cohere_does(self, sandbox: SandboxProcess) -> None:
        empty = post(sandbox.base_url, "/v1/rerank", {**self.BODY, "documents": []})
        stranger = post(sandbox.base_url, "/v1/rerank", self.BODY, headers={"authorization": ""})

        assert (empty.status, stranger.status) == (400, 401)
        assert set(empty.json) == {"id", "message"}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/embeddings", {"model": "embedding", "input": "x"}),
        ("/v1/images/generations", {"model": "image", "prompt": "x"}),
        ("/v1/moderations", {"model": "moderation", "input": "x"}),
        ("/v1/rerank", {"model": "reranker", "query": "x", "documents": ["x"]}),
    ],
)
def test_misbehaves_as_told(sandbox: SandboxProcess, path: str, body: dict[str, Any]) -> None:
    def ask(options: str) -> Any:
        return post(sandbox.base_url, path, {**body, "model": f"{body['model']}+{options}"})

    assert ask("status=503").status == 503
    assert ask("cut=0").ending == "cut"
    assert ask("empty").body == b""
    assert ask("filter").status == 400
    assert "failed on request" in json.dumps(ask("errorbody").json)
    assert "usage" not in ask("nousage").json
    with pytest.raises(ValueError):
        _ = ask("malformed=0").json
    shell = ask("empty=shell").json
    assert (shell.get("data") or shell.get("results") or []) == []
