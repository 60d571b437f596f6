"""Chunks of hosts that speak Chat Completions but for the place of the text, in OpenAI's words.

    {"choices": [{"text": "…"}]}                            as in a stream of text completions
    {"choices": [{"message": {"content": "…"}}]}            as in a whole answer
    {"output": [{"content": [{"text": "…"}]}]}              as in a whole answer of Responses
    {"output": {"text": "…", "finish_reason": "stop"}}      https://www.alibabacloud.com/help/en/model-studio/qwen-api-via-dashscope

Only a choice without a delta is read so: many hosts repeat in ``text`` or ``message`` what the delta says.
What stands in its place and is no text where OpenAI's SDK joins texts becomes one: see ``plain_message``.
"""

from typing import Any

from apps.inference.canonical.codec import Json
from apps.inference.protocols.openai_chat.media import is_picture
from apps.inference.protocols.openai_chat.response import arguments_text, prose_pieces

_INPUT, _OUTPUT = "input_tokens", "output_tokens"


def regular_chunk(chunk: Json, *, repeats: bool = False) -> Json:
    """The chunk in OpenAI's words; itself when it is in them.

    ``repeats``: the text has come in deltas already, so what stands elsewhere is the whole of it once more.
    """
    if not chunk.get("choices") and chunk.get("output"):
        chunk = _of_output(chunk)
    choices = chunk.get("choices")
    if not isinstance(choices, list) or all(map(_has_delta, choices)):
        return chunk
    return {**chunk, "choices": [regular_choice(choice, repeats=repeats) for choice in choices]}


def _has_delta(choice: Any) -> bool:
    return not isinstance(choice, dict) or bool(choice.get("delta"))


def regular_choice(choice: Any, *, repeats: bool = False) -> Any:
    """With what it says in its delta."""
    if _has_delta(choice):
        return choice
    rest = {name: value for name, value in choice.items() if name not in ("message", "text")}
    message, text = choice.get("message"), choice.get("text")
    if repeats:
        return {**rest, "delta": {}}
    if isinstance(message, dict):
        return {**rest, "delta": message}
    return {**rest, "delta": {"content": text} if isinstance(text, str) else {}}


def _of_output(chunk: Json) -> Json:
    output = chunk["output"]
    rest = {name: value for name, value in chunk.items() if name != "output"}
    if isinstance(usage := rest.get("usage"), dict):
        rest["usage"] = _regular_usage(usage)
    if isinstance(output, dict) and isinstance(output.get("choices"), list):
        choices = [
            {"index": position, **_without_null(choice)}
            for position, choice in enumerate(output["choices"])
        ]
        return {**rest, "choices": choices}
    text = _text_in(output)
    choice: Json = {"index": 0, "delta": {"content": text} if text else {}, "finish_reason": None}
    if isinstance(output, dict):
        choice["finish_reason"] = output.get("finish_reason")
    return {**rest, "choices": [_without_null(choice)]}


def _without_null(choice: Json) -> Json:
    """DashScope says "null" for as long as it has no reason."""
    if choice.get("finish_reason") == "null":
        return {**choice, "finish_reason": None}
    return choice


def _regular_usage(usage: Json) -> Json:
    if _INPUT not in usage or "prompt_tokens" in usage:
        return usage
    told, said = usage[_INPUT], usage.get(_OUTPUT)
    rest = {name: value for name, value in usage.items() if name not in (_INPUT, _OUTPUT)}
    return {"prompt_tokens": told, "completion_tokens": said, **rest}


def _text_in(value: Any) -> str:
    """The text of a part, of what holds parts, or of a list of either."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "".join(map(_text_in, value))
    if not isinstance(value, dict):
        return ""
    return _text_in(value.get("text") or value.get("content"))


def plain_chunk(chunk: Json) -> Json:
    """A chunk whose choices are numbered, where a host left that out, and whose deltas are ``plain_message``."""
    choices = [
        {**choice, "delta": plain_message(choice["delta"])} if choice.get("delta") else choice
        for choice in chunk["choices"]
    ]
    numbered = [
        {**choice, "index": place} if choice.get("index") is None else choice
        for place, choice in enumerate(choices)
    ]
    return {**chunk, "choices": numbered}


def plain_message(message: Json) -> Json:
    """A message or delta with its content and its calls' arguments as texts.

    Mistral's reasoning models write content as a list of parts (https://docs.mistral.ai/capabilities/reasoning/), a few
    hosts write arguments as an object.
    """
    plain = dict(message)
    if isinstance(content := message.get("content"), list):
        pieces = prose_pieces(content)
        plain["content"] = "".join(text for text, is_reasoning in pieces if not is_reasoning)
        if thought := "".join(text for text, is_reasoning in pieces if is_reasoning):
            plain["reasoning_content"] = thought
        if pictures := list(filter(is_picture, content)):
            plain["images"] = [*(message.get("images") or ()), *pictures]
    if calls := message.get("tool_calls"):
        plain["tool_calls"] = [
            {**call, "function": _plain_function(call["function"])}
            if call.get("function")
            else call
            for call in calls
        ]
    if function := message.get("function_call"):
        plain["function_call"] = _plain_function(function)
    return plain


def _plain_function(function: Json) -> Json:
    if not isinstance(function.get("arguments"), dict | list):
        return function
    return {**function, "arguments": arguments_text(function["arguments"]) or "{}"}
