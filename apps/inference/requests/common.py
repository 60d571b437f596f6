"""What a client may send, checked before anything is spent; and what admission needs to know of it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from apps.common.errors import InvalidRequest

T = TypeVar("T")

_PATH = re.compile(r" - at `(?:key in )?\$\.?([^`]*)`$")
_MISSING = re.compile(r"Object missing required field `([^`]+)`")
IMAGE_TOKENS = 1000
"""What an image is taken to cost in an estimate; providers count between 85 and 1,600."""


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """The few things that admission and routing must know, whatever wire the client speaks."""

    model: str
    stream: bool
    include_usage: bool
    text_bytes: int
    """UTF-8 bytes of everything that becomes input tokens."""
    images: int
    max_output_tokens: int | None
    choices: int
    """``n``: answers asked for at once."""
    reasoning: bool = False
    """The request asks the model to think first."""


def check(body: bytes, shape: type[T]) -> T:
    """The body as ``shape``. Raises InvalidRequest naming the field."""
    try:
        return msgspec.json.decode(body, type=shape)
    except msgspec.ValidationError as error:
        raise _explain(str(error)) from error
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise InvalidRequest("The body is not valid JSON.", code="invalid_json") from error


def _explain(message: str) -> InvalidRequest:
    path = _PATH.search(message)
    param = path.group(1) if path else ""
    text = _PATH.sub("", message)
    if missing := _MISSING.search(message):
        param = f"{param}.{missing.group(1)}".lstrip(".")
        return InvalidRequest(f"'{param}' is missing.", param=param, code="missing_field")
    if not param:
        return InvalidRequest(f"The body must be a JSON object. {text}.", code="invalid_type")
    code = "invalid_type" if "got `" in text else "invalid_value"
    return InvalidRequest(f"'{param}' is wrong: {_lower_first(text)}.", param=param, code=code)


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


def text_size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def encoded_bytes(attachment: Mapping[str, Any]) -> int:
    """What a file or a recording counts as, in bytes of text: a rough sixteenth of its base64 in tokens."""
    return sum(len(bytes(value)) for value in attachment.values()) // 4


def tool_bytes(tools: Any) -> int:
    return sum(len(bytes(tool)) for tool in tools) if tools else 0
