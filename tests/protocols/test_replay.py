"""A stored response told again as a stream."""

import pytest

from apps.catalog.providers.spec import Wire
from apps.inference.canonical.fold import fold
from apps.inference.protocols import CODECS
from apps.inference.protocols.openai_responses.replay import replay
from tests.protocols.cases import CASES, IDENTITY, USAGE, Case, events_of, price
from tests.protocols.responses_stream import check_stream, events_in

WIRE = Wire.OPENAI_RESPONSES
STORED = [case for case in CASES if case.wire is WIRE]


@pytest.mark.parametrize("case", STORED, ids=str)
def test_replay_is_a_stream_of_the_same_answer(case: Case):
    stream = b"".join(replay(case.response))

    said = fold(events_of(WIRE, [stream]))
    assert said.blocks == CODECS[WIRE].decode_response(case.response).blocks
    assert check_stream(stream) == case.response


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_answer_of_ours_can_be_told_again(case: Case):
    response = CODECS[case.wire].decode_response(case.response)
    whole = CODECS[WIRE].encode_response(response, identity=IDENTITY, usage=USAGE, price=price)

    assert check_stream(b"".join(replay(whole))) == whole


def test_replay_goes_on_where_the_client_stopped():
    response = Case(WIRE, "web_search").response
    events = events_in(b"".join(replay(response)))

    rest = events_in(b"".join(replay(response, after=4)))

    assert rest == events[5:]
    assert not b"".join(replay(response, after=len(events)))
    assert events[0]["response"]["status"] == "in_progress"
    assert events[0]["response"]["output"] == []
