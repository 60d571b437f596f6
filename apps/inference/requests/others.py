"""The bodies of OpenAI's other endpoints and of rerank: checked, and measured for the hold; never translated.

Fields are those of https://platform.openai.com/docs/api-reference (completions, embeddings, images, audio, moderations)
and of https://docs.cohere.com/reference/rerank. Unknown fields travel on.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from apps.common.errors import InvalidRequest
from apps.common.usage import NOTHING, Usage
from apps.inference.requests.common import (
    Integer,
    Name,
    RequestFacts,
    Tokens,
    check,
    text_size,
)
from apps.inference.requests.forms import Form
from apps.inference.requests.sound import seconds_of

BYTES_PER_TOKEN = 4
OUTPUT_TOKENS_PER_IMAGE = 4200
"""A large image of high quality at OpenAI's image models: https://platform.openai.com/docs/guides/image-generation."""
MOST_PARTIAL_IMAGES = 3
TOKENS_PER_PARTIAL_IMAGE = 100
"""https://platform.openai.com/docs/guides/image-generation#partial-images-cost"""
DOCUMENTS_PER_SEARCH = 100
"""https://docs.cohere.com/docs/rerank-overview: a query with up to a hundred documents is one search."""
LONGEST_SPEECH = 4096

ImageCount = Annotated[int, Meta(ge=1, le=10)]


class StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class CompletionBody(msgspec.Struct):
    model: Name
    prompt: str | list[str | int | list[int]]
    suffix: str | None = None
    max_tokens: Tokens | None = None
    n: Annotated[int, Meta(ge=1, le=128)] | None = None
    best_of: Annotated[int, Meta(ge=1, le=20)] | None = None
    echo: bool | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    frequency_penalty: Annotated[float, Meta(ge=-2, le=2)] | None = None
    presence_penalty: Annotated[float, Meta(ge=-2, le=2)] | None = None
    logprobs: Annotated[int, Meta(ge=0, le=5)] | None = None
    logit_bias: dict[str, float] | None = None
    stop: str | list[str] | None = None
    seed: Integer | None = None
    user: str | None = None


class EmbeddingBody(msgspec.Struct):
    model: Name
    input: str | list[str | int | list[int]]
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Annotated[int, Meta(ge=1, le=2**31)] | None = None
    user: str | None = None


class ImageBody(msgspec.Struct):
    model: Name
    prompt: Name
    n: ImageCount | None = None
    size: str | None = None
    quality: str | None = None
    response_format: Literal["url", "b64_json"] | None = None
    output_format: str | None = None
    background: str | None = None
    style: str | None = None
    stream: bool | None = None
    partial_images: Annotated[int, Meta(ge=0, le=MOST_PARTIAL_IMAGES)] | None = None
    user: str | None = None


class SpeechBody(msgspec.Struct):
    model: Name
    input: Annotated[str, Meta(min_length=1, max_length=LONGEST_SPEECH)]
    voice: Name | dict[str, Any]
    response_format: Literal["mp3", "opus", "aac", "flac", "wav", "pcm"] | None = None
    speed: Annotated[float, Meta(ge=0.25, le=4)] | None = None
    instructions: str | None = None
    stream_format: Literal["audio", "sse"] | None = None


class RerankBody(msgspec.Struct):
    model: Name
    query: Name
    documents: Annotated[list[str | dict[str, Any]], Meta(min_length=1, max_length=10_000)]
    top_n: Annotated[int, Meta(ge=1)] | None = None
    return_documents: bool | None = None
    max_tokens_per_doc: Annotated[int, Meta(ge=1)] | None = None


class ModerationPart(msgspec.Struct):
    type: str
    text: str | None = None
    image_url: dict[str, Any] | None = None


class ModerationBody(msgspec.Struct):
    input: str | list[str | ModerationPart]
    model: Name | None = None
    """OpenAI's SDK leaves it out; the gateway then chooses."""


def read_completion(raw: bytes) -> RequestFacts:
    body = check(raw, CompletionBody)
    return RequestFacts(
        model=body.model,
        stream=bool(body.stream),
        include_usage=bool(body.stream_options and body.stream_options.include_usage),
        text_bytes=_size(body.prompt, "prompt") + text_size(body.suffix or ""),
        images=0,
        max_output_tokens=body.max_tokens or 16,  # OpenAI's default for this endpoint
        choices=max(body.n or 1, body.best_of or 1) * _prompts(body.prompt),
    )


def read_embedding(raw: bytes) -> RequestFacts:
    body = check(raw, EmbeddingBody)
    return _facts(body.model, text_bytes=_size(body.input, "input"))


def read_image(raw: bytes) -> RequestFacts:
    body = check(raw, ImageBody)
    return _image_facts(
        body.model,
        body.prompt,
        body.n or 1,
        stream=bool(body.stream),
        partial_images=body.partial_images or 0,
    )


def read_image_edit(form: Form) -> RequestFacts:
    model, prompt = form.require("model"), form.require("prompt")
    if not any(file.field in {"image", "image[]"} for file in form.files):
        raise InvalidRequest(
            "'image' is missing: send a file.", param="image", code="missing_field"
        )
    return _image_facts(
        model,
        prompt,
        form.whole_number("n", least=1, most=10) or 1,
        images=len(form.files),
        stream=form.flag("stream"),
        partial_images=form.whole_number("partial_images", least=0, most=MOST_PARTIAL_IMAGES) or 0,
    )


def read_transcription(form: Form) -> RequestFacts:
    model = form.require("model")
    sound = next((file for file in form.files if file.field == "file"), None)
    if sound is None or not sound.data:
        raise InvalidRequest("'file' is missing: send a file.", param="file", code="missing_field")
    form.number("temperature", least=0, most=1)
    seconds = seconds_of(sound.data)
    return _facts(
        model,
        text_bytes=text_size(form.get("prompt") or ""),
        stream=form.flag("stream"),
        units=Usage(seconds=seconds),
        # https://platform.openai.com/docs/guides/speech-to-text: about 150 words a minute.
        expected_output=4 * seconds,
    )


def read_speech(raw: bytes) -> RequestFacts:
    body = check(raw, SpeechBody)
    return _facts(
        body.model,
        text_bytes=text_size(body.input) + text_size(body.instructions or ""),
        stream=True,  # sound is sent as it comes, in events or bare
        units=Usage(characters=len(body.input)),
        # Models priced by audio tokens speak about a token and a half a character.
        expected_output=len(body.input) * 3 // 2,
    )


def read_rerank(raw: bytes) -> RequestFacts:
    body = check(raw, RerankBody)
    documents = sum(
        text_size(found) if isinstance(found, str) else len(msgspec.json.encode(found))
        for found in body.documents
    )
    searches = -(-len(body.documents) // DOCUMENTS_PER_SEARCH)
    # The query is read again with every document.
    size = documents + text_size(body.query) * len(body.documents)
    return _facts(
        body.model,
        text_bytes=size,
        guessed_bytes=size,  # hosts cut documents that are long for them
        units=Usage(searches=searches),
    )


def read_moderation(raw: bytes) -> RequestFacts:
    body = check(raw, ModerationBody)
    parts = [body.input] if isinstance(body.input, str) else body.input
    if not parts:
        raise InvalidRequest("'input' must not be empty.", param="input", code="invalid_value")
    size = sum(text_size(part if isinstance(part, str) else part.text or "") for part in parts)
    images = sum(not isinstance(part, str) and part.image_url is not None for part in parts)
    return _facts(body.model or "", text_bytes=size, images=images)


def _facts(
    model: str,
    *,
    text_bytes: int,
    guessed_bytes: int = 0,
    images: int = 0,
    stream: bool = False,
    units: Usage | None = None,
    expected_output: int = 0,
) -> RequestFacts:
    return RequestFacts(
        model=model,
        stream=stream,
        is_slow=True,
        include_usage=False,
        text_bytes=text_bytes,
        guessed_bytes=guessed_bytes,
        images=images,
        max_output_tokens=None,
        choices=1,
        units=units or NOTHING,
        expected_output=expected_output,
    )


def _image_facts(
    model: str, prompt: str, number: int, *, stream: bool, partial_images: int, images: int = 0
) -> RequestFacts:
    """``images`` are those to look at, ``number`` those to make. Raises InvalidRequest for a stream of several."""
    if stream and number > 1:
        raise InvalidRequest(
            "'n' must be 1 when 'stream' is set: the events do not say which image they are of.",
            param="n",
            code="invalid_value",
        )
    return _facts(
        model,
        text_bytes=text_size(prompt),
        images=images,
        stream=stream,
        units=Usage(images=number),
        expected_output=OUTPUT_TOKENS_PER_IMAGE * number
        + TOKENS_PER_PARTIAL_IMAGE * partial_images,
    )


def _prompts(prompt: str | list[str | int | list[int]]) -> int:
    if isinstance(prompt, str) or (prompt and isinstance(prompt[0], int)):
        return 1
    return len(prompt)


def _size(value: str | list[str | int | list[int]], name: str) -> int:
    """Bytes of text; a token that the client counted itself is four. Raises InvalidRequest when there is none."""
    if isinstance(value, str):
        size = text_size(value)
    else:
        size = sum(
            text_size(part)
            if isinstance(part, str)
            else BYTES_PER_TOKEN * (len(part) if isinstance(part, list) else 1)
            for part in value
        )
    if not size:
        raise InvalidRequest(f"'{name}' must not be empty.", param=name, code="invalid_value")
    return size
