"""What hosts put into a stream that is no part of an answer: no client sees it, and an error ends the answer."""

import orjson
import pytest

from apps.catalog.providers.spec import Wire
from apps.common.usage import Usage
from apps.inference.canonical.codec import AnswerIdentity
from apps.inference.protocols.openai_chat.response import FAILURES
from apps.inference.relay import AnswerShape
from apps.inference.verbatim import VerbatimLane

SHAPE = AnswerShape(
    identity=AnswerIdentity(id="gen_1", model="acme/large", created=1),
    price=lambda usage: {"cost": 0.0},
    include_usage=True,
)
CHAT = b'data: {"id":"c","model":"m","choices":[{"index":0,"delta":{"content":"Hi"}}]}\n\n'
GEMINI = b'data: {"candidates":[{"content":{"parts":[{"text":"Hi"}]},"index":0}]}\n\n'
SECRET = "sk-secret"


def stream_of(wire):
    return VerbatimLane(wire, {}).stream(SHAPE)


@pytest.mark.parametrize(
    ("wire", "content", "record"),
    [
        (Wire.OPENAI_CHAT, CHAT, b'data: {"object":"error","message":"sk-secret"}\n\n'),
        (Wire.OPENAI_CHAT, CHAT, b'event: error\ndata: {"message":"sk-secret"}\n\n'),
        (Wire.OPENAI_CHAT, CHAT, b'event: error\ndata: {"what":"sk-secret"}\n\n'),
        (Wire.OPENAI_CHAT, CHAT, b'data: {"detail":"sk-secret"}\n\n'),
        (
            Wire.OPENAI_CHAT,
            CHAT,
            b'data: {"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"error",'
            b'"error":{"message":"sk-secret"}}]}\n\n',
        ),
        (Wire.OPENAI_CHAT, CHAT, b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"error"}]}\n\n'),
        (
            Wire.OPENAI_CHAT,
            CHAT,
            b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"insufficient_system_resource"}]}\n\n',
        ),
        (Wire.OPENAI_CHAT, CHAT, b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"abort"}]}\n\n'),
        (Wire.GEMINI, GEMINI, b'data: {"detail":"sk-secret"}\n\n'),
        (Wire.GEMINI, GEMINI, b'event: error\ndata: {"message":"sk-secret"}\n\n'),
    ],
)  # fmt: skip
def test_error_by_any_name_ends_the_answer_and_stays_here(wire, content, record):
    relay = stream_of(wire)

    shown = relay.feed(content) + relay.feed(record)

    assert b"Hi" in shown
    assert SECRET.encode() not in shown
    assert relay.tally.error is not None


@pytest.mark.parametrize(
    "record",
    [
        b"data:\n\n",
        b"data: \n\n",
        b"event: ping\ndata:\n\n",
        b"event: ping\ndata: \n\n",
        b'data: {"ping":1}\n\n',
    ],
)
@pytest.mark.parametrize(("wire", "content"), [(Wire.OPENAI_CHAT, CHAT), (Wire.GEMINI, GEMINI)])
def test_sign_of_life_is_passed_by_when_it_says_nothing(wire, content, record):
    relay = stream_of(wire)

    shown = relay.feed(record) + relay.feed(content) + relay.feed(record)

    assert shown.count(b"data:") == 1
    assert relay.tally.error is None


@pytest.mark.parametrize("reason", sorted(FAILURES))
def test_whole_answer_is_none_when_its_choice_gave_up(reason):
    relay = VerbatimLane(Wire.OPENAI_CHAT, {}).answer(SHAPE)
    choice = {"index": 0, "message": {"content": "Hi"}, "finish_reason": reason}

    relay.read(
        orjson.dumps({"choices": [choice], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}),
        "",
    )

    assert relay.tally.error is not None


@pytest.mark.parametrize("reason", ["eos_token", "repetition", "end"])
def test_reason_that_nobody_documents_is_passed_on_as_an_end(reason):
    relay = stream_of(Wire.OPENAI_CHAT)
    said = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"%s"}]}\n\n' % reason.encode()

    shown = relay.feed(CHAT + said)

    assert relay.tally.error is None
    assert relay.tally.is_finished
    assert said in shown


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_response_that_its_host_gave_up_is_no_answer_whatever_its_last_event_is_called(status):
    relay = stream_of(Wire.OPENAI_RESPONSES)
    ended = {"id": "r", "status": status, "output": [], "usage": None}

    relay.feed(
        responses_event("response.output_text.delta", 1, delta="Hi")
        + responses_event("response.completed", 2, response=ended)
    )

    assert relay.tally.error is not None


def responses_event(kind, number=None, **fields):
    event = {"type": kind, **fields, **({} if number is None else {"sequence_number": number})}
    return b"event: %s\ndata: %s\n\n" % (kind.encode(), orjson.dumps(event))


@pytest.mark.parametrize("numbers", [[None] * 4, [0, 1, 2, 3], [5, 6, 2, 9], [0, 0, 0, 0]])
def test_sequence_numbers_rise_whatever_the_host_sends(numbers):
    relay = stream_of(Wire.OPENAI_RESPONSES)
    done: dict[str, object] = {"id": "r", "status": "completed", "output": [], "usage": None}
    sent = [
        responses_event("response.created", numbers[0], response={"id": "r", "status": "in_progress"}),
        responses_event("response.output_text.delta", numbers[1], delta="Hi"),
        responses_event("response.output_text.delta", numbers[2], delta=" you"),
        responses_event("response.completed", numbers[3], response=done),
        responses_event("response.output_text.delta", 4, delta=" late"),
    ]  # fmt: skip

    shown = relay.feed(b"".join(sent)) + relay.finish(Usage(input=1, output=2))

    events = [orjson.loads(line[6:]) for line in shown.split(b"\n") if line.startswith(b"data: ")]
    found = [event["sequence_number"] for event in events]
    assert found == sorted(set(found))
    assert [event["type"] for event in events][-1] == "response.completed"
    assert b"late" not in shown
