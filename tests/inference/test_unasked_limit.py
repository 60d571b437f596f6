"""Anthropic wants a limit of every request: one that a client did not set is the model's own."""

import orjson
import pytest

from apps.catalog.providers.rows.claude_quirks import CLAUDE
from apps.catalog.providers.spec import Endpoint, Wire
from apps.inference.translated import MOST_UNASKED, TranslatedLane

CHAT = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
ANTHROPIC = Endpoint(path="/messages", wire=Wire.ANTHROPIC_MESSAGES)


@pytest.mark.parametrize(
    ("asked", "most", "sent"),
    [(None, None, 4096), (None, 8192, 8192), (None, 200_000, MOST_UNASKED), (50, 8192, 50)],
)
def test_limit_is_the_models_own_when_the_client_sets_none(asked, most, sent):
    body = {**CHAT, "max_tokens": asked} if asked else CHAT
    lane = TranslatedLane(Wire.OPENAI_CHAT, Wire.ANTHROPIC_MESSAGES, body, most_output=most)

    assert orjson.loads(lane.outgoing("m", ANTHROPIC, ()).body)["max_tokens"] == sent


@pytest.mark.parametrize(("most", "budget"), [(64_000, 16384), (None, None)])
def test_thinking_stays_when_the_model_has_room_for_it(most, budget):
    body = {**CHAT, "reasoning_effort": "high"}
    lane = TranslatedLane(Wire.OPENAI_CHAT, Wire.ANTHROPIC_MESSAGES, body, most_output=most)

    sent = lane.outgoing("claude-haiku-4-5", ANTHROPIC, CLAUDE)

    assert orjson.loads(sent.body).get("thinking", {}).get("budget_tokens") == budget
    assert (*lane.dropped, *sent.dropped) == (() if budget else ("reasoning_effort",))
