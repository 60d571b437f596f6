"""What a provider's refusal means, and what of it reaches the client: the field, spelled as everywhere."""

from typing import Any

import orjson
import pytest

from apps.common.errors import ContextTooLong, InvalidRequest
from apps.inference.faults import SHORT_PAUSE_SECONDS, FaultKind, from_status


@pytest.mark.parametrize(
    ("said", "param"),
    [
        ("messages.[1].role", "messages[1].role"),
        ("messages.1.content.0.text", "messages[1].content[0].text"),
        ("messages[1].role", "messages[1].role"),
        ("logit_bias.123", "logit_bias.123"),
        ("see https://x", None),
        (7, None),
    ],
)
def test_field_is_named_by_its_path_when_a_provider_spells_it_otherwise(said, param):
    fault = from_status(400, {}, orjson.dumps({"error": {"message": "no", "param": said}}))

    assert fault.client_error is not None
    assert fault.client_error.param == param


@pytest.mark.parametrize(
    ("error", "param"),
    [
        ({"type": "invalid_request_error", "message": "stop_sequences: each must have text"}, "stop_sequences"),
        ({"message": "messages.0.content.0.text.cache_control.ttl: Input should be '5m'"}, "messages[0].content[0].text.cache_control.ttl"),
        ({"message": "tools.0.custom.name: too long"}, "tools[0].custom.name"),
        ({"message": "https: no field"}, None),
        ({"message": "secret_place.of.theirs: no"}, None),
        ({"message": "no", "status": "INVALID_ARGUMENT", "details": [{"fieldViolations": [{"field": "contents[0].parts[1]", "description": "bad"}]}]}, "contents[0].parts[1]"),
        ({"message": "no", "details": [{"fieldViolations": [{"field": "see https://x"}]}]}, None),
        ({"message": "no", "details": [7, {"fieldViolations": {}}]}, None),
    ],
)  # fmt: skip
def test_field_is_named_where_a_provider_names_it_in_its_own_way(error, param):
    fault = from_status(400, {}, orjson.dumps({"type": "error", "error": error}))

    assert fault.client_error is not None
    assert fault.client_error.param == param


SHORT = pytest.approx(SHORT_PAUSE_SECONDS * 1.125, abs=SHORT_PAUSE_SECONDS * 0.126)
"""With its random part."""


def google(code: int, status: str, *details: dict[str, Any], message: str = "no") -> bytes:
    error = {"code": code, "message": message, "status": status, "details": list(details)}
    return orjson.dumps({"error": error})


RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "0.5s"}
LATER = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.07s"}
BAD_KEY = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}


@pytest.mark.parametrize(
    ("status", "name", "details", "pause"),
    [
        (400, "FAILED_PRECONDITION", (), None),
        (400, "INVALID_ARGUMENT", (BAD_KEY,), None),
        (400, "RESOURCE_EXHAUSTED", (RETRY,), 0.5),
        (401, "UNAUTHENTICATED", (), None),
        (402, "RESOURCE_EXHAUSTED", (), None),
        (403, "PERMISSION_DENIED", (), None),
        (404, "NOT_FOUND", (), None),
        (429, "RESOURCE_EXHAUSTED", (RETRY,), 0.5),
        (429, "RESOURCE_EXHAUSTED", (LATER,), None),
        (429, "RESOURCE_EXHAUSTED", (), None),
        (499, "CANCELLED", (), None),
        (500, "INTERNAL", (), SHORT),
        (500, "UNKNOWN", (), SHORT),
        (408, "UNKNOWN", (), None),
        (500, "UNAVAILABLE", (), None),
        (503, "UNAVAILABLE", (), None),
        (504, "DEADLINE_EXCEEDED", (), None),
        (400, "A_NEW_WORD", (RETRY,), "rejected"),
        (503, "A_NEW_WORD", (), None),
    ],
)
@pytest.mark.parametrize("is_list", [False, True], ids=["object", "list"])
def test_googles_status_says_whose_trouble_it_is(status, name, details, pause, is_list):
    body = google(status, name, *details)

    fault = from_status(status, {}, b"[" + body + b"]" if is_list else body)

    assert (fault.client_error is not None) == (pause == "rejected")
    assert fault.pause == (None if pause == "rejected" else pause)
    assert fault.status == status
    assert name in fault.detail


def test_googles_header_counts_where_the_body_tells_no_wait():
    fault = from_status(429, {"retry-after": "1"}, google(429, "RESOURCE_EXHAUSTED"))

    assert fault.pause == 1


@pytest.mark.parametrize(
    ("status", "name", "pause"),
    [
        (400, "AccessDeniedException", None),
        (400, "ExpiredTokenException", None),
        (400, "IncompleteSignature", None),
        (400, "ServiceQuotaExceededException", None),
        (400, "ThrottlingException", None),
        (400, "ValidationException", "rejected"),
        (403, "AccessDeniedException", None),
        (403, "UnrecognizedClientException", None),
        (404, "ResourceNotFoundException", None),
        (408, "ModelTimeoutException", None),
        (424, "ModelErrorException", None),
        (429, "ModelNotReadyException", SHORT),
        (429, "ThrottlingException", None),
        (500, "InternalServerException", SHORT),
        (503, "ServiceUnavailableException", None),
        (400, "ANewException", "rejected"),
    ],
)
@pytest.mark.parametrize("told", ["header", "header with namespace", "body"])
def test_amazons_type_says_whose_trouble_it_is(status, name, pause, told):
    headers = {
        "header": {"x-amzn-errortype": name},
        "header with namespace": {"x-amzn-errortype": f"{name}:http://internal.amazon.com/coral/"},
        "body": {},
    }[told]
    body = {"message": "no"} if headers else {"__type": f"com.amazon.coral#{name}", "Message": "no"}

    fault = from_status(status, headers, orjson.dumps(body))

    assert (fault.client_error is not None) == (pause == "rejected")
    assert fault.pause == (None if pause == "rejected" else pause)
    assert fault.detail == f"{name} no"


def test_amazons_wait_is_in_the_header():
    headers = {"x-amzn-errortype": "ThrottlingException", "retry-after": "0.2"}

    assert from_status(400, headers, b"{}").pause == 0.2


@pytest.mark.parametrize(
    ("said", "error"),
    [
        ("The input token count (1048577) exceeds the maximum number of tokens allowed (1048576).", ContextTooLong),
        ("Input is too long for requested model.", ContextTooLong),
        ("The provided model identifier is invalid.", None),
        ("Invocation of model ID x with on-demand throughput isn’t supported.", None),
        ("Please use a valid role: user, model.", InvalidRequest),
    ],
)  # fmt: skip
def test_what_is_rejected_is_told_apart_by_its_words(said, error):
    fault = from_status(400, {}, google(400, "INVALID_ARGUMENT", message=said))

    assert type(fault.client_error) is (error or type(None))


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"null", b"7", b'["a"]', b'{"error": 7}', b'{"error": {"status": 503}}', b"<html>",
     b'{"error": {"status": "UNAVAILABLE", "details": 7}}', b'{"error": {"status": "UNAVAILABLE", "details": [7]}}'],
)  # fmt: skip
def test_body_of_no_known_shape_leaves_it_to_the_status(body):
    assert from_status(503, {}, body).client_error is None
    assert from_status(500, {}, body).kind is FaultKind.STATUS
