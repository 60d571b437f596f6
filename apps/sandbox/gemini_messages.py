"""Gemini's messages as a table, and the reader that holds a body against it as Google's JSON front does.

The reader takes field names in camelCase and snake_case alike, refuses unknown names and wrong types with Google's own
words and paths, and returns the body in camelCase. What Gemini's models think of the values is ``gemini_request``'s
business.

A kind is a scalar (``text``, ``whole``, ``number``, ``flag``, ``bytes``), ``struct`` (any object), ``any`` (free JSON), the name of a message,
a tuple of enum values, or one of these in a list (``[kind]``) or in a map (``{"": kind}``).

Fields: https://ai.google.dev/api/generate-content, https://ai.google.dev/api/caching#Schema and the request converters of
google-genai 3.4.0. ``Schema`` has no ``additionalProperties``, ``$ref`` or ``const``: sending them to ``parameters``
or ``responseSchema`` is the best-known 400 of this API; ``parametersJsonSchema`` takes any JSON schema.
"""

import base64
import re
from collections.abc import Mapping
from typing import Any

from apps.sandbox.wire import Refused

Kind = Any
TEXT, WHOLE, NUMBER, FLAG, BYTES = "text", "whole", "number", "flag", "bytes"
STRUCT, ANY = "struct", "any"

HARM_CATEGORIES = (
    "HARM_CATEGORY_HARASSMENT",
    "HARM_CATEGORY_HATE_SPEECH",
    "HARM_CATEGORY_SEXUALLY_EXPLICIT",
    "HARM_CATEGORY_DANGEROUS_CONTENT",
    "HARM_CATEGORY_CIVIC_INTEGRITY",
)
HARM_THRESHOLDS = (
    "HARM_BLOCK_THRESHOLD_UNSPECIFIED",
    "BLOCK_LOW_AND_ABOVE",
    "BLOCK_MEDIUM_AND_ABOVE",
    "BLOCK_ONLY_HIGH",
    "BLOCK_NONE",
    "OFF",
)
TYPES = ("STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL")

MESSAGES: Mapping[str, Mapping[str, Kind]] = {
    "GenerateContentRequest": {
        "model": TEXT,
        "contents": ["Content"],
        "systemInstruction": "Content",
        "generationConfig": "GenerationConfig",
        "tools": ["Tool"],
        "toolConfig": "ToolConfig",
        "safetySettings": ["SafetySetting"],
        "cachedContent": TEXT,
        "labels": {"": TEXT},
        "serviceTier": TEXT,
        "store": FLAG,
    },
    "CountTokensRequest": {
        "model": TEXT,
        "contents": ["Content"],
        "generateContentRequest": "GenerateContentRequest",
        # Vertex takes the request's own fields here: cloud.google.com/vertex-ai/docs/reference/rest/v1/CountTokensRequest
        "systemInstruction": "Content",
        "tools": ["Tool"],
        "generationConfig": "GenerationConfig",
        "instances": [ANY],
    },
    "EmbedContentRequest": {
        "model": TEXT,
        "content": "Content",
        "taskType": TEXT,
        "title": TEXT,
        "outputDimensionality": WHOLE,
        "autoTruncate": FLAG,
    },
    "BatchEmbedContentsRequest": {"requests": ["EmbedContentRequest"]},
    "Content": {"role": TEXT, "parts": ["Part"]},
    "Part": {
        "text": TEXT,
        "inlineData": "Blob",
        "fileData": "FileData",
        "functionCall": "FunctionCall",
        "functionResponse": "FunctionResponse",
        "executableCode": "ExecutableCode",
        "codeExecutionResult": "CodeExecutionResult",
        "thought": FLAG,
        "thoughtSignature": BYTES,
        "videoMetadata": ANY,
        "mediaResolution": ANY,
        "partMetadata": ANY,
    },
    "Blob": {"mimeType": TEXT, "data": BYTES, "displayName": TEXT},
    "FileData": {"mimeType": TEXT, "fileUri": TEXT, "displayName": TEXT},
    "FunctionCall": {"id": TEXT, "name": TEXT, "args": STRUCT},
    "FunctionResponse": {
        "id": TEXT,
        "name": TEXT,
        "response": STRUCT,
        "parts": ["FunctionResponsePart"],
        "willContinue": FLAG,
        "scheduling": TEXT,
    },
    "FunctionResponsePart": {"inlineData": "Blob"},
    "ExecutableCode": {"id": TEXT, "language": ("LANGUAGE_UNSPECIFIED", "PYTHON"), "code": TEXT},
    "CodeExecutionResult": {
        "id": TEXT,
        "outcome": ("OUTCOME_UNSPECIFIED", "OUTCOME_OK", "OUTCOME_FAILED", "OUTCOME_DEADLINE_EXCEEDED"),
        "output": TEXT,
    },
    "GenerationConfig": {
        "temperature": NUMBER,
        "topP": NUMBER,
        "topK": NUMBER,
        "maxOutputTokens": WHOLE,
        "stopSequences": [TEXT],
        "candidateCount": WHOLE,
        "responseMimeType": TEXT,
        "responseSchema": "Schema",
        "responseJsonSchema": ANY,
        "responseModalities": [("MODALITY_UNSPECIFIED", "TEXT", "IMAGE", "AUDIO")],
        "thinkingConfig": "ThinkingConfig",
        "seed": WHOLE,
        "presencePenalty": NUMBER,
        "frequencyPenalty": NUMBER,
        "responseLogprobs": FLAG,
        "logprobs": WHOLE,
        "enableEnhancedCivicAnswers": FLAG,
        "speechConfig": ANY,
        "imageConfig": ANY,
        "mediaResolution": TEXT,
        "audioTimestamp": FLAG,
    },
    "ThinkingConfig": {
        "includeThoughts": FLAG,
        "thinkingBudget": WHOLE,
        "thinkingLevel": ("THINKING_LEVEL_UNSPECIFIED", "MINIMAL", "LOW", "MEDIUM", "HIGH", "XHIGH"),
    },
    "Tool": {
        "functionDeclarations": ["FunctionDeclaration"],
        "googleSearch": ANY,
        "googleSearchRetrieval": ANY,
        "codeExecution": ANY,
        "urlContext": ANY,
        "googleMaps": ANY,
        "fileSearch": ANY,
        "computerUse": ANY,
        "enterpriseWebSearch": ANY,
        "retrieval": ANY,
    },
    "FunctionDeclaration": {
        "name": TEXT,
        "description": TEXT,
        "parameters": "Schema",
        "parametersJsonSchema": ANY,
        "response": "Schema",
        "responseJsonSchema": ANY,
        "behavior": TEXT,
    },
    "ToolConfig": {
        "functionCallingConfig": "FunctionCallingConfig",
        "retrievalConfig": ANY,
        "includeServerSideToolInvocations": FLAG,
    },
    "FunctionCallingConfig": {
        "mode": ("MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED"),
        "allowedFunctionNames": [TEXT],
        "streamFunctionCallArguments": FLAG,
    },
    "SafetySetting": {"category": HARM_CATEGORIES, "threshold": HARM_THRESHOLDS, "method": TEXT},
    "Schema": {
        "type": ("TYPE_UNSPECIFIED", *TYPES),
        "format": TEXT,
        "title": TEXT,
        "description": TEXT,
        "nullable": FLAG,
        "enum": [TEXT],
        "items": "Schema",
        "minItems": WHOLE,
        "maxItems": WHOLE,
        "properties": {"": "Schema"},
        "required": [TEXT],
        "minProperties": WHOLE,
        "maxProperties": WHOLE,
        "minLength": WHOLE,
        "maxLength": WHOLE,
        "pattern": TEXT,
        "minimum": NUMBER,
        "maximum": NUMBER,
        "example": ANY,
        "default": ANY,
        "anyOf": ["Schema"],
        "propertyOrdering": [TEXT],
    },
}  # fmt: skip

EXPECTED: Mapping[str, tuple[type, ...]] = {
    TEXT: (str,),
    FLAG: (bool,),
    BYTES: (str,),
    NUMBER: (int, float, str),
    WHOLE: (int, float, str),
}
PROTO_NAMES: Mapping[str, str] = {
    TEXT: "TYPE_STRING",
    FLAG: "TYPE_BOOL",
    BYTES: "TYPE_BYTES",
    NUMBER: "TYPE_FLOAT",
    WHOLE: "TYPE_INT32",
}


class _Violations:
    """What is wrong with a body: Google lists every violation, not only the first."""

    def __init__(self) -> None:
        self.found: list[tuple[str, str]] = []

    def unknown(self, name: str, path: str) -> None:
        where = f" at '{path}'" if path else ""
        self.found.append((path, f'Unknown name "{name}"{where}: Cannot find field.'))

    def invalid(self, path: str, kind: str, value: Any) -> None:
        shown = f'"{value}"' if isinstance(value, str) else value
        self.found.append((path, f"Invalid value at '{path}' ({kind}), {shown}"))


class InvalidPayload(Refused):
    """The body does not fit its message; ``violations`` are pairs of path and sentence."""

    def __init__(self, violations: list[tuple[str, str]]) -> None:
        self.violations = [
            (path, f"Invalid JSON payload received. {sentence}")
            if sentence.startswith("Unknown name")
            else (path, sentence)
            for path, sentence in violations
        ]
        super().__init__("\n".join(sentence for _, sentence in self.violations))


def read_message(value: dict[str, Any], message: str) -> dict[str, Any]:
    """The body in camelCase. Raise InvalidPayload with all that is wrong."""
    violations = _Violations()
    found = _read_message(value, message, "", violations)
    if violations.found:
        raise InvalidPayload(violations.found)
    return found


def _read_message(
    value: dict[str, Any], message: str, path: str, violations: _Violations
) -> dict[str, Any]:
    fields = MESSAGES[message]
    found: dict[str, Any] = {}
    for given, inner in value.items():
        name = to_camel_case(given)
        if name not in fields:
            violations.unknown(given, path)
        elif inner is not None:
            place = f"{path}.{to_snake_case(name)}" if path else to_snake_case(name)
            found[name] = _read_value(inner, fields[name], place, violations)
    return found


def _read_value(value: Any, kind: Kind, path: str, violations: _Violations) -> Any:
    match kind:
        case [inner] if isinstance(kind, list):
            # One value where a list stands is a list of one, as in Google's parser.
            values = value if isinstance(value, list) else [value]
            return [
                _read_value(one, inner, f"{path}[{index}]", violations)
                for index, one in enumerate(values)
            ]
        case {"": inner}:
            if not isinstance(value, dict):
                violations.invalid(path, "Map", value)
                return {}
            return {
                key: _read_value(one, inner, f"{path}[{index}].value", violations)
                for index, (key, one) in enumerate(value.items())
            }
        case tuple():
            if not isinstance(value, str) or value.upper() not in kind:
                violations.invalid(path, "TYPE_ENUM", value)
                return kind[0]
            return value.upper()
        case "any":
            return value
        case "struct":
            if not isinstance(value, dict):
                violations.invalid(path, "type.googleapis.com/google.protobuf.Struct", value)
            return value
    if kind in MESSAGES:
        if not isinstance(value, dict):
            violations.invalid(path, f"type.googleapis.com/{kind}", value)
            return {}
        return _read_message(value, kind, path, violations)
    return _read_scalar(value, kind, path, violations)


def _read_scalar(value: Any, kind: str, path: str, violations: _Violations) -> Any:
    if not isinstance(value, EXPECTED[kind]) or (isinstance(value, bool) and kind != FLAG):
        violations.invalid(path, PROTO_NAMES[kind], value)
        return None
    try:
        return _convert(value, kind)
    except ValueError:
        violations.invalid(path, PROTO_NAMES[kind], str(value)[:40])
        return None


def _convert(value: Any, kind: str) -> Any:
    match kind:
        case "whole":
            number = float(value)
            if not number.is_integer():
                raise ValueError(value)
            return int(number)
        case "number":
            return float(value)
        case "bytes":
            decode_bytes(value)
    return value


def decode_bytes(text: str) -> bytes:
    """Base64 in either alphabet, with or without padding, as protobuf's JSON reads it."""
    plain = text.replace("-", "+").replace("_", "/").rstrip("=")
    return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)


def to_camel_case(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(word[:1].upper() + word[1:] for word in rest)


def to_snake_case(name: str) -> str:
    return re.sub(r"([A-Z])", lambda found: "_" + found[1].lower(), name)


def to_json_schema(schema: Any) -> Any:
    """A ``Schema`` as the JSON schema that means the same, for the sampler."""
    if not isinstance(schema, dict):
        return schema
    found = {key: value for key, value in schema.items() if key not in ("nullable", "example")}
    if "type" in found:
        found["type"] = found["type"].lower()
    if "items" in found:
        found["items"] = to_json_schema(found["items"])
    if "anyOf" in found:
        found["anyOf"] = [to_json_schema(one) for one in found["anyOf"]]
    if "properties" in found:
        found["properties"] = {
            name: to_json_schema(one) for name, one in found["properties"].items()
        }
    return found
