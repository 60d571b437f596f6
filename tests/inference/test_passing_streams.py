"""The passing lane's streams without a socket: how the network cuts them makes no difference, and what nobody knows goes on."""

from typing import Any

import orjson
import pytest

from apps.catalog.providers.spec import Operation
from apps.common.usage import Usage
from apps.inference.canonical.codec import MalformedUpstream
from apps.inference.passing import PassingLane
from apps.inference.passing_streams import SoundStream
from apps.inference.relay import AnswerShape, StreamRelay, Tally
from tests.protocols.cases import IDENTITY, portions, price
from tests.surfaces import read_events

SHAPE = AnswerShape(
    identity=IDENTITY, price=price, include_usage=False, expected=Usage(images=1, seconds=3)
)
TOKENS = {"input_tokens": 9, "output_tokens": 5, "total_tokens": 14}
STREAMS: dict[Operation, list[dict[str, Any]]] = {
    Operation.IMAGES: [
        {"type": "image_generation.partial_image", "b64_json": "AAAA", "partial_image_index": 0},
        {"type": "image_generation.completed", "b64_json": "BBBB", "usage": TOKENS},
    ],
    Operation.IMAGE_EDITS: [
        {"type": "image_edit.partial_image", "b64_json": "AAAA", "partial_image_index": 0},
        {"type": "image_edit.completed", "b64_json": "BBBB", "usage": TOKENS},
    ],
    Operation.SPEECH: [
        {"type": "speech.audio.delta", "audio": "AAAA"},
        {"type": "speech.audio.done", "usage": TOKENS},
    ],
    Operation.TRANSCRIPTION: [
        {"type": "transcript.text.delta", "delta": "Grüße "},
        {"type": "transcript.text.segment", "id": "s", "text": "Grüße", "speaker": "A"},
        {"type": "transcript.brand_new", "anything": [1]},
        {"type": "transcript.text.done", "text": "Grüße", "usage": {**TOKENS, "type": "tokens"}},
    ],
}
every_stream = pytest.mark.parametrize("operation", STREAMS, ids=str)


def written(events: list[dict[str, Any]], *, named: bool = True) -> bytes:
    return b"".join(
        (f"event: {event['type']}\n".encode() if named else b"")
        + b"data: "
        + orjson.dumps(event)
        + b"\n\n"
        for event in events
    )


def relay_of(operation: Operation, media_type: str = "text/event-stream") -> StreamRelay:
    lane = PassingLane(operation, {"stream": True, "stream_format": "sse"})
    relay = lane.stream(SHAPE)
    relay.open(media_type)
    return relay


def relayed(operation: Operation, stream: bytes, size: int = 4096) -> tuple[bytes, Tally]:
    relay = relay_of(operation)
    out = b"".join([relay.feed(piece) for piece in portions(stream, size)]) + relay.end()
    assert relay.tally.usage is not None
    return out + relay.finish(relay.tally.usage), relay.tally


@pytest.mark.parametrize("named", [True, False])
@every_stream
def test_events_are_forwarded_as_they_are_and_the_last_gets_the_cost(operation, named):
    events = STREAMS[operation]

    out, tally = relayed(operation, written(events, named=named))

    before = written(events[:-1], named=named)
    assert out.startswith(before)
    [last], _ = read_events(out.removeprefix(before))
    usage = last.pop("usage")
    assert last == {name: value for name, value in events[-1].items() if name != "usage"}
    assert usage.items() >= TOKENS.items()
    assert usage["cost"] == 0.00125
    assert (b"event: " in out) == named
    assert (tally.has_content, tally.ended, bool(tally.finish_reason)) == (True, True, True)
    assert tally.usage is not None
    assert (tally.usage.input, tally.usage.output) == (9, 5)


@pytest.mark.parametrize("size", [1, 2, 7, 64])
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
@every_stream
def test_client_gets_the_same_however_the_stream_is_cut(operation, line_end, size):
    stream = written(STREAMS[operation])

    whole = relayed(operation, stream)

    assert relayed(operation, stream.replace(b"\n", line_end), size) == whole


@every_stream
def test_end_marker_of_other_streams_is_no_event(operation):
    stream = written(STREAMS[operation])

    assert relayed(operation, stream + b"data: [DONE]\n\n") == relayed(operation, stream)


@every_stream
def test_data_on_several_lines_are_one_record(operation):
    first = orjson.dumps(STREAMS[operation][0]).replace(b",", b",\ndata: ", 1)

    out = relay_of(operation).feed(b"data: " + first + b"\n\n")

    assert read_events(out)[0] == STREAMS[operation][:1]


@pytest.mark.parametrize(
    "error",
    [
        {"error": {"code": "server_error", "message": "busy"}},
        {"type": "error", "error": {"code": "server_error", "message": "busy"}},
        {"type": "error", "code": "server_error", "message": "busy"},
    ],
)
@every_stream
def test_error_is_found_in_every_shape_and_not_forwarded(operation, error):
    relay = relay_of(operation)

    out = relay.feed(b"event: error\ndata: " + orjson.dumps(error) + b"\n\n")

    assert out == b""
    assert relay.tally.error is not None
    assert relay.tally.error.code == "server_error"


@pytest.mark.parametrize("record", [b"{", b"7", b"{}", b'{"type":7}'])
@every_stream
def test_what_is_no_event_is_refused(operation, record):
    with pytest.raises(MalformedUpstream):
        relay_of(operation).feed(b"data: " + record + b"\n\n")


@pytest.mark.parametrize("media_type", ["audio/mpeg", "text/html", "text/plain", ""])
@every_stream
def test_other_media_are_no_events(operation, media_type):
    with pytest.raises(MalformedUpstream):
        relay_of(operation, media_type)


def test_end_without_anything_before_it_is_no_answer():
    relay = relay_of(Operation.SPEECH)

    relay.feed(written(STREAMS[Operation.SPEECH][1:]))

    assert (relay.tally.has_content, relay.tally.finish_reason) == (False, "")


def test_silence_is_a_transcript_too():
    _, tally = relayed(
        Operation.TRANSCRIPTION,
        written([{"type": "transcript.text.done", "text": "", "usage": TOKENS}]),
    )

    assert tally.finish_reason == "done"


@pytest.mark.parametrize("media_type", ["audio/mpeg", "audio/wav; rate=1", "application/octet-stream", "application/ogg"])  # fmt: skip
def test_sound_is_passed_on_as_it_is(media_type):
    relay = PassingLane(Operation.SPEECH, {}).stream(SHAPE)
    assert isinstance(relay, SoundStream)
    relay.open(media_type)

    out = relay.feed(b"\x00data: \n\n") + relay.feed(b"\xff") + relay.end()

    assert out == b"\x00data: \n\n\xff"
    assert relay.media_type == media_type
    assert relay.tally.finish_reason


@pytest.mark.parametrize("media_type", ["text/html", "text/event-stream", "application/json", ""])
def test_page_in_the_place_of_sound_is_no_sound(media_type):
    with pytest.raises(MalformedUpstream):
        PassingLane(Operation.SPEECH, {}).stream(SHAPE).open(media_type)
