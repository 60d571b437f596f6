"""What a request may say: a table of readers per operation. Unknown, missing and malformed parameters are refused.

::

    CREATE = {"amount": Required(integer(minimum=1)), "customer": text, "items": array(group({"price": text}))}
    read(CREATE, {"amount": "500"})      →  {"amount": 500}         only what was given

An empty string means "unset", which only ``clearable`` parameters allow: they are read as None.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.fakes.stripe.errors import Json, bad_parameter, missing_parameter

Reader = Callable[[Any, str], Any]

METADATA_KEYS = 50
METADATA_KEY_LENGTH = 40
METADATA_VALUE_LENGTH = 500


@dataclass(frozen=True, slots=True)
class Required:
    reader: Reader


Spec = Mapping[str, "Reader | Required"]


def read(spec: Spec, raw: Json, prefix: str = "") -> Json:
    for name in raw:
        if name not in spec:
            full = _join(prefix, name)
            raise bad_parameter(
                f"Received unknown parameter: {full}", code="parameter_unknown", param=full
            )
    found = {}
    for name, reader in spec.items():
        full = _join(prefix, name)
        if name in raw:
            read_value = reader.reader if isinstance(reader, Required) else reader
            found[name] = read_value(raw[name], full)
        elif isinstance(reader, Required):
            raise missing_parameter(full)
    return found


def _join(prefix: str, name: str) -> str:
    return f"{prefix}[{name}]" if prefix else name


def text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise bad_parameter(f"Invalid string: {value}", param=name)
    if not value:
        raise bad_parameter(
            f"You passed an empty string for '{name}'. We assume empty values are an attempt to unset a parameter; "
            f"however '{name}' cannot be unset. You should remove '{name}' from your request or supply a non-empty value.",
            code="parameter_invalid_empty",
            param=name,
        )
    return value


def boolean(value: Any, name: str) -> bool:
    if value not in ("true", "false"):
        raise bad_parameter(f"Invalid boolean: {value}", param=name)
    return bool(value == "true")


def integer(*, minimum: int | None = None) -> Reader:
    def reader(value: Any, name: str) -> int:
        digits = text(value, name)
        if not digits.removeprefix("-").isdecimal():
            raise bad_parameter(
                f"Invalid integer: {digits}", code="parameter_invalid_integer", param=name
            )
        number = int(digits)
        if minimum is not None and number < minimum:
            raise bad_parameter(
                f"This value must be greater than or equal to {minimum}.",
                code="parameter_invalid_integer",
                param=name,
            )
        return number

    return reader


timestamp = integer(minimum=0)


def one_of(*allowed: str) -> Reader:
    def reader(value: Any, name: str) -> str:
        if value not in allowed:
            raise bad_parameter(f"Invalid {name}: must be one of {', '.join(allowed)}", param=name)
        return str(value)

    return reader


def now_or_timestamp(value: Any, name: str) -> str | int:
    return "now" if value == "now" else int(timestamp(value, name))


def clearable(reader: Reader) -> Reader:
    return lambda value, name: None if value == "" else reader(value, name)


def group(spec: Spec) -> Reader:
    def reader(value: Any, name: str) -> Json:
        if not isinstance(value, dict):
            raise bad_parameter("Invalid object", param=name)
        return read(spec, value, name)

    return reader


def array(reader: Reader) -> Reader:
    def read_list(value: Any, name: str) -> list[Any]:
        if not isinstance(value, dict) or not all(key.isdecimal() for key in value):
            raise bad_parameter("Invalid array", param=name)
        ordered = sorted(value.items(), key=lambda pair: int(pair[0]))
        return [reader(one, f"{name}[{key}]") for key, one in ordered]

    return read_list


def metadata(value: Any, name: str) -> dict[str, str | None]:
    """None is a key to be removed; an empty string for the whole removes all."""
    if value == "":
        return {}
    if not isinstance(value, dict):
        raise bad_parameter("Invalid object", param=name)
    if len(value) > METADATA_KEYS:
        raise bad_parameter(
            f"You can have a maximum of {METADATA_KEYS} keys in metadata.", param=name
        )
    found: dict[str, str | None] = {}
    for key, one in value.items():
        if not isinstance(one, str):
            raise bad_parameter(
                "Metadata values must be strings, but for key "
                f"'{key}' you passed in a value of type object",
                param=name,
            )
        if len(key) > METADATA_KEY_LENGTH or len(one) > METADATA_VALUE_LENGTH:
            raise bad_parameter(
                f"Metadata keys can have up to {METADATA_KEY_LENGTH} characters, values up to "
                f"{METADATA_VALUE_LENGTH}.",
                param=f"{name}[{key}]",
            )
        found[key] = one or None
    return found


def merged(before: Mapping[str, str], change: Mapping[str, str | None]) -> dict[str, str]:
    """Metadata after an update: given keys replace, empty ones go, all others stay; nothing given empties it."""
    if not change:
        return {}
    after: dict[str, str | None] = {**before, **change}
    return {key: value for key, value in after.items() if value is not None}


ADDRESS: Spec = {
    name: clearable(text) for name in ("city", "country", "line1", "line2", "postal_code", "state")
}
address = group(ADDRESS)


def full_address(given: Mapping[str, str | None] | None) -> dict[str, str | None]:
    return {name: (given or {}).get(name) for name in ADDRESS}
