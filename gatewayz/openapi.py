"""The OpenAPI document: ninja's own schema with the inference operations, errors and authentication added to it.

The inference routes are not ninja's, so they are described from the table that serves them
(``apps.inference.operations``). ``manage.py export_openapi`` writes the document to docs/openapi.json; a test compares.
"""

from collections import defaultdict
from functools import cache
from typing import Any

import msgspec
from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema
from typing_extensions import override

from apps.catalog.providers.spec import Wire
from apps.common import errors
from apps.common.errors import GatewayzError
from apps.common.schemas import ErrorBody
from apps.inference.operations import SURFACES, Surface

Json = dict[str, Any]

SCHEMA = "#/components/schemas/"
KEY_REQUIRED: list[Json] = [{"bearer": []}, {"x-api-key": []}]
SECURITY_SCHEMES: Json = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "Authorization: Bearer <key>"},
    "x-api-key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
}

# What may be answered instead of a 200; further errors come inside a stream that has begun.
REFUSALS: tuple[type[GatewayzError], ...] = (
    errors.InvalidRequest,
    errors.Unauthenticated,
    errors.InsufficientCredits,
    errors.PermissionDenied,
    errors.ModelNotFound,
    errors.MethodNotAllowed,
    errors.BodyTooLarge,
    errors.RateLimited,
    errors.InternalError,
    errors.AllProvidersFailed,
    errors.ServiceUnavailable,
)

ENVELOPES = {Wire.ANTHROPIC_MESSAGES: "AnthropicErrorBody", Wire.GEMINI: "GoogleErrorBody"}
"""The error envelope of a wire; OpenAI's where none is named."""

MODEL_IN_PATH: Json = {
    "name": "model",
    "in": "path",
    "required": True,
    "schema": {"type": "string"},
}

ANSWER: Json = {
    "description": "The answer; with `stream` a series of server-sent events.",
    "content": {
        "application/json": {"schema": {"type": "object"}},
        "text/event-stream": {"schema": {"type": "string"}},
    },
}
ANTHROPIC_ERROR_BODY: Json = {
    "title": "AnthropicErrorBody",
    "description": "The Anthropic error envelope; code is from the closed list of docs/errors.md.",
    "type": "object",
    "required": ["type", "error", "request_id"],
    "properties": {
        "type": {"const": "error"},
        "error": {
            "type": "object",
            "required": ["type", "message", "code", "param"],
            "properties": {
                "type": {"type": "string"},
                "message": {"type": "string"},
                "code": {"type": "string"},
                "param": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            },
        },
        "request_id": {"type": "string"},
    },
}


GOOGLE_ERROR_BODY: Json = {
    "title": "GoogleErrorBody",
    "description": "Google's error envelope; the reason in details is from the closed list of docs/errors.md.",
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "status", "details"],
            "properties": {
                "code": {"type": "integer"},
                "message": {"type": "string"},
                "status": {"type": "string"},
                "details": {"type": "array", "items": {"type": "object"}},
            },
        }
    },
}


class DocumentedAPI(NinjaAPI):
    """A NinjaAPI whose document also holds the inference operations."""

    @override
    def get_openapi_schema(
        self, *, path_prefix: str | None = None, path_params: Json | None = None
    ) -> OpenAPISchema:
        schema = super().get_openapi_schema(path_prefix=path_prefix, path_params=path_params)
        components = schema.setdefault("components", {})
        components["securitySchemes"] = SECURITY_SCHEMES
        components["schemas"] = {**components.get("schemas", {}), **_error_schemas()}
        public = _public_operations(self)
        for item in schema["paths"].values():
            for operation in item.values():
                if operation["operationId"] not in public:
                    operation["security"] = KEY_REQUIRED
                    operation["responses"][401] = _refusal([errors.Unauthenticated], "ErrorBody")
        for surface in SURFACES:
            operation, schemas = describe(surface)
            schema["paths"][surface.paths[0]] = {"post": operation}
            components["schemas"].update(schemas)
        return schema


@cache
def describe(surface: Surface) -> tuple[Json, Json]:
    """The operation of a surface, and the schemas that it refers to."""
    # Structs of several surfaces share names ("Message"); in the document each surface has names of its own.
    prefix = surface.name.title().replace("_", "")
    content, schemas = _request_body(surface, prefix)
    others = surface.paths[1:]
    operation: Json = {
        "operationId": f"create_{surface.name}",
        "summary": surface.summary,
        "description": "Fields that are not named here are passed on to a provider of the same wire."
        + "".join(f" Also answered at {path}." for path in others),
        "tags": ["Inference"],
        "security": KEY_REQUIRED,
        "parameters": [MODEL_IN_PATH] if "{model}" in surface.paths[0] else [],
        "requestBody": {"required": True, "content": content},
        "responses": {200: ANSWER, **_refusals(ENVELOPES.get(surface.wire, "ErrorBody"))},
    }
    return operation, {
        prefix + name: {**schema, "title": prefix + name} for name, schema in schemas.items()
    }


def _request_body(surface: Surface, prefix: str) -> tuple[Json, Json]:
    """The content of a request, and the schemas that it refers to."""
    if surface.body is not None:
        (body,), schemas = msgspec.json.schema_components(
            [surface.body], ref_template=f"{SCHEMA}{prefix}{{name}}"
        )
        return {"application/json": {"schema": body}}, schemas
    if surface.read_json is not None:
        return {"application/json": {"schema": {"type": "object"}}}, {}
    properties: Json = {}
    for field in surface.form:
        name = field.rstrip("*")
        properties[name] = {"type": "string"} | ({"format": "binary"} if name != field else {})
    return {"multipart/form-data": {"schema": {"type": "object", "properties": properties}}}, {}


def _refusals(envelope: str) -> dict[int, Json]:
    by_status: dict[int, list[type[GatewayzError]]] = defaultdict(list)
    for refusal in REFUSALS:
        by_status[refusal.status].append(refusal)
    return {status: _refusal(by_status[status], envelope) for status in sorted(by_status)}


def _refusal(refusals: list[type[GatewayzError]], envelope: str) -> Json:
    return {
        "description": " or ".join(f"`{refusal.code}`" for refusal in refusals),
        "content": {"application/json": {"schema": {"$ref": SCHEMA + envelope}}},
    }


def _error_schemas() -> Json:
    openai = ErrorBody.model_json_schema(ref_template=SCHEMA + "{model}")
    return {
        **openai.pop("$defs"),
        "ErrorBody": openai,
        "AnthropicErrorBody": ANTHROPIC_ERROR_BODY,
        "GoogleErrorBody": GOOGLE_ERROR_BODY,
    }


def _public_operations(api: NinjaAPI) -> frozenset[str]:
    """Ids of the operations that say ``auth=None``; all others have the API's own authentication."""
    return frozenset(
        api.get_openapi_operation_id(operation)
        for _, router in api._routers
        for view in router.path_operations.values()
        for operation in view.operations
        if operation.auth_param is None
    )
