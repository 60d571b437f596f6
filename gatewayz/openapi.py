"""The OpenAPI document: ninja's own schema with everything else that is served added to it, errors and authentication included.

The inference routes are not ninja's, so they are described from the table that serves them
(``apps.inference.operations``). ``manage.py export_openapi`` writes the document to docs/openapi.json; a test compares.
"""

from functools import cache

import msgspec
from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema
from typing_extensions import override

from apps.catalog.providers.spec import Wire
from apps.common import errors
from apps.inference.operations import SURFACES, Surface
from gatewayz.openapi_parts import (
    ALWAYS,
    EXAMPLES,
    KEY_REQUIRED,
    OTHER_PATHS,
    REFUSALS,
    SCHEMA,
    SECURITY_SCHEMES,
    Json,
    error_schemas,
    refusals,
)

ENVELOPES = {Wire.ANTHROPIC_MESSAGES: "AnthropicErrorBody", Wire.GEMINI: "GoogleErrorBody"}
"""The error envelope of a wire; OpenAI's where none is named."""
NAMING = (
    "/v1/user/usage/what-if",
    "/v1/generation",
    "/v1/generation/receipt",
    "/v1/models/compare",
    "/v1/models/batch-compare",
)
"""Name something that may not be there, though not in the path."""
LIVE_ONLY = ("/v1/user/provider-keys",)
"""Refuse a test key."""
WITH_A_CODE = (
    "/v1/coupons/redeem",
    "/v1/redemption-codes/redeem",
    "/v1/referral/validate",
    "/v1/referral/apply",
    "/v1/partner-trials/start",
)
"""Refuse a code that is not there, and whoever tries too many of those."""
TRIALS = ("/v1/trial/start", "/v1/partner-trials/start")
"""Refuse whoever had one."""
BUYING = "/api/stripe/"
"""Refuses a test key, declined cards, and everything while payments are not set up."""
SUBSCRIBING = "/api/stripe/subscription-checkout"
"""Refuses a second one while the first is being made."""
ABOUT_A_REQUEST = ("/v1/quote", "/v1/route")
"""Refuse what the request inside would be refused for."""

WITHOUT_VERSION = {"/models": "/v1/models", "/ranking/models": "/v1/ranking/models"}
"""Paths that clients of earlier gateways know without their version. All are served so; these are shown, for others' tools to find."""

MODEL_IN_PATH: Json = {
    "name": "model",
    "in": "path",
    "required": True,
    "schema": {"type": "string"},
    "example": EXAMPLES["model"],
}


class DocumentedAPI(NinjaAPI):
    """A NinjaAPI whose document also holds what is served beside it."""

    beside: dict[NinjaAPI, str]
    """Their operations are shown too, at their own paths, each with its error envelope."""

    @override
    def get_openapi_schema(
        self, *, path_prefix: str | None = None, path_params: Json | None = None
    ) -> OpenAPISchema:
        schema = super().get_openapi_schema(path_prefix=path_prefix, path_params=path_params)
        others = {other: other.get_openapi_schema() for other in self.beside}
        components = schema.setdefault("components", {})
        components["securitySchemes"] = SECURITY_SCHEMES
        components["schemas"] = {
            **components.get("schemas", {}),
            **{
                name: found
                for other in others.values()
                for name, found in other["components"]["schemas"].items()
            },
            **error_schemas(),
        }
        for api, paths, envelope in (
            (self, schema["paths"], "ErrorBody"),
            *((api, others[api]["paths"], envelope) for api, envelope in self.beside.items()),
        ):
            public = _public_operations(api)
            for path, item in paths.items():
                for operation in item.values():
                    is_public = operation["operationId"] in public
                    _complete(operation, path, envelope, is_public=is_public)
        for other in others.values():
            schema["paths"].update(other["paths"])
        for surface in SURFACES:
            for path in surface.paths:
                operation, schemas = describe(surface, path)
                schema["paths"][path] = {"post": operation}
                components["schemas"].update(schemas)
        schema["paths"].update(OTHER_PATHS)
        for path, whole in WITHOUT_VERSION.items():
            schema["paths"][path] = _again(schema["paths"][whole], whole)
        return schema


def _again(item: Json, path: str) -> Json:
    """The operations of a path as those of another name of it."""
    return {
        method: {
            **operation,
            "operationId": f"{operation['operationId']}_without_version",
            "description": f"The same as `{method.upper()} {path}`.",
        }
        for method, operation in item.items()
    }


def _complete(operation: Json, path: str, envelope: str, *, is_public: bool) -> None:
    """What ninja does not know of one of its operations: examples, who may ask, and what it refuses."""
    found = list(ALWAYS)
    parameters = operation.get("parameters", [])
    if parameters or "requestBody" in operation:
        found.append(errors.InvalidRequest)
    if "requestBody" in operation:
        found.append(errors.EncodedBody)
    if "{" in path or path in NAMING:
        found.append(errors.ModelNotFound if "model" in path else errors.NotFound)
    if not is_public:
        operation["security"] = KEY_REQUIRED
        found.append(errors.Unauthenticated)
    if path.startswith(LIVE_ONLY):
        found.append(errors.PermissionDenied)
        if "{" in path or "requestBody" in operation:  # a change, and those are counted
            found.append(errors.RateLimited)
    if path in WITH_A_CODE:
        found += [errors.NotFound, errors.RateLimited]
    if path in TRIALS:
        found.append(errors.TrialRefused)
    if path.startswith(BUYING) and not is_public:
        found += [errors.PermissionDenied, errors.PaymentDeclined, errors.PaymentsNotConfigured]
        found += [errors.NotFound, errors.UpstreamInvalid]
        if operation.get("requestBody"):
            found.append(errors.IdempotencyMismatch)
        if path == SUBSCRIBING:
            found.append(errors.IdempotencyInFlight)
    if path in ABOUT_A_REQUEST:
        found = list(REFUSALS)
    operation["responses"].update(refusals(found, envelope))
    for parameter in parameters:
        if parameter["name"] in EXAMPLES:
            parameter["example"] = EXAMPLES[parameter["name"]]


@cache
def describe(surface: Surface, path: str) -> tuple[Json, Json]:
    """The operation of a surface at one of its paths, and the schemas that it refers to."""
    # Structs of several surfaces share names ("Message"); in the document each surface has names of its own.
    prefix = surface.name.title().replace("_", "")
    content, schemas = _request_body(surface, prefix)
    number = surface.paths.index(path) + 1
    answers = {media: {"schema": ANSWERS.get(media, {})} for media in surface.answers}
    operation: Json = {
        "operationId": f"create_{surface.name}" + (f"_{number}" if number > 1 else ""),
        "summary": surface.summary,
        "description": "Fields that are not named here are passed on to a provider of the same wire.",
        "tags": ["Inference"],
        "security": KEY_REQUIRED,
        "parameters": [MODEL_IN_PATH] if "{model}" in path else [],
        "requestBody": {"required": True, "content": content},
        "responses": {
            200: {
                "description": "The answer; a stream is one of server-sent events.",
                "content": answers,
            },
            **refusals(REFUSALS, ENVELOPES.get(surface.wire, "ErrorBody")),
        },
    }
    return operation, {
        prefix + name: {**schema, "title": prefix + name} for name, schema in schemas.items()
    }


ANSWERS: Json = {"application/json": {"type": "object"}}
"""Schemas by media type; the others are events and bytes."""


def _request_body(surface: Surface, prefix: str) -> tuple[Json, Json]:
    """The content of a request, and the schemas that it refers to."""
    if surface.form:
        return {"multipart/form-data": {"schema": _form(surface)}}, {}
    example = dict(surface.example)
    if surface.body is None:
        schema = {"type": "object", "required": list(example)}
        return {"application/json": {"schema": schema, "example": example}}, {}
    (body,), schemas = msgspec.json.schema_components(
        [surface.body], ref_template=f"{SCHEMA}{prefix}{{name}}"
    )
    return {"application/json": {"schema": body, "example": example}}, schemas


def _form(surface: Surface) -> Json:
    properties: Json = {}
    for field in surface.form:
        name = field.rstrip("!*")
        properties[name] = {"type": "string"}
        if field.endswith("*"):
            properties[name]["format"] = "binary"
        if name in surface.example:
            properties[name]["examples"] = [surface.example[name]]
    required = [field.rstrip("!*") for field in surface.form if "!" in field]
    return {"type": "object", "required": required, "properties": properties}


def _public_operations(api: NinjaAPI) -> frozenset[str]:
    """Ids of the operations that say ``auth=None``; all others have the API's own authentication."""
    return frozenset(
        api.get_openapi_operation_id(operation)
        for _, router in api._routers
        for view in router.path_operations.values()
        for operation in view.operations
        if operation.auth_param is None
    )
