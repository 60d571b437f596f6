"""A conversation that moves from one company's model to another's: proofs that we covered go to nobody who cannot read them."""

from typing import Any

import httpx
import orjson
import pytest

from apps.catalog.providers.rows.google_quirks import with_signed_calls
from apps.catalog.providers.spec import Endpoint, Operation, Wire
from apps.inference.canonical.events import BlockKind
from apps.inference.canonical.signatures import cover
from apps.inference.passing import PassingLane
from apps.inference.relay import Lane
from apps.inference.verbatim import VerbatimLane
from tests.hosting import Host

ANTHROPIC, GEMINI = Wire.ANTHROPIC_MESSAGES, Wire.GEMINI
USER = {"role": "user", "content": "Hello"}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
TEXT = {"type": "text", "text": "ok"}


def thinking(signature: str) -> dict[str, str]:
    return {"type": "thinking", "thinking": "hm", "signature": signature}


def covered(origin: Wire, kind: BlockKind) -> dict[str, str]:
    return thinking(cover("c2ln", origin=origin, kind=kind))


@pytest.mark.parametrize("operation", [Operation.CHAT, Operation.COUNT_TOKENS])
def test_thinking_under_our_cover_stays_behind(operation):
    own = thinking("c2ln")
    asked = {
        "messages": [
            USER,
            {"role": "assistant", "content": [covered(GEMINI, BlockKind.REASONING)]},
            {
                "role": "assistant",
                "content": [
                    covered(GEMINI, BlockKind.REASONING),
                    own,
                    TEXT,
                    covered(GEMINI, BlockKind.TEXT),
                    covered(Wire.BEDROCK_CONVERSE, BlockKind.TOOL_CALL),
                    covered(ANTHROPIC, BlockKind.REASONING),
                ],
            },
            {"role": "assistant", "content": "plain"},
        ]
    }
    chat = operation is Operation.CHAT
    lane: Lane = VerbatimLane(ANTHROPIC, asked) if chat else PassingLane(operation, asked)

    body = orjson.loads(lane.outgoing("m", Endpoint(ANTHROPIC, "/messages"), ()).body)

    assert body["messages"] == [
        USER,
        {"role": "assistant", "content": [own, TEXT, own]},
        {"role": "assistant", "content": "plain"},
    ]


def ask_messages(client: httpx.Client, model: str, messages: list[Any]) -> dict[str, Any]:
    body = {
        "model": model,
        "max_tokens": 300,
        "messages": messages,
        "tools": [{"name": "weather", "input_schema": SCHEMA}],
    }
    answer = client.post("/v1/messages", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_claude_goes_on_where_gemini_called_a_tool(gateway, customer, make_model):
    client = gateway.client(customer)
    messages: list[Any] = [{"role": "user", "content": "Use weather, please."}]
    first = ask_messages(client, make_model(Host("reasoner", GEMINI)), messages)
    use = next(block for block in first["content"] if block["type"] == "tool_use")
    assert any(block["type"] == "thinking" for block in first["content"])
    result = {"type": "tool_result", "tool_use_id": use["id"], "content": "sunny"}
    messages += [
        {"role": "assistant", "content": first["content"]},
        {"role": "user", "content": [result]},
    ]

    second = ask_messages(client, make_model(Host("echo", ANTHROPIC)), messages)
    third = ask_messages(client, make_model(Host("reasoner", GEMINI)), messages)

    assert second["stop_reason"] == third["stop_reason"] == "end_turn"


def test_gemini_takes_the_stand_in_for_a_call_of_another_model(upstream):
    """As strict as Gemini 3 is the sandbox's reasoner."""
    call = {"functionCall": {"id": "c1", "name": "weather", "args": {}}}
    result = {"functionResponse": {"id": "c1", "name": "weather", "response": {"output": "sunny"}}}
    body = {
        "contents": [
            {"role": "user", "parts": [{"text": "Hello"}]},
            {"role": "model", "parts": [call]},
            {"role": "user", "parts": [result]},
        ],
        "tools": [{"functionDeclarations": [{"name": "weather"}]}],
    }
    url = f"{upstream.base_url}/v1beta/models/reasoner:generateContent"
    headers = {"x-goog-api-key": "any"}

    bare = httpx.post(url, json=body, headers=headers)
    signed = httpx.post(url, json=with_signed_calls(body), headers=headers)

    assert (bare.status_code, "thought_signature" in bare.text) == (400, True)
    assert signed.status_code == 200
