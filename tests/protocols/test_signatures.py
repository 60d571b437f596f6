"""A maker's proofs come back to it through any client, and go to nobody else."""

from typing import Any

import orjson
import pytest

from apps.catalog.providers.spec import Wire
from apps.inference.canonical.content import Reasoning, Text, ToolCall
from apps.inference.canonical.events import BlockKind
from apps.inference.canonical.fold import fold
from apps.inference.canonical.response import ChatResponse
from apps.inference.canonical.signatures import Signature, cover, uncover
from apps.inference.protocols import CODECS
from tests.protocols.cases import (
    IDENTITY,
    USAGE,
    WIRES,
    Case,
    encode_stream,
    events_of,
    price,
    received,
    records_of,
)

OPENAI, ANTHROPIC, GEMINI = Wire.OPENAI_CHAT, Wire.ANTHROPIC_MESSAGES, Wire.GEMINI
BEDROCK = Wire.BEDROCK_CONVERSE
SIGNED = Case(GEMINI, "reasoning_signed")
"""Thoughts without, text and a call with a signature."""


def answer_to(client: Wire, response: ChatResponse) -> dict[str, Any]:
    return CODECS[client].encode_response(response, identity=IDENTITY, usage=USAGE, price=price)


def next_request(client: Wire, answer: dict[str, Any]) -> dict[str, Any]:
    """What the client sends next: its conversation with the answer in it, as it was."""
    user = {"role": "user", "content": "go on"}
    match client:
        case Wire.OPENAI_CHAT:
            return {"model": "m", "messages": [user, answer["choices"][0]["message"], user]}
        case Wire.ANTHROPIC_MESSAGES:
            turn = {"role": "assistant", "content": answer["content"]}
            return {"model": "m", "max_tokens": 9, "messages": [user, turn, user]}
        case Wire.BEDROCK_CONVERSE:
            said = {"role": "user", "content": [{"text": "go on"}]}
            return {"messages": [said, answer["output"]["message"], said]}
        case _:
            said = {"parts": [{"text": "go on"}]}
            return {"contents": [said, answer["candidates"][0]["content"], said]}


def sent_back(client: Wire, answer: dict[str, Any], *, to: Wire) -> dict[str, Any]:
    """The next request as the host gets it."""
    body = received(client, next_request(client, answer))
    return CODECS[to].encode_request(CODECS[client].decode_request(body), model="m").body


@pytest.mark.parametrize("client", [OPENAI, ANTHROPIC, BEDROCK])
def test_geminis_signatures_return_to_gemini(client: Wire):
    response = CODECS[GEMINI].decode_response(SIGNED.response)

    body = sent_back(client, answer_to(client, response), to=GEMINI)

    said = SIGNED.response["candidates"][0]["content"]["parts"]
    returned = body["contents"][1]["parts"]
    assert [part for part in returned if "thoughtSignature" in part] == said[1:]


def test_geminis_thoughts_return_with_their_signature_through_anthropics_client():
    thought = Reasoning(text="hm", signature="c2ln", origin=GEMINI)
    response = ChatResponse(id="a", model="m", blocks=(thought, Text("ok")), finish=None)

    body = sent_back(ANTHROPIC, answer_to(ANTHROPIC, response), to=GEMINI)

    assert body["contents"][1]["parts"] == [
        {"text": "hm", "thought": True, "thoughtSignature": "c2ln"},
        {"text": "ok"},
    ]


@pytest.mark.parametrize("client", [GEMINI, BEDROCK])
def test_anthropics_signatures_return_through_other_clients(client: Wire):
    response = CODECS[ANTHROPIC].decode_response(Case(ANTHROPIC, "thinking").response)
    own = [block for block in response.blocks if isinstance(block, Reasoning)]

    body = sent_back(client, answer_to(client, response), to=ANTHROPIC)

    assert body["messages"][1]["content"][0] == {
        "type": "thinking",
        "thinking": own[0].text,
        "signature": own[0].signature,
    }


@pytest.mark.parametrize("client", [ANTHROPIC, GEMINI])
def test_bedrocks_signatures_return_to_bedrock(client: Wire):
    response = CODECS[BEDROCK].decode_response(Case(BEDROCK, "reasoning").response)

    body = sent_back(client, answer_to(client, response), to=BEDROCK)

    said = Case(BEDROCK, "reasoning").response["output"]["message"]["content"]
    assert body["messages"][1]["content"] == said


@pytest.mark.parametrize("client", WIRES)
def test_streamed_answer_carries_the_same_signatures(client: Wire):
    response = CODECS[GEMINI].decode_response(SIGNED.response)
    whole = CODECS[client].decode_response(answer_to(client, response))

    events = events_of(SIGNED.wire, [SIGNED.stream])
    streamed = fold(events_of(client, [encode_stream(client, events)]))

    signatures = [getattr(block, "signature", "") for block in streamed.blocks]
    assert signatures == [getattr(block, "signature", "") for block in whole.blocks]
    assert any(signatures)


@pytest.mark.parametrize("to", [OPENAI, ANTHROPIC, BEDROCK])
@pytest.mark.parametrize("client", [ANTHROPIC, GEMINI])
def test_geminis_signatures_go_to_nobody_else(client: Wire, to: Wire):
    response = CODECS[GEMINI].decode_response(SIGNED.response)

    body = orjson.dumps(sent_back(client, answer_to(client, response), to=to))

    assert b"ignature" not in body
    assert b"Z2F0ZXdheX" not in body


def test_googles_openai_layer_gets_its_signatures_back():
    """A host of OpenAI's wire that is Google: the client returns what it wrote."""
    call = {
        "id": "1",
        "type": "function",
        "function": {"name": "f", "arguments": "{}"},
        "extra_content": {"google": {"thought_signature": "sig", "more": 1}},
    }
    message = {
        "role": "assistant",
        "content": "a",
        "tool_calls": [call],
        "extra_content": {"google": {"thought_signature": "sig2"}},
    }
    body = {"model": "m", "messages": [message]}

    assert (
        CODECS[OPENAI].encode_request(CODECS[OPENAI].decode_request(body), model="m").body == body
    )


def test_openais_clients_find_a_calls_signature_in_its_first_fragment():
    """Vercel's SDK and others look nowhere else."""
    stream = encode_stream(OPENAI, events_of(GEMINI, [SIGNED.stream]))

    chunks = [orjson.loads(record.data) for record in records_of([stream])[:-1]]
    deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
    [first] = [call for delta in deltas for call in delta.get("tool_calls", ()) if "id" in call]
    assert first["extra_content"] == {"google": {"thought_signature": "CrICAdHtim8="}}


@pytest.mark.parametrize("kind", list(BlockKind))
@pytest.mark.parametrize("origin", list(Wire))
def test_cover_names_maker_and_kind(origin: Wire, kind: BlockKind):
    covered = cover("a:b/+=", origin=origin, kind=kind)

    assert uncover(covered) == Signature("a:b/+=", origin, kind)
    assert uncover(covered.replace("+", "-").replace("/", "_")) == uncover(covered)


@pytest.mark.parametrize(
    "text", ["", "EqQBCgIYAhIM", "Z2F0ZXdheXo6", "Z2F0ZXdheXo6!", "Z2F0ZXdheXo6YTpiOmM="]
)
def test_what_is_no_cover_is_taken_as_it_is(text: str):
    assert uncover(text) is None


def test_damaged_order_loses_a_signature_and_nothing_else():
    """A client that dropped the call keeps its carrier: it then proves nothing."""
    carrier = {
        "type": "thinking",
        "thinking": "",
        "signature": cover("s", origin=GEMINI, kind=BlockKind.TOOL_CALL),
    }
    turn = {"role": "assistant", "content": [{"type": "text", "text": "a"}, carrier]}
    body = {"model": "m", "max_tokens": 9, "messages": [turn]}

    [message] = CODECS[ANTHROPIC].decode_request(body).messages

    assert message.parts == (Text("a"),)
    assert not any(isinstance(part, ToolCall) for part in message.parts)
