"""What OpenAI's two formats both have a word for goes from one to the other; elsewhere it is named by its path."""

from typing import Any

import orjson
import pytest

from apps.catalog.providers.spec import Wire
from apps.common.errors import InvalidRequest
from apps.common.usage import Usage
from apps.inference.canonical.codec import EncodedRequest
from apps.inference.protocols import CODECS
from apps.inference.relay import AnswerShape, without_unheard
from apps.inference.translated import TranslatedLane
from tests.protocols.cases import IDENTITY, Case, price

CHAT, RESPONSES, ANTHROPIC = Wire.OPENAI_CHAT, Wire.OPENAI_RESPONSES, Wire.ANTHROPIC_MESSAGES
URL = "https://example.com/cat.png"
SHARED = {
    "prompt_cache_key": "k",
    "prompt_cache_retention": "24h",
    "safety_identifier": "s",
    "user": "u" * 70,
    "service_tier": "priority",
}
FROM_CHAT = {
    "model": "m",
    "messages": [{"role": "user", "content": [
        {"type": "image_url", "image_url": {"url": URL, "detail": "low"}},
        {"type": "image_url", "image_url": {"url": URL, "detail": "auto"}},
        {"type": "file", "file": {"file_id": "file-1"}},
    ]}],
    "verbosity": "low",
    **SHARED,
}  # fmt: skip
FROM_RESPONSES = {
    "model": "m",
    "input": [{"type": "message", "role": "user", "content": [
        {"type": "input_image", "image_url": URL, "detail": "low"},
        {"type": "input_image", "image_url": URL},
        {"type": "input_file", "file_id": "file-1"},
    ]}],
    "text": {"verbosity": "low"},
    **SHARED,
}  # fmt: skip


def without_file(body: dict[str, Any]) -> dict[str, Any]:
    name = "input" if "input" in body else "messages"
    turn = body[name][0]
    return {**body, name: [{**turn, "content": turn["content"][:2]}]}


def translate(body: dict[str, Any], *, client: Wire, to: Wire) -> EncodedRequest:
    return CODECS[to].encode_request(CODECS[client].decode_request(body), model="m")


def test_chat_is_told_to_responses():
    encoded = translate(FROM_CHAT, client=CHAT, to=RESPONSES)

    assert {name: encoded.body[name] for name in FROM_RESPONSES} == FROM_RESPONSES
    assert encoded.dropped == ()


def test_responses_is_told_to_chat():
    encoded = translate(FROM_RESPONSES, client=RESPONSES, to=CHAT)

    low, plain, file = encoded.body["messages"][0]["content"]
    assert low == FROM_CHAT["messages"][0]["content"][0]  # type: ignore[index]
    assert plain == {"type": "image_url", "image_url": {"url": URL}}
    assert file == {"type": "file", "file": {"file_id": "file-1"}}
    assert {name: encoded.body[name] for name in ("verbosity", *SHARED)} == {
        "verbosity": "low",
        **SHARED,
    }
    assert encoded.dropped == ()


@pytest.mark.parametrize("client", [CHAT, RESPONSES])
def test_own_wire_gets_what_was_sent(client: Wire):
    body = FROM_CHAT if client is CHAT else FROM_RESPONSES

    encoded = translate(body, client=client, to=client)

    assert {name: encoded.body[name] for name in SHARED} == SHARED
    assert "low" in str(encoded.body.get("verbosity") or encoded.body["text"])
    assert encoded.dropped == ()


@pytest.mark.parametrize("to", [Wire.ANTHROPIC_MESSAGES, Wire.GEMINI, Wire.BEDROCK_CONVERSE])
def test_elsewhere_each_is_named_by_its_path(to: Wire):
    chat = translate(without_file(FROM_CHAT) | {"max_tokens": 9}, client=CHAT, to=to).dropped
    responses = translate(without_file(FROM_RESPONSES), client=RESPONSES, to=to).dropped

    shared = {"prompt_cache_key", "prompt_cache_retention", "service_tier"}
    assert shared | {"verbosity", "image_url.detail"} <= set(chat)
    assert "image_url" not in chat
    assert shared | {"text.verbosity", "detail"} <= set(responses)


@pytest.mark.parametrize("to", [Wire.ANTHROPIC_MESSAGES, Wire.GEMINI, Wire.BEDROCK_CONVERSE])
def test_file_that_is_at_openai_is_refused_by_its_field_elsewhere(to: Wire):
    for client, body, field in (
        (CHAT, FROM_CHAT, "messages[0].content[2].file.file_id"),
        (RESPONSES, FROM_RESPONSES, "input[0].content[2].file_id"),
    ):
        with pytest.raises(InvalidRequest) as refused:
            translate(body, client=client, to=to)
        assert refused.value.param == field


@pytest.mark.parametrize("to", [CHAT, Wire.ANTHROPIC_MESSAGES, Wire.GEMINI])
def test_picture_that_is_at_openai_is_refused_by_its_field_elsewhere(to: Wire):
    picture = {"type": "input_image", "file_id": "file_9"}
    body = {"model": "m", "input": [{"role": "user", "content": [picture]}]}

    own = translate(body, client=RESPONSES, to=RESPONSES)
    with pytest.raises(InvalidRequest) as refused:
        translate(body, client=RESPONSES, to=to)

    assert own.body["input"][0]["content"] == [picture]
    assert refused.value.param == "input[0].content[0].file_id"


def test_what_is_beside_the_id_of_a_file_is_named():
    file = {"file_id": "file-1", "filename": "a.pdf"}
    body = {"model": "m", "messages": [{"role": "user", "content": [{"type": "file", "file": file}]}]}  # fmt: skip

    encoded = translate(body, client=CHAT, to=RESPONSES)

    assert encoded.body["input"][0]["content"] == [{"type": "input_file", "file_id": "file-1"}]
    assert encoded.dropped == ("file.filename",)


@pytest.mark.parametrize(("upstream", "tier"), [(ANTHROPIC, "default"), (CHAT, "priority")])
def test_answer_repeats_a_tier_only_when_its_host_was_told(upstream: Wire, tier: str):
    body = without_file(FROM_RESPONSES) | {"metadata": {"a": "b"}}
    lane = TranslatedLane(RESPONSES, upstream, body)
    identity = IDENTITY.__class__(id="r", model="m", created=1, echo=body)
    shape = AnswerShape(identity=identity, price=price, include_usage=True)
    relay = lane.answer(shape)
    relay.read(orjson.dumps(Case(upstream, "text").response), "application/json")

    whole = orjson.loads(relay.finish(Usage()))

    assert whole["service_tier"] == tier
    assert whole["metadata"] == {"a": "b"}
    streamed = lane.stream(shape).finish(Usage())
    assert f'"service_tier":"{tier}"'.encode() in streamed


def test_answer_repeats_nothing_that_a_quirk_took_from_its_host():
    echo = {"service_tier": "priority", "metadata": {"a": "b"}, "temperature": 1}
    identity = IDENTITY.__class__(id="r", model="m", created=1, echo=echo)
    shape = AnswerShape(identity=identity, price=price, include_usage=True)

    heard = without_unheard(shape, ("service_tier", "metadata", "seed"))

    assert heard.identity.echo == {"metadata": {"a": "b"}, "temperature": 1}
    assert without_unheard(shape, ("seed",)) is shape
