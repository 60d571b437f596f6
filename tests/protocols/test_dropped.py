"""Nothing of a request vanishes silently: what another wire cannot carry is translated, or named as dropped."""

from typing import Any

import pytest

from apps.catalog.providers.spec import Wire
from apps.inference.canonical.codec import EncodedRequest
from apps.inference.protocols import CODECS
from tests.protocols.cases import received

CHAT, RESPONSES, GEMINI = Wire.OPENAI_CHAT, Wire.OPENAI_RESPONSES, Wire.GEMINI
ANTHROPIC, CONVERSE = Wire.ANTHROPIC_MESSAGES, Wire.BEDROCK_CONVERSE
USER = {"role": "user", "content": "hi"}


def translate(body: dict[str, Any], *, client: Wire, to: Wire) -> EncodedRequest:
    request = CODECS[client].decode_request(received(client, body))
    return CODECS[to].encode_request(request, model="native")


def from_anthropic(*blocks: dict[str, Any], to: Wire, **fields: Any) -> EncodedRequest:
    turn = {"role": "user", "content": [{"type": "text", "text": "hi"}, *blocks]}
    body = {"model": "m", "max_tokens": 9000, "messages": [turn], **fields}
    return translate(body, client=ANTHROPIC, to=to)


@pytest.mark.parametrize("to", [CHAT, RESPONSES])
@pytest.mark.parametrize(
    ("fields", "effort", "dropped"),
    [
        ({"thinking": {"type": "adaptive"}}, None, ("thinking",)),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}, "low", ()),
        ({"thinking": {"type": "enabled", "budget_tokens": 5000}}, "medium", ()),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 5000}, "output_config": {"effort": "low"}},
            "low",
            ("thinking",),
        ),
        (
            {"thinking": {"type": "disabled"}, "output_config": {"effort": "low"}},
            None,
            ("thinking", "output_config.effort"),
        ),
    ],
)  # fmt: skip
def test_thinking_is_an_effort_or_named(
    to: Wire, fields: dict[str, Any], effort: str | None, dropped: tuple[str, ...]
):
    encoded = from_anthropic(to=to, **fields)

    sent = encoded.body.get("reasoning_effort") or encoded.body.get("reasoning", {}).get("effort")
    assert sent == effort
    assert encoded.dropped == dropped


@pytest.mark.parametrize(
    ("thinking", "effort", "budget", "dropped"),
    [
        (None, "high", 24576, ()),
        ({"type": "adaptive"}, "high", 24576, ()),
        ({"type": "adaptive"}, "unheard", -1, ("output_config.effort",)),
        ({"type": "enabled", "budget_tokens": 2000}, "high", 2000, ("output_config.effort",)),
        ({"type": "disabled"}, "low", 0, ("output_config.effort",)),
        (None, "unheard", None, ("output_config.effort",)),
    ],
)
def test_effort_of_an_anthropic_client_is_a_budget_at_google(
    thinking: Any, effort: str, budget: int | None, dropped: tuple[str, ...]
):
    encoded = from_anthropic(to=GEMINI, thinking=thinking, output_config={"effort": effort})

    sent = encoded.body["generationConfig"].get("thinkingConfig", {})
    assert sent.get("thinkingBudget") == budget
    assert encoded.dropped == dropped


@pytest.mark.parametrize("to", [CHAT, RESPONSES, ANTHROPIC, CONVERSE])
def test_wish_to_see_no_thoughts_is_named(to: Wire):
    config = {"thinkingConfig": {"thinkingBudget": 1024, "includeThoughts": False}}
    body = {"contents": [{"parts": [{"text": "a"}]}], "generationConfig": config}

    dropped = translate(body, client=GEMINI, to=to).dropped

    assert "thinkingConfig.includeThoughts" in dropped


def test_level_beside_a_budget_is_named():
    config = {"thinkingConfig": {"thinkingBudget": 2048, "thinkingLevel": "HIGH"}}
    body = {"contents": [{"parts": [{"text": "a"}]}], "generationConfig": config}

    encoded = translate(body, client=GEMINI, to=ANTHROPIC)

    assert encoded.body["thinking"] == {"type": "enabled", "budget_tokens": 2048}
    assert encoded.dropped == ("thinkingConfig.thinkingLevel",)


PLAIN = {"type": "text", "media_type": "text/plain", "data": "words"}
PDF = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjQ="}


@pytest.mark.parametrize("to", [CHAT, RESPONSES, GEMINI])
def test_title_and_context_of_a_document_are_named(to: Wire):
    document = {"type": "document", "source": PLAIN, "title": "T", "context": "C"}

    assert set(from_anthropic(document, to=to).dropped) == {"title", "context"}


@pytest.mark.parametrize(
    ("to", "dropped"), [(CHAT, ()), (RESPONSES, ()), (CONVERSE, ()), (GEMINI, ("title",))]
)
def test_title_of_a_file_is_its_name_where_there_is_one(to: Wire, dropped: tuple[str, ...]):
    encoded = from_anthropic({"type": "document", "source": PDF, "title": "report"}, to=to)

    assert ("report" in str(encoded.body)) is (to is not GEMINI)
    assert encoded.dropped == dropped


def test_name_of_an_openai_clients_file_is_named_in_its_words():
    file = {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0xLjQ="}
    turn = {"role": "user", "content": [{"type": "file", "file": file}]}

    assert translate({"model": "m", "messages": [turn]}, client=CHAT, to=GEMINI).dropped == (
        "filename",
    )


def test_name_of_a_google_clients_file_is_carried():
    blob = {"mimeType": "application/pdf", "data": "JVBERi0xLjQ=", "displayName": "a.pdf"}
    body = {"contents": [{"parts": [{"inlineData": blob}]}]}

    chat = translate(body, client=GEMINI, to=CHAT)
    own = translate(body, client=GEMINI, to=GEMINI)

    assert chat.body["messages"][0]["content"][0]["file"]["filename"] == "a.pdf"
    assert chat.dropped == ()
    assert own.body["contents"][0]["parts"] == [{"inlineData": blob}]


def test_user_beside_a_safety_identifier_is_named():
    body = {"model": "m", "input": "hi", "user": "u", "safety_identifier": "s"}

    elsewhere = translate(body | {"max_output_tokens": 9}, client=RESPONSES, to=ANTHROPIC)
    chat = translate(body, client=RESPONSES, to=CHAT)
    own = translate(body, client=RESPONSES, to=RESPONSES)

    assert elsewhere.body["metadata"] == {"user_id": "s"}
    assert elsewhere.dropped == ("user",)
    assert (chat.body["user"], chat.body["safety_identifier"], chat.dropped) == ("u", "s", ())
    assert (own.body["user"], own.body["safety_identifier"]) == ("u", "s")


NESTED = {
    "type": "document",
    "title": "T",
    "context": "C",
    "source": {
        "type": "content",
        "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}],
    },
}
FOUND = {
    "type": "search_result",
    "source": "https://example.com/",
    "title": "T",
    "content": [{"type": "text", "text": "one"}],
    "citations": {"enabled": True},
}


@pytest.mark.parametrize("to", [CHAT, RESPONSES, GEMINI, CONVERSE])
@pytest.mark.parametrize(
    ("block", "text", "dropped"),
    [
        (NESTED, "T\n\nC\n\none\n\ntwo", ()),
        (NESTED | {"source": {"type": "content", "content": "one"}}, "T\n\nC\n\none", ()),
        (FOUND, "T\n\nhttps://example.com/\n\none", ("citations",)),
    ],
)
def test_sources_made_of_text_are_text_elsewhere(
    to: Wire, block: dict[str, Any], text: str, dropped: tuple[str, ...]
):
    result = {"type": "tool_result", "tool_use_id": "c", "content": [block]}

    direct, inside = from_anthropic(block, to=to), from_anthropic(result, to=to)

    assert any(said.endswith(text) for said in _said(direct.body))
    assert text in _said(inside.body)
    assert direct.dropped == inside.dropped == dropped


def test_pictures_inside_a_source_are_named():
    picture = {"type": "image", "source": PDF}
    source = {"type": "content", "content": [{"type": "text", "text": "one"}, picture]}

    encoded = from_anthropic({"type": "document", "source": source}, to=CHAT)

    assert encoded.body["messages"][0]["content"] == "hi\n\none"
    assert encoded.dropped == ("image",)


@pytest.mark.parametrize("block", [NESTED, FOUND])
def test_sources_stay_as_they_are_on_their_own_wire(block: dict[str, Any]):
    encoded = from_anthropic(block, to=ANTHROPIC)

    assert encoded.body["messages"][0]["content"][1] == block
    assert encoded.dropped == ()


@pytest.mark.parametrize("to", [ANTHROPIC, GEMINI])
def test_description_of_a_schema_is_named(to: Wire):
    schema = {"name": "n", "description": "d", "schema": {"type": "object"}}
    wanted = {"type": "json_schema", "json_schema": schema}

    encoded = translate(
        {"model": "m", "messages": [USER], "response_format": wanted}, client=CHAT, to=to
    )

    assert encoded.dropped == ("response_format.description",)


@pytest.mark.parametrize("to", [CHAT, RESPONSES, ANTHROPIC, CONVERSE])
def test_tools_that_run_at_google_are_named_everywhere(to: Wire):
    body = {"contents": [{"parts": [{"text": "a"}]}], "tools": [{"googleSearch": {}}]}

    assert translate(body, client=GEMINI, to=to).dropped == ("tools.googleSearch",)


def _said(value: Any) -> list[str]:
    """Every text of a body, in order."""
    if isinstance(value, list):
        return [text for item in value for text in _said(item)]
    if not isinstance(value, dict):
        return [value] if isinstance(value, str) else []
    return [text for item in value.values() for text in _said(item)]


def from_chat(*, to: Wire, **fields: Any) -> EncodedRequest:
    return translate(
        {"model": "m", "messages": [USER], "max_tokens": 9000, **fields}, client=CHAT, to=to
    )


def said_of_thinking(body: dict[str, Any]) -> dict[str, Any]:
    """What a body in any format says of how much to think."""
    config = body.get("generationConfig", {})
    found = {
        "effort": body.get("reasoning", {}).get("effort"),
        "thinking": body.get("thinking"),
        "output": body.get("output_config", {}).get("effort"),
        "budget": config.get("thinkingConfig", {}).get("thinkingBudget"),
    }
    return {name: value for name, value in found.items() if value is not None}


@pytest.mark.parametrize(
    ("wanted", "to", "told", "dropped"),
    [
        ({"effort": "high"}, ANTHROPIC, {"thinking": {"type": "adaptive"}, "output": "high"}, ()),
        ({"effort": "high"}, RESPONSES, {"effort": "high"}, ()),
        ({"effort": "high"}, GEMINI, {"budget": 24576}, ()),
        ({"max_tokens": 2000}, ANTHROPIC, {"thinking": {"type": "enabled", "budget_tokens": 2000}}, ()),
        ({"max_tokens": 2000}, RESPONSES, {"effort": "low"}, ()),
        ({"max_tokens": 2000}, GEMINI, {"budget": 2000}, ()),
        ({"enabled": True}, RESPONSES, {"effort": "medium"}, ()),
        ({"enabled": True}, ANTHROPIC, {"thinking": {"type": "adaptive"}, "output": "medium"}, ()),
        ({"enabled": False}, ANTHROPIC, {"thinking": {"type": "disabled"}}, ()),
        ({"enabled": False, "effort": "low"}, GEMINI, {"budget": 0}, ()),
        ({"effort": "low", "exclude": False}, RESPONSES, {"effort": "low"}, ()),
        ({"effort": "low", "exclude": True}, RESPONSES, {"effort": "low"}, ("reasoning.exclude",)),
        ({"effort": "low", "max_tokens": 2000}, GEMINI, {"budget": 2000}, ("reasoning.effort",)),
        ({"max_tokens": 9000}, ANTHROPIC, {}, ("reasoning",)),
        ({"effort": "unheard"}, GEMINI, {}, ("reasoning",)),
        ({"exclude": True}, RESPONSES, {}, ("reasoning",)),
    ],
)  # fmt: skip
def test_reasoning_object_is_followed_or_named(
    wanted: Any, to: Wire, told: dict[str, Any], dropped: tuple[str, ...]
):
    encoded = from_chat(to=to, reasoning=wanted)

    assert said_of_thinking(encoded.body) == told
    assert encoded.dropped == dropped


def test_reasoning_object_is_as_it_was_on_its_own_wire():
    wanted = {"effort": "low", "exclude": True, "max_tokens": 2000}

    encoded = from_chat(to=CHAT, reasoning=wanted)

    assert encoded.body["reasoning"] == wanted
    assert "reasoning_effort" not in encoded.body
    assert "reasoning.effort" not in encoded.body
    assert encoded.dropped == ()


def test_reasoning_object_beside_an_effort_is_named():
    encoded = from_chat(to=RESPONSES, reasoning={"effort": "low"}, reasoning_effort="high")

    assert encoded.body["reasoning"]["effort"] == "high"
    assert encoded.dropped == ("reasoning",)
