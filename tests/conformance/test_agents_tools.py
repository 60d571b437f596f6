"""What coding agents send beside functions, with the official SDK: custom tools, and the namespaces of Codex's MCP servers."""

from typing import Any

import pytest
from openai import OpenAI

from apps.catalog.providers.spec import Wire
from tests.hosting import Host

OTHERS = [
    Wire.OPENAI_CHAT,
    Wire.ANTHROPIC_MESSAGES,
    Wire.GEMINI,
    Wire.BEDROCK_CONVERSE,
]
SCHEMA = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
NAMESPACE: Any = {
    "type": "namespace",
    "name": "mcp__files",
    "description": "Tools in the mcp__files namespace.",
    "tools": [{"type": "function", "name": "read", "description": "Reads.", "parameters": SCHEMA, "strict": False}],
}  # fmt: skip
PATCH: Any = {"type": "custom", "custom": {"name": "patch", "description": "Edits."}}


@pytest.mark.parametrize("wire", OTHERS, ids=str)
@pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
def test_mcp_tools_are_called_and_answered(openai_client: OpenAI, make_model, wire, streams):
    model = make_model(Host("echo", wire))
    talk: list[Any] = [{"role": "user", "content": "Use mcp__files__read"}]
    asked: dict[str, Any] = {"model": model, "tools": [NAMESPACE], "store": False}

    if streams:
        with openai_client.responses.stream(input=talk, **asked) as stream:
            called = stream.get_final_response()
    else:
        called = openai_client.responses.create(input=talk, **asked)
    (call,) = [item for item in called.output if item.type == "function_call"]
    talk += [
        call.model_dump(exclude_none=True),
        {"type": "function_call_output", "call_id": call.call_id, "output": "the content"},
    ]
    answered = openai_client.responses.with_raw_response.create(input=talk, **asked)

    assert (call.namespace, call.name) == ("mcp__files", "read")
    assert "the content" in answered.parse().output_text
    assert "x-gatewayz-dropped-params" not in answered.headers


@pytest.mark.parametrize("wire", [*OTHERS[1:], Wire.OPENAI_RESPONSES], ids=str)
@pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
def test_custom_tools_of_chat_are_called_and_answered(
    openai_client: OpenAI, make_model, wire, streams
):
    model = make_model(Host("echo", wire))
    talk: list[Any] = [{"role": "user", "content": "Use patch"}]
    asked: dict[str, Any] = {"model": model, "tools": [PATCH]}

    if streams:
        fragments = [
            fragment.model_dump(exclude_none=True)
            for chunk in openai_client.chat.completions.create(messages=talk, stream=True, **asked)
            for choice in chunk.choices
            for fragment in choice.delta.tool_calls or ()
        ]
        call: dict[str, Any] = {**fragments[0], "custom": dict(fragments[0]["custom"])}
        del call["index"]
        call["custom"]["input"] = "".join(part["custom"]["input"] for part in fragments)
    else:
        whole = openai_client.chat.completions.create(messages=talk, **asked)
        [found] = whole.choices[0].message.tool_calls or []
        call = found.model_dump()
        assert whole.choices[0].finish_reason == "tool_calls"
    talk += [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": call["id"], "content": "the content"},
    ]
    answered = openai_client.chat.completions.with_raw_response.create(messages=talk, **asked)

    assert (call["type"], call["custom"]["name"]) == ("custom", "patch")
    assert call["custom"]["input"]
    assert "the content" in str(answered.parse().choices[0].message.content)
    assert "x-gatewayz-dropped-params" not in answered.headers
