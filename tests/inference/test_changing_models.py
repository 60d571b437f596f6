"""A conversation goes on at another model: thoughts that its host could not accept do not reach it."""

from typing import Any

import anthropic
import pytest

TOOL = {"name": "get", "input_schema": {"type": "object", "properties": {"a": {"type": "string"}}}}
THINKING = {"type": "enabled", "budget_tokens": 1024}
ASK = {"role": "user", "content": "please use get"}
MODELS = (
    "sandbox/claude",
    "sandbox/echo",
    "sandbox/gemini",
    "sandbox/responses",
    "sandbox/converse",
)


@pytest.mark.parametrize("first", MODELS)
def test_any_model_goes_on_with_what_another_thought(gateway, customer, first):
    client = anthropic.Anthropic(base_url=gateway.url, api_key=customer.secret, max_retries=0)

    create: Any = client.messages.create

    def ask(model, messages):
        return create(
            model=model, max_tokens=3000, thinking=THINKING, tools=[TOOL], messages=messages
        )

    with client:
        said = ask(first, [ASK])
        (call,) = [block for block in said.content if block.type == "tool_use"]
        result = {"type": "tool_result", "tool_use_id": call.id, "content": "42"}
        turns = [
            ASK,
            {"role": "assistant", "content": said.content},
            {"role": "user", "content": [result]},
        ]
        answers = {model: ask(model, turns) for model in MODELS}

    assert {model for model, answer in answers.items() if answer.stop_reason == "end_turn"} == set(
        MODELS
    )
