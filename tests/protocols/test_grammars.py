"""No stream for a client breaks the grammar of its wire: ``encode_stream`` itself checks."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.catalog.providers.spec import Wire
from apps.inference.canonical.codec import MalformedUpstream
from apps.inference.canonical.events import BlockDelta, BlockKind, BlockStarted, Event, Opaque
from tests.protocols.cases import CASES, WIRES, Case, breaks_off, encode_stream, events_of
from tests.protocols.test_properties import event_streams


@pytest.mark.parametrize("client", WIRES)
@pytest.mark.parametrize("include_usage", [True, False])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_answer_is_a_stream_of_its_clients_wire(
    case: Case, client: Wire, include_usage: bool
):
    events = events_of(case.wire, [case.stream])

    assert encode_stream(client, events, include_usage=include_usage)


@settings(max_examples=150, deadline=None)
@given(events=event_streams(), client=st.sampled_from(WIRES), cut=st.integers(0, 30))
def test_any_answer_is_a_stream_of_its_clients_wire(events: list[Event], client: Wire, cut: int):
    """Cut anywhere: the end that follows closes what was open."""
    if client is Wire.GEMINI and breaks_off(events[:cut]):
        with pytest.raises(MalformedUpstream):
            encode_stream(client, events[:cut])
        return
    assert encode_stream(client, events[:cut])


@pytest.mark.parametrize("client", WIRES)
@pytest.mark.parametrize(
    "events",
    [
        pytest.param([], id="nothing"),
        pytest.param([Opaque(Wire.GEMINI, {"executableCode": {}})], id="only what Google knows"),
        pytest.param(
            [
                BlockStarted(0, BlockKind.TOOL_CALL, "a", "f", "sig", Wire.GEMINI),
                BlockStarted(1, BlockKind.TEXT),
                BlockDelta(1, "b", "sig", Wire.GEMINI),
            ],
            id="signatures while a call is open",
        ),
        pytest.param(
            [
                BlockStarted(0, BlockKind.REASONING),
                BlockDelta(0, "", "sig", Wire.ANTHROPIC_MESSAGES),
            ],
            id="a signature without thoughts",
        ),
    ],
)
def test_odd_answers_are_streams_of_their_clients_wire(events: list[Event], client: Wire):
    assert encode_stream(client, events)
