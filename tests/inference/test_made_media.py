"""Pictures and sound that a model makes are content, on every lane: seen, counted, and nowhere lost without a word."""

from typing import Any

import orjson
import pytest
from anthropic._models import construct_type
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import RawMessageStreamEvent
from openai.lib.streaming._deltas import accumulate_delta
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from apps.catalog.providers.spec import Wire
from apps.inference.relay import AnswerShape, Lane, Tally
from apps.inference.tokens import BYTES_PER_TOKEN, PICTURE_TOKENS
from apps.inference.translated import TranslatedLane
from apps.inference.verbatim import VerbatimLane
from apps.inference.verbatim_messages import messages_body
from tests.protocols.cases import IDENTITY, USAGE, price, records_of
from tests.protocols.grammars import check_own_stream

Json = dict[str, Any]
RESPONSE_EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)

# Anthropic's SDK gives a block that it has no class for to its caller as it is, and says so when it writes it again.
pytestmark = pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")

DATA = "iVBORw0KGgo="
URL = f"data:image/png;base64,{DATA}"
PICTURE = {"type": "image_url", "image_url": {"url": URL}}
AUDIO = {"id": "a", "data": "AAAA", "expires_at": 1, "transcript": "Good day"}
SHAPE = AnswerShape(identity=IDENTITY, price=price, include_usage=True)


def google(*parts: Json) -> Json:
    content = {"role": "model", "parts": list(parts)}
    usage = {"promptTokenCount": 3, "candidatesTokenCount": 1290, "totalTokenCount": 1293}
    candidate = {"index": 0, "content": content, "finishReason": "STOP"}
    return {"candidates": [candidate], "usageMetadata": usage, "responseId": "r", "modelVersion": "m"}  # fmt: skip


def blob(kind: str = "image/png", **more: Any) -> Json:
    return {"inlineData": {"mimeType": kind, "data": DATA}, **more}


def chat(**message: Any) -> Json:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "stop"}
    return {"id": "x", "object": "chat.completion", "model": "m", "choices": [choice]}


def records(*chunks: Json) -> bytes:
    return b"".join(b"data: " + orjson.dumps(chunk) + b"\n\n" for chunk in chunks)


def chat_stream(*deltas: Json) -> bytes:
    head: Json = {
        "id": "x",
        "object": "chat.completion.chunk",
        "created": IDENTITY.created,
        "model": "m",
    }
    choices: list[Json] = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    choices.append({"index": 0, "delta": {}, "finish_reason": "stop"})
    return records(*({**head, "choices": [one]} for one in choices)) + b"data: [DONE]\n\n"


HELLO = [{"role": "user", "content": "Hello"}]
BODIES: dict[Wire, Json] = {
    Wire.OPENAI_CHAT: {"model": "m", "messages": HELLO},
    Wire.ANTHROPIC_MESSAGES: {"model": "m", "messages": HELLO, "max_tokens": 9},
    Wire.OPENAI_RESPONSES: {"model": "m", "input": "Hello"},
    Wire.GEMINI: {"model": "m", "contents": [{"parts": [{"text": "Hello"}]}]},
}
CHAT, MESSAGES, RESPONSES, GEMINI = BODIES
every_host = pytest.mark.parametrize("host", [CHAT, GEMINI])


def lane(client: Wire, host: Wire) -> Lane:
    body = BODIES[client]
    return VerbatimLane(client, body) if client is host else TranslatedLane(client, host, body)


def whole(client: Wire, host: Wire, answer: Json) -> tuple[Json, Tally]:
    relay = lane(client, host).answer(SHAPE)
    relay.read(orjson.dumps(answer), "application/json")
    return orjson.loads(relay.finish(USAGE)), relay.tally


def streamed(client: Wire, host: Wire, stream: bytes) -> tuple[list[Json], Tally]:
    relay = lane(client, host).stream(SHAPE)
    sent = relay.feed(stream) + relay.end() + relay.finish(USAGE)
    check_own_stream(client, sent)
    found = [record.data for record in records_of([sent]) if record.data != b"[DONE]"]
    return [orjson.loads(data) for data in found], relay.tally


ROLE = {"role": "assistant", "content": ""}
WHOLE = {GEMINI: google(blob()), CHAT: chat(content="", images=[PICTURE])}
STREAMED = {GEMINI: records(google(blob())), CHAT: chat_stream(ROLE, {"images": [PICTURE]})}


def pictures_in(client: Wire, answer: Json) -> list[str]:
    """As data URLs, in the words of each format."""
    match client:
        case Wire.OPENAI_CHAT:
            images = answer["choices"][0]["message"].get("images", [])
            return [image["image_url"]["url"] for image in images]
        case Wire.ANTHROPIC_MESSAGES:
            sources = [block["source"] for block in answer["content"] if block["type"] == "image"]
            return [f"data:{one['media_type']};base64,{one['data']}" for one in sources]
        case Wire.OPENAI_RESPONSES:
            items = [one for one in answer["output"] if one["type"] == "image_generation_call"]
            return [f"data:image/{one['output_format']};base64,{one['result']}" for one in items]
        case _:
            parts = answer["candidates"][0]["content"]["parts"]
            blobs = [part["inlineData"] for part in parts if "inlineData" in part]
            return [f"data:{one['mimeType']};base64,{one['data']}" for one in blobs]


def put_together(client: Wire, events: list[Json]) -> Json:
    """The whole answer, as the official SDKs put it together."""
    match client:
        case Wire.OPENAI_CHAT:
            deltas = [one["choices"][0]["delta"] for one in events if one["choices"]]
            message: dict[object, object] = {}
            for delta in deltas:
                message = accumulate_delta(message, delta)
            return {"choices": [{"message": message}]}
        case Wire.ANTHROPIC_MESSAGES:
            snapshot: Any = None
            buffers: Any = {}
            for event in events:
                read: Any = construct_type(type_=RawMessageStreamEvent, value=event)
                snapshot = accumulate_event(
                    event=read, current_snapshot=snapshot, json_bufs=buffers
                )
            found: Json = snapshot.to_dict()
            return found
        case Wire.OPENAI_RESPONSES:
            for event in events:
                RESPONSE_EVENT.validate_python(event)
            response: Json = events[-1]["response"]
            return response
        case _:
            parts = [part for one in events for part in _parts(one)]
            return {"candidates": [{"content": {"parts": parts}}]}


@every_host
@pytest.mark.parametrize("client", BODIES)
def test_a_picture_alone_is_an_answer(client: Wire, host: Wire):
    answer, tally = whole(client, host, WHOLE[host])

    assert pictures_in(client, answer) == [URL]
    assert not tally.is_empty


@every_host
@pytest.mark.parametrize("client", BODIES)
def test_a_picture_alone_is_a_stream(client: Wire, host: Wire):
    events, tally = streamed(client, host, STREAMED[host])

    assert pictures_in(client, put_together(client, events)) == [URL]
    assert not tally.is_empty


@pytest.mark.parametrize("client", [CHAT, MESSAGES, RESPONSES])
def test_pictures_beside_text_arrive_with_it(client: Wire):
    first, second = (
        google(blob(), {"text": "A cat. "}),
        google(blob("image/webp"), {"text": "Two."}),
    )
    del first["candidates"][0]["finishReason"]
    answer, _ = whole(client, GEMINI, google(*_parts(first), *_parts(second)))
    events, _ = streamed(client, GEMINI, records(first, second))

    both = [URL, URL.replace("png", "webp")]
    assert pictures_in(client, answer) == both
    assert pictures_in(client, put_together(client, events)) == both
    assert "A cat. " in orjson.dumps(answer).decode()


def _parts(answer: Json) -> list[Json]:
    parts: list[Json] = answer["candidates"][0]["content"]["parts"]
    return parts


def test_sketches_among_the_thoughts_are_no_answer():
    _, tally = whole(CHAT, GEMINI, google(blob(thought=True)))

    assert tally.is_empty


def test_a_picture_of_a_host_that_counts_nothing_counts_as_one():
    _, tally = whole(CHAT, CHAT, WHOLE[CHAT])

    assert tally.counted(input_tokens=1).output == PICTURE_TOKENS
    assert streamed(CHAT, CHAT, STREAMED[CHAT])[1].output_bytes == PICTURE_TOKENS * BYTES_PER_TOKEN


def test_a_picture_that_is_an_address_stays_one():
    url = "https://example.com/cat.png"
    painted = chat(content=None, images=[{"type": "image_url", "image_url": {"url": url}}])

    for client in BODIES:
        answer, tally = whole(client, CHAT, painted)
        assert url in orjson.dumps(answer).decode()
        assert not tally.is_empty


def test_sound_alone_is_an_answer_where_it_was_asked_for():
    answer, tally = whole(CHAT, CHAT, chat(content=None, audio=AUDIO))
    pieces = [{"audio": {"id": "a", "transcript": "Good day"}}, {"audio": {"data": "AAAA"}}]
    events, told = streamed(CHAT, CHAT, chat_stream(ROLE, *pieces))

    assert answer["choices"][0]["message"]["audio"] == AUDIO
    assert [event["choices"][0]["delta"] for event in events[1:3]] == pieces
    assert not tally.is_empty
    assert not told.is_empty
    assert tally.output_bytes == told.output_bytes == len("Good day")


def test_sound_is_told_to_chats_and_named_where_a_format_has_no_place_for_it():
    spoken = google(blob("audio/wav"))

    assert whole(CHAT, GEMINI, spoken)[0]["choices"][0]["message"]["audio"]["data"] == DATA
    events, _ = streamed(CHAT, GEMINI, records(spoken))
    assert events[1]["choices"][0]["delta"]["audio"]["data"] == DATA
    for client in (MESSAGES, RESPONSES):
        answer, tally = whole(client, GEMINI, spoken)
        events, told = streamed(client, GEMINI, records(spoken))
        for said in (answer, put_together(client, events)):
            assert "[audio/wav: this format has no place for sound]" in orjson.dumps(said).decode()
        assert not tally.is_empty
        assert not told.is_empty


def test_what_sound_says_is_text_elsewhere():
    answer, _ = whole(MESSAGES, CHAT, chat(content=None, audio=AUDIO))

    assert answer["content"] == [{"type": "text", "text": "Good day"}]


def test_pictures_of_another_model_do_not_go_to_claude():
    source = {"type": "base64", "media_type": "image/png", "data": DATA}
    picture = {"type": "image", "source": source}
    turns = [
        {"role": "user", "content": [picture]},
        {"role": "assistant", "content": [picture, {"type": "text", "text": "A cat."}]},
        {"role": "assistant", "content": [picture]},
    ]

    body = messages_body({"messages": turns})

    assert body["messages"] == [turns[0], {"role": "assistant", "content": [{"type": "text", "text": "A cat."}]}]  # fmt: skip
