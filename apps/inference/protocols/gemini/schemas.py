"""Schemas from Gemini's dialect of OpenAPI 3.0 to JSON Schema, which every other wire speaks.

Gemini has a field for each: ``parameters`` and ``parametersJsonSchema``, ``responseSchema`` and ``responseJsonSchema``.
Requests are written with JSON Schema only, so nothing is ever turned the other way.
https://ai.google.dev/api/caching#Schema
"""

from typing import Any

from apps.inference.canonical.codec import Json

_INT64_TEXTS = frozenset(
    {"minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"}
)
"""Protobuf writes 64-bit numbers as strings."""


def to_json_schema(schema: Json) -> Json:
    found: Json = {}
    for name, value in schema.items():
        match name:
            case "type":
                found["type"] = value.lower() if isinstance(value, str) else value
            case "properties" | "defs" | "$defs":
                found[f"${name}" if name == "defs" else name] = _each(value)
            case "items" | "additionalProperties":
                found[name] = _nested(value)
            case "anyOf":
                found[name] = [_nested(option) for option in value]
            case "ref":
                found["$ref"] = str(value).replace("#/defs/", "#/$defs/")
            case "example":
                found["examples"] = [value]
            case "nullable":
                pass
            case _:
                is_count = name in _INT64_TEXTS and isinstance(value, str) and value.isdigit()
                found[name] = int(value) if is_count else value
    return _nullable(found) if schema.get("nullable") is True else found


def _nullable(schema: Json) -> Json:
    """``nullable`` is OpenAPI's word; in JSON Schema null is one more type, and one more value of an enumeration."""
    if not isinstance(schema.get("type"), str):
        return schema
    values = schema.get("enum")
    also_null = {"enum": [*values, None]} if isinstance(values, list) else {}
    return schema | {"type": [schema["type"], "null"]} | also_null


def _nested(value: Any) -> Any:
    return to_json_schema(value) if isinstance(value, dict) else value


def _each(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {name: _nested(inner) for name, inner in value.items()}
