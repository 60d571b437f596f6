"""What a client may send, checked before anything is spent; and what admission needs to know of it."""

import re
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta

from apps.common.errors import InvalidRequest
from apps.common.usage import NOTHING, Usage

T = TypeVar("T")

Name = Annotated[str, Meta(min_length=1)]
Integer = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Tokens = Annotated[int, Meta(ge=1, le=2**63 - 1)]

_PATH = re.compile(r" - at `(?:key in )?\$\.?([^`]*)`$")
_MISSING = re.compile(r"Object missing required field `([^`]+)`")
_VALUE_OF_ANY_KEY = "[...]"
MOST_KEYS_TRIED = 1000
IMAGE_TOKENS = 1000
"""What an image is taken to cost in an estimate; providers count between 85 and 1,600."""

FORMAT_ABILITIES = {"json_object": "response_format", "json_schema": "structured_outputs"}
"""What a model must be able to do for an answer of this format."""


class RequestFacts(msgspec.Struct, frozen=True):
    """The few things that admission and routing must know, whatever wire the client speaks."""

    model: str
    """Empty when the client leaves it to the gateway, which only moderations may."""
    stream: bool
    include_usage: bool
    text_bytes: int
    """UTF-8 bytes of everything that becomes input tokens."""
    images: int
    """To look at."""
    max_output_tokens: int | None
    choices: int
    """``n``: answers asked for at once."""
    reasoning: bool = False
    """The request asks the model to think first."""
    is_thoughtless: bool = False
    """The request asks the model not to think."""
    guessed_bytes: int = 0
    """Of the text bytes, those that stand for what cannot be counted here, and may be no tokens at all: files, sound, thoughts."""
    is_slow: bool = False
    """Even a stream may show nothing for as long as a whole answer takes: pictures, sound."""
    units: Usage = NOTHING
    """What it will use beside text: images, characters, seconds, searches; the estimate and, unless reported, the bill."""
    tag: str = ""
    """Of its metadata."""
    expected_output: int | None = None
    """Output tokens to hold credit for; None where a conversation's limits decide."""
    needs: frozenset[str] = frozenset()
    """What a model must be able to do beside text, in the catalogue's words: ``image``, ``audio``, ``video``, ``file``, ``tools``,
    ``response_format`` (any JSON), ``structured_outputs`` (JSON of a schema); ``audio_output`` for answers that are heard."""


class Size(msgspec.Struct):
    """What a conversation holds, gathered part by part."""

    text: int = 0
    """UTF-8 bytes of what is certainly read."""
    guessed: int = 0
    """Bytes that stand for what cannot be counted here."""
    images: int = 0
    needs: set[str] = msgspec.field(default_factory=set)
    """As in ``RequestFacts``."""

    @property
    def whole(self) -> int:
        return self.text + self.guessed


_UNKNOWN = re.compile(r"unknown field `(.+)`")


def check(body: bytes, shape: type[T]) -> T:
    """The body as ``shape``. Raises InvalidRequest naming the field."""
    try:
        return msgspec.json.decode(body, type=shape)
    except msgspec.ValidationError as error:
        message = str(error)
        if _VALUE_OF_ANY_KEY in message:
            message = _name_key(message, body, shape)
        raise explain(message) from error
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise InvalidRequest("The body is not valid JSON.", code="invalid_json") from error


def explain(message: str) -> InvalidRequest:
    path = _PATH.search(message)
    param = path.group(1) if path else ""
    text = _PATH.sub("", message)
    if lost := _MISSING.search(message):
        return missing(f"{param}.{lost.group(1)}".lstrip("."))
    if unknown := _UNKNOWN.search(text):
        name = f"{param}.{unknown.group(1)[:60]}".lstrip(".")
        return InvalidRequest(f"There is no field '{name}' here.", param=name, code="invalid_value")
    if not param:
        return InvalidRequest(f"The body must be a JSON object. {text}.", code="invalid_type")
    code = "invalid_type" if "got `" in text else "invalid_value"
    return InvalidRequest(f"'{param}' is wrong: {_lower_first(text)}.", param=param, code=code)


def _name_key(message: str, body: bytes, shape: type[T]) -> str:
    """msgspec does not say which key of an object has the wrong value: it is the first that is refused alone."""
    path = _PATH.search(message)
    field = path.group(1).removesuffix(_VALUE_OF_ANY_KEY) if path else ""
    refused = f"$.{field}{_VALUE_OF_ANY_KEY}"
    try:
        whole = msgspec.json.decode(body, type=dict[str, msgspec.Raw])
        values = msgspec.json.decode(whole[field], type=dict[str, msgspec.Raw])
    except (
        msgspec.DecodeError,
        KeyError,
    ):  # not JSON further on, or not a field of the body itself
        return message.replace(refused, f"$.{field}")
    for key, value in islice(values.items(), MOST_KEYS_TRIED):
        try:
            msgspec.json.decode(msgspec.json.encode({field: {key: value}}), type=shape)
        except msgspec.ValidationError as error:
            if refused in str(error):
                return message.replace(refused, f"$.{field}.{key[:100].replace('`', '')}")
    return message.replace(refused, f"$.{field}")


def missing(param: str) -> InvalidRequest:
    return InvalidRequest(f"'{param}' is missing.", param=param, code="missing_field")


def wrong_type(param: str, expected: str) -> InvalidRequest:
    return InvalidRequest(
        f"'{param}' is wrong: expected `{expected}`.", param=param, code="invalid_type"
    )


def is_text(value: msgspec.Raw) -> bool:
    """Of what stays undecoded because it may be long: whether it is a text, by the quotation mark that it begins with."""
    return memoryview(value)[0] == ord('"')


def is_null(value: msgspec.Raw) -> bool:
    return memoryview(value)[0] == ord("n")


def lacks(value: msgspec.Struct, needs: Iterable[str]) -> str:
    """The first needed field that is absent or null; empty when all are there."""
    for name in needs:
        if getattr(value, name) is None:
            return name
    return ""


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


def text_size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def encoded_bytes(attachments: Iterable[msgspec.Raw]) -> int:
    """What a file or a recording counts as, in bytes of text: a rough sixteenth of its base64 in tokens."""
    return sum(len(memoryview(value)) for value in attachments) // 4


def tool_bytes(described: Mapping[str, msgspec.Raw] | None) -> int:
    """Of a schema, an input or a format, as JSON."""
    size = 0
    for value in described.values() if described else ():
        size += len(memoryview(value))
    return size
