"""An answer that has said why it ended is whole, however its connection ends: broken, left open, or followed by rubbish."""

import time
from typing import Any

import pytest

from apps.catalog.providers.spec import Wire
from tests.hosting import Host, seconds
from tests.surfaces import LANES, Surface, ask, name_lane

TEXT = "Hello there, how are you doing on this fine day?"
WHOLE = f"You said: {TEXT}"
ENDS = ("break", "hold")
every_end = pytest.mark.parametrize("end", ENDS)
every_lane = pytest.mark.parametrize("lane", LANES, ids=name_lane)
GEMINI: dict[str, Any] = {"contents": [{"role": "user", "parts": [{"text": TEXT}]}]}


@every_end
@every_lane
def test_answer_is_whole_once_it_has_said_why_it_ended(
    gateway, customer, make_model, upstream, lane, end
):
    surface, wire = lane
    model = make_model(Host(f"echo+chunks=6+lost_end={end}", wire), "echo")
    before = customer.balance.total

    body = surface.body(model, TEXT, stream=True, stream_options={"include_usage": True})
    if surface is Surface.MESSAGES:
        del body["stream_options"]
    answer = ask(gateway.client(customer), surface, body)

    assert (answer.status, answer.text, answer.error) == (200, WHOLE, None)
    assert answer.is_finished
    (record,) = customer.settled(requests=1)
    assert [attempt["fault"] for attempt in record.attempts] == [""]
    assert record.outcome == "completed"
    assert record.output_tokens == answer.output_tokens > 0
    assert record.charged == record.cost == before - customer.balance.total > 0
    assert upstream.stats()["by_model"].get("echo", 0) == 0


@every_end
@pytest.mark.parametrize("wire", [Wire.GEMINI, Wire.OPENAI_CHAT, Wire.BEDROCK_CONVERSE], ids=str)
def test_last_chunk_reaches_a_client_of_a_format_without_an_end_marker(
    gateway, customer, make_model, wire, end
):
    model = make_model(Host(f"echo+chunks=6+lost_end={end}", wire), "echo")

    answer = gateway.client(customer).post(
        f"/v1beta/models/{model}:streamGenerateContent?alt=sse", json=GEMINI
    )

    assert answer.text.count('"finishReason"') == 1
    assert '"error"' not in answer.text
    (record,) = customer.settled(requests=1)
    assert (record.outcome, len(record.attempts)) == ("completed", 1)
    assert record.charged == record.cost > 0


@pytest.mark.parametrize(
    ("own", "longest"), [({"idle": 60.0}, 4.0), ({"idle": 0.3}, 1.5)], ids=["patient", "hasty"]
)
def test_last_words_are_not_waited_for_as_long_as_content(
    gateway, customer, make_model, own, longest
):
    model = make_model(Host("echo+lost_end=hold", seconds=seconds(**own)))
    started = time.monotonic()

    answer = ask(
        gateway.client(customer), Surface.CHAT, Surface.CHAT.body(model, TEXT, stream=True)
    )

    assert answer.is_finished
    assert time.monotonic() - started < longest
