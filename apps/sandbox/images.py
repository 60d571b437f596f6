"""OpenAI's images: a PNG of one colour, which follows from the prompt, in the size that was asked for.

Streamed, every partial image is the whole one, and costs 100 tokens more.
Token counts are those that OpenAI publishes for gpt-image-1, by quality and size:
https://platform.openai.com/docs/guides/image-generation#cost-and-latency (read 2026-11).
Formats: https://platform.openai.com/docs/api-reference/images, …/images-streaming and the types of openai 3.54.0
"""

import base64
import struct
import time
import zlib
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

from apps.sandbox import checks
from apps.sandbox.forms import File
from apps.sandbox.results import add_usage, respond, respond_in_events
from apps.sandbox.tokens import ATTACHMENT_CHARACTERS, CHARACTERS_PER_TOKEN, count_tokens
from apps.sandbox.wire import Job, Outgoing, Refused

SIZES = ("1024x1024", "1024x1536", "1536x1024")
TOKENS: Mapping[str, tuple[int, int, int]] = {
    "low": (272, 408, 400),
    "medium": (1056, 1584, 1568),
    "high": (4160, 6240, 6208),
}
PARAMETERS = frozenset(
    {
        "background", "image", "input_fidelity", "mask", "model", "moderation", "n", "output_compression",
        "output_format", "partial_images", "prompt", "quality", "safety_identifier", "size", "stream", "user",
    }
)  # fmt: skip
IMAGE_TOKENS = ATTACHMENT_CHARACTERS // CHARACTERS_PER_TOKEN
PARTIAL_IMAGE_TOKENS = 100
IMAGE_TYPES = ("image/png", "image/jpeg", "image/webp")


def generate(job: Job) -> Outgoing:
    return _paint(job, [], events="image_generation")


def edit(job: Job) -> Outgoing:
    given = job.asked.body.get("image")
    images: list[Any] = given if isinstance(given, list) else [given]
    for image in images:
        if not isinstance(image, File):
            raise Refused("Missing required parameter: 'image'.", param="image")
        if image.content_type not in IMAGE_TYPES:
            raise Refused(
                f"Invalid file 'image': unsupported mimetype ('{image.content_type}'). Supported file formats are "
                "'image/jpeg', 'image/png', and 'image/webp'.",
                param="image",
                code="unsupported_file_mimetype",
            )
    return _paint(job, images, events="image_edit")


def _paint(job: Job, images: list[File], *, events: str) -> Outgoing:
    body = job.asked.body
    for name in body:
        if name not in PARAMETERS:
            raise Refused(f"Unknown parameter: '{name}'.", param=name, code="unknown_parameter")
    prompt = checks.expect_text(body.get("prompt"), "prompt")
    is_streamed = body.get("stream") in (True, "true")
    partial = checks.expect_whole(
        _to_number(body.get("partial_images") or 0), "partial_images", low=0, high=3
    )
    size = _choose(body, "size", SIZES)
    quality = _choose(body, "quality", tuple(TOKENS))
    if (body.get("output_format") or "png") != "png":
        raise Refused("The sandbox paints only png.", param="output_format")
    count = checks.expect_whole(_to_number(body.get("n") or 1), "n", high=10)
    data = [
        {"b64_json": base64.b64encode(_render_png(f"{prompt}\n{number}", size)).decode()}
        for number in range(count)
    ]
    shape = {"background": "opaque", "output_format": "png", "quality": quality, "size": size}
    text, shown = count_tokens(prompt), IMAGE_TOKENS * len(images)
    painted = TOKENS[quality][SIZES.index(size)] * count
    painted += PARTIAL_IMAGE_TOKENS * partial if is_streamed else 0
    usage = {
        "input_tokens": text + shown,
        "input_tokens_details": {"text_tokens": text, "image_tokens": shown},
        "output_tokens": painted,
        "output_tokens_details": {"text_tokens": 0, "image_tokens": painted},
        "total_tokens": text + shown + painted,
    }
    created = int(time.time())
    if not is_streamed:
        answer = {"created": created, **shape, "data": [] if job.options.empty else data}
        return respond(job, add_usage(job, answer, usage))
    event = {**data[0], "created_at": created, **shape}
    parts = (
        {"type": f"{events}.partial_image", **event, "partial_image_index": number}
        for number in range(partial)
    )
    last = {"type": f"{events}.completed", **event}
    return respond_in_events(job, parts, add_usage(job, last, usage))


def _choose(body: dict[str, Any], name: str, supported: tuple[str, ...]) -> str:
    value = body.get(name) or "auto"
    if value == "auto":
        # Square is what "auto" comes to here, and medium.
        return "1024x1024" if name == "size" else "medium"
    if value not in supported:
        names = ", ".join(f"'{one}'" for one in (*supported, "auto"))
        raise Refused(
            f"Invalid value: '{value}'. Supported values are: {names}.",
            param=name,
            code="invalid_value",
        )
    return str(value)


def _to_number(value: Any) -> Any:
    """A form has only texts."""
    return int(value) if isinstance(value, str) and value.isdigit() else value


def _render_png(seed: str, size: str) -> bytes:
    """One bit a pixel, all zero, and a palette of one colour: https://www.w3.org/TR/png-3/"""
    width, height = map(int, size.split("x"))
    head = struct.pack("!IIBBBBB", width, height, 1, 3, 0, 0, 0)
    colour = blake2b(seed.encode(), digest_size=3).digest()
    rows = bytes(1 + -(-width // 8)) * height
    chunks = (
        (b"IHDR", head),
        (b"PLTE", colour),
        (b"IDAT", zlib.compress(rows, 9)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(_pack_chunk(*chunk) for chunk in chunks)


def _pack_chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack("!I", len(data)) + kind + data + struct.pack("!I", zlib.crc32(kind + data))
