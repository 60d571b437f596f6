"""Amazon Bedrock's runtime as it is entered, and its errors: ``{"message"}``, with the kind in ``x-amzn-ErrorType``.

A request is signed by SigV4 or brings a Bedrock API key as Bearer token. The model and the operation stand in the path.
Format: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_Converse.html and CommonErrors.html
"""

from collections.abc import Mapping
from typing import Any

from apps.sandbox import checks
from apps.sandbox.keys import BAD_KEY, find_bearer
from apps.sandbox.sigv4 import check_signature
from apps.sandbox.wire import Asked, Incoming, Refused

ERROR_TYPES: Mapping[int, str] = {
    400: "ValidationException",
    401: "UnrecognizedClientException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    408: "ModelTimeoutException",
    424: "ModelErrorException",
    429: "ThrottlingException",
    500: "InternalServerException",
    503: "ServiceUnavailableException",
}
NAMESPACE = "http://internal.amazon.com/coral/com.amazon.bedrock/"


def authenticate(incoming: Incoming) -> None:
    if not incoming.headers.get("authorization"):
        raise Refused(
            "Missing Authentication Token", status=403, code="MissingAuthenticationTokenException"
        )
    token = find_bearer(incoming)
    if not token:
        check_signature(incoming)
    if token == BAD_KEY:
        raise Refused("Authentication failed: Please make sure your API Key is valid.", status=403)


def open_body(incoming: Incoming) -> Asked:
    body = checks.read_json(incoming.content)
    return Asked(incoming=incoming, model=incoming.variables["model"], body=body)


def name_error(refusal: Refused) -> str:
    fallback = "ServiceUnavailableException" if refusal.status > 500 else "ValidationException"
    kind = refusal.code if refusal.code and refusal.code.endswith("Exception") else None
    return kind or ERROR_TYPES.get(refusal.status, fallback)


def render_refusal(refusal: Refused, *, request_id: str) -> dict[str, Any]:
    return {"message": refusal.message}


def render_headers(*, request_id: str, refusal: Refused | None) -> dict[str, str]:
    headers = {"x-amzn-requestid": request_id}
    if refusal is not None:
        headers["x-amzn-errortype"] = f"{name_error(refusal)}:{NAMESPACE}"
    return headers


def explain_model(name: str, asked: Asked) -> Refused:
    return Refused("The provided model identifier is invalid.")


def explain_context(prompt_tokens: int) -> Refused:
    return Refused("Input is too long for requested model.")


def explain_filter() -> Refused | None:
    return Refused("The model returned the following errors: Output blocked by content filtering policy")  # fmt: skip
