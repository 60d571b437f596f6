"""Decoding and encoding on the same wire loses nothing that has a meaning."""

from copy import deepcopy
from typing import Any

import pytest

from apps.catalog.providers.spec import Wire
from apps.inference.canonical.fold import fold
from apps.inference.protocols import CODECS
from tests.protocols.cases import (
    CASES,
    IDENTITY,
    Case,
    encode_stream,
    events_of,
    price,
    received,
    with_plain_arguments,
)
from tests.protocols.responses_stream import plain_request


@pytest.mark.parametrize("case", CASES, ids=str)
def test_request_keeps_its_meaning(case: Case):
    codec = CODECS[case.wire]
    request = codec.decode_request(case.request)

    encoded = codec.encode_request(request, model=request.model)

    assert encoded.dropped == ()
    body = received(case.wire, encoded.body, model=request.model)
    assert _plain(case.wire, body) == _plain(case.wire, case.request)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_request_decodes_to_the_same_again(case: Case):
    codec = CODECS[case.wire]
    request = codec.decode_request(case.request)

    body = codec.encode_request(request, model=request.model).body
    again = codec.decode_request(received(case.wire, body, model=request.model))

    if request.stream and case.wire is Wire.OPENAI_CHAT:
        assert again.include_usage
    assert again == request


@pytest.mark.parametrize("case", CASES, ids=str)
def test_response_decodes_to_the_same_again(case: Case):
    codec = CODECS[case.wire]
    response = codec.decode_response(case.response)
    assert response.usage is not None

    body = codec.encode_response(response, identity=IDENTITY, usage=response.usage, price=price)

    again = codec.decode_response(body)
    if case.wire is not Wire.BEDROCK_CONVERSE:  # whose answers name neither
        assert (again.id, again.model) == (IDENTITY.id, IDENTITY.model)
    assert again.blocks == response.blocks
    assert (again.finish, again.stop_sequence) == (response.finish, response.stop_sequence)
    assert again.usage == response.usage


@pytest.mark.parametrize("case", CASES, ids=str)
def test_stream_decodes_to_the_same_again(case: Case):
    events = events_of(case.wire, [case.stream])
    response = fold(events)
    assert response.usage is not None

    again = fold(events_of(case.wire, [encode_stream(case.wire, events, usage=response.usage)]))

    assert with_plain_arguments(again).blocks == with_plain_arguments(response).blocks
    assert (again.finish, again.stop_sequence) == (response.finish, response.stop_sequence)
    assert again.usage == response.usage


def test_unknown_keys_survive_at_every_level():
    body = {
        "model": "m",
        "messages": [
            {
                "role": "user",
                "weight": 1,
                "content": [
                    {"type": "text", "text": "a", "mark": True},
                    {"type": "image_url", "image_url": {"url": "https://x/y", "zoom": 2}, "z": 3},
                    {"type": "video_url", "video_url": {"url": "https://x/v"}},
                ],
            }
        ],
        "tools": [
            {"type": "function", "function": {"name": "f", "examples": [1]}, "beside": 1},
            {"type": "custom", "custom": {"name": "c"}},
        ],
        "tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}},
        "response_format": {"type": "grammar", "grammar": "x"},
        "brand_new": {"a": None},
    }
    codec = CODECS[Wire.OPENAI_CHAT]

    assert codec.encode_request(codec.decode_request(body), model="m").body == body


def _plain(wire: Wire, body: dict[str, Any]) -> dict[str, Any]:
    """The body with the format's own synonyms written in one way."""
    if wire is Wire.OPENAI_RESPONSES:
        return plain_request(body)
    plain = {key: value for key, value in body.items() if value is not None}
    if wire is Wire.GEMINI:
        return _plain_gemini(plain)
    if wire is Wire.BEDROCK_CONVERSE:
        return plain  # it has no two ways to say a thing
    if "max_tokens" in plain and wire is Wire.OPENAI_CHAT:
        plain["max_completion_tokens"] = plain.pop("max_tokens")
    if isinstance(plain.get("system"), str):
        plain["system"] = _plain_content(wire, plain["system"])
    plain["messages"] = [_plain_message(wire, message) for message in plain["messages"]]
    return plain


def _plain_gemini(body: dict[str, Any]) -> dict[str, Any]:
    plain = deepcopy(body)
    for tool in plain.get("tools", []):
        for function in tool.get("functionDeclarations", []):
            if "parameters" in function:
                function["parametersJsonSchema"] = function.pop("parameters")
    for content in plain["contents"]:
        for part in content["parts"]:
            named = part.get("functionCall") or part.get("functionResponse") or {}
            if str(named.get("id")).startswith("call_"):
                del named["id"]  # made up for a call that came without one
    return plain


def _plain_message(wire: Wire, message: dict[str, Any]) -> dict[str, Any]:
    plain = dict(message, content=_plain_content(wire, message["content"]))
    if plain["role"] == "developer":
        plain["role"] = "system"
    return plain


def _plain_content(wire: Wire, content: Any) -> Any:
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    if content is None:
        return []
    plain = [dict(block) for block in content]
    for block in plain:
        if block["type"] == "tool_result":
            block["content"] = _plain_content(wire, block["content"])
    return plain
