"""Sample values for a JSON schema: the arguments of a tool call and the body of a structured answer.

The values satisfy the schema's types, enums, bounds, lengths and required names; patterns are not solved.
The same schema always gives the same value.
"""

import math
from collections.abc import Mapping
from typing import Any

PLAUSIBLE: Mapping[str, str] = {
    "city": "Paris",
    "country": "France",
    "email": "ada@example.com",
    "location": "Paris",
    "name": "Ada Lovelace",
    "query": "the answer to everything",
    "url": "https://example.com/",
}
FORMATS: Mapping[str, str] = {
    "date": "2025-01-31",
    "date-time": "2025-01-31T12:00:00Z",
    "email": "ada@example.com",
    "ipv4": "192.0.2.1",
    "time": "12:00:00Z",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}

# Optional properties stop below this depth, so that a schema that refers to itself comes to an end.
OPTIONAL_DEPTH = 3
LAST_DEPTH = 24
LONGEST_ARRAY = 100
LONGEST_STRING = 10_000


class UnusableSchema(ValueError):
    """The schema is not a valid JSON schema, or asks for more than a sample can hold."""


def build_sample(schema: Any, *, name: str = "value") -> Any:
    """A value for the schema; ``name`` is the property it stands in, a hint for strings."""
    try:
        return _sample(schema, name, schema if isinstance(schema, dict) else {}, 0)
    except (TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise UnusableSchema(f"Invalid schema: {error}") from error


def _sample(schema: Any, name: str, root: dict[str, Any], depth: int) -> Any:
    if not isinstance(schema, dict) or depth > LAST_DEPTH:
        return f"sample {name}" if schema is True else None
    if "$ref" in schema:
        return _sample(_resolve(str(schema["$ref"]), root), name, root, depth + 1)
    if "const" in schema:
        return schema["const"]
    for key in ("enum", "examples"):
        if isinstance(schema.get(key), list) and schema[key]:
            return schema[key][0]
    if "default" in schema:
        return schema["default"]
    if isinstance(schema.get("allOf"), list):
        merged = _merge(schema, root)
        return _sample(merged, name, root, depth + 1)
    for key in ("anyOf", "oneOf"):
        if isinstance(schema.get(key), list) and schema[key]:
            return _sample(schema[key][0], name, root, depth + 1)
    return _sample_type(schema, name, root, depth)


def _sample_type(schema: dict[str, Any], name: str, root: dict[str, Any], depth: int) -> Any:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if isinstance(kind, list):
        kind = next((one for one in kind if one != "null"), "null")
    match kind:
        case "object":
            return _sample_object(schema, root, depth)
        case "array":
            return _sample_array(schema, name, root, depth)
        case "integer":
            return math.ceil(_sample_number(schema, step=1))
        case "number":
            return _sample_number(schema, step=0.5)
        case "boolean":
            return True
        case "null":
            return None
    return _sample_string(schema, name)


def _sample_object(schema: dict[str, Any], root: dict[str, Any], depth: int) -> dict[str, Any]:
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return {}
    required = schema.get("required") or ()
    return {
        key: _sample(value, key, root, depth + 1)
        for key, value in properties.items()
        if depth < OPTIONAL_DEPTH or key in required
    }


def _sample_array(schema: dict[str, Any], name: str, root: dict[str, Any], depth: int) -> list[Any]:
    least = int(schema.get("minItems", 0))
    length = max(least, 1 if depth < OPTIONAL_DEPTH else 0)
    length = min(length, int(schema.get("maxItems", length)))
    items = schema.get("items", {"type": "string"})
    if length > LONGEST_ARRAY:
        raise UnusableSchema(f"minItems is greater than {LONGEST_ARRAY}")
    return [_sample(items, name, root, depth + 1) for _ in range(length)]


def _sample_number(schema: dict[str, Any], *, step: float) -> float:
    value: float = 1
    if "minimum" in schema:
        value = max(value, schema["minimum"])
    if "exclusiveMinimum" in schema:
        value = max(value, schema["exclusiveMinimum"] + step)
    if "multipleOf" in schema:
        value = math.ceil(value / schema["multipleOf"]) * schema["multipleOf"]
    if "maximum" in schema:
        value = min(value, schema["maximum"])
    if "exclusiveMaximum" in schema:
        value = min(value, schema["exclusiveMaximum"] - step)
    return value


def _sample_string(schema: dict[str, Any], name: str) -> str:
    text = FORMATS.get(str(schema.get("format"))) or PLAUSIBLE.get(name) or f"sample {name}"
    least = int(schema.get("minLength", 0))
    if least > LONGEST_STRING:
        raise UnusableSchema(f"minLength is greater than {LONGEST_STRING}")
    text = text.ljust(least, ".")
    return text[: int(schema.get("maxLength", len(text)))]


def _merge(schema: dict[str, Any], root: dict[str, Any]) -> dict[str, Any]:
    merged = {key: value for key, value in schema.items() if key != "allOf"}
    for part in schema["allOf"]:
        resolved = _resolve(str(part["$ref"]), root) if "$ref" in part else part
        if not isinstance(resolved, dict):
            continue
        properties = {**merged.get("properties", {}), **resolved.get("properties", {})}
        required = [*merged.get("required", ()), *resolved.get("required", ())]
        merged |= resolved
        if properties:
            merged |= {"properties": properties, "required": required}
    return merged


def _resolve(reference: str, root: dict[str, Any]) -> Any:
    found: Any = root
    for step in reference.removeprefix("#").strip("/").split("/"):
        if step:
            found = found.get(step) if isinstance(found, dict) else None
    return found
