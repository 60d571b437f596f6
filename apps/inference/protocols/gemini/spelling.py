"""Names in one spelling: protobuf's JSON parser takes ``systemInstruction`` and ``system_instruction`` alike.

https://protobuf.dev/programming-guides/json/#field-names. Only names of fields have two spellings: keys of free-form
objects, as a call's arguments, and the names of a schema's properties are the client's own.
"""

import re
from typing import Any

_UNDERSCORE = re.compile(r"_([a-z0-9])")
_FREE = frozenset(
    {
        "args", "response", "parametersJsonSchema", "responseJsonSchema", "partMetadata", "labels",
        "default", "example",
    }
)  # fmt: skip
_NAMED_BY_CLIENT = frozenset({"properties", "defs", "$defs"})


def in_camel_case(value: Any) -> Any:
    """A body, or a piece of one, with the names of its fields in camelCase."""
    if isinstance(value, list):
        return [in_camel_case(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: _value_of(name, inner)
        for name, inner in ((_camel(key), inner) for key, inner in value.items())
    }


def _value_of(name: str, value: Any) -> Any:
    if name in _NAMED_BY_CLIENT and isinstance(value, dict):
        return {key: in_camel_case(inner) for key, inner in value.items()}
    return value if name in _FREE else in_camel_case(value)


def _camel(name: str) -> str:
    return _UNDERSCORE.sub(lambda found: found[1].upper(), name)
