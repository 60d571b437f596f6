"""A Responses request, from OpenAI's words to ours.

https://platform.openai.com/docs/api-reference/responses/create (2026-07)
What the format documents is checked and modelled; every other key is kept for this wire in ``extra``, those of a nested
object under a dotted name (``reasoning.summary``). ``store`` and ``previous_response_id`` are the gateway's: by the time
a request comes here the earlier conversation stands in ``input``.
"""

from typing import Any

from apps.catalog.providers.spec import Wire
from apps.inference.canonical.codec import Json
from apps.inference.canonical.fields import Fields
from apps.inference.canonical.request import (
    ChatRequest,
    JsonObject,
    JsonSchema,
    ReasoningConfig,
    ReasoningMode,
    ResponseFormat,
)
from apps.inference.protocols.openai_responses.decode_items import decode_input
from apps.inference.protocols.openai_responses.decode_tools import decode_tool_choice, decode_tools
from apps.inference.protocols.openai_responses.namespaces import Namespaces

ENCRYPTED_REASONING = "reasoning.encrypted_content"

_KNOWN = frozenset(
    {
        "model", "input", "instructions", "tools", "tool_choice", "parallel_tool_calls",
        "max_output_tokens", "temperature", "top_p", "reasoning", "text", "include", "store",
        "previous_response_id", "metadata", "service_tier", "user", "safety_identifier", "stream",
        "background",
    }
)  # fmt: skip
_NAMES = {
    "max_tokens": "max_output_tokens",
    "response_format": "text.format",
    "effort": "reasoning.effort",
    "title": "filename",
}
_FORMATS = ("text", "json_object", "json_schema")
_EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
"""openai-python 3.54, ``ReasoningEffort``. On OpenAI's own wire any word travels on."""
_INCLUDES = (
    "file_search_call.results", "web_search_call.results", "web_search_call.action.sources",
    "message.input_image.image_url", "computer_call_output.output.image_url", "code_interpreter_call.outputs",
    ENCRYPTED_REASONING, "message.output_text.logprobs",
)  # fmt: skip
"""openai-python 3.54, ``ResponseIncludable``."""
_NOT_KEPT = {
    "prompt": "names a template that is stored at OpenAI, which no other provider can read",
    "conversation": "names a stored conversation; send 'previous_response_id' or the items themselves",
}


def decode_request(body: Json) -> ChatRequest:
    """Raises InvalidRequest naming the field when the body is not of this wire."""
    fields = Fields(body)
    for name, problem in _NOT_KEPT.items():
        if body.get(name) is not None:
            fields.refuse(name, problem)
    if fields.flag("background"):
        fields.refuse("background", "must be false: answers are given at once, streamed or whole")
    extra = {key: value for key, value in fields.rest(_KNOWN).items() if value is not None}
    model = fields.required_name("model")
    namespaces = Namespaces(body.get("tools"))
    system, messages = decode_input(fields, namespaces)
    user, names = _decode_user(fields, extra)
    return ChatRequest(
        origin=Wire.OPENAI_RESPONSES,
        model=model,
        system=system,
        messages=messages,
        tools=decode_tools(fields, namespaces),
        tool_choice=decode_tool_choice(fields, extra, namespaces),
        parallel_tool_calls=fields.flag("parallel_tool_calls"),
        max_tokens=fields.whole_number("max_output_tokens", least=1),
        temperature=fields.number("temperature", least=0, most=2),
        top_p=fields.number("top_p", least=0, most=1),
        response_format=_decode_format(fields, extra),
        reasoning=_decode_reasoning(fields, extra),
        user=user,
        stream=fields.flag("stream") or False,
        include_usage=True,
        metadata=fields.plain_object("metadata"),
        service_tier=fields.text("service_tier"),
        names=names,
        extra=_with_includes(fields, extra),
    )


def _decode_user(fields: Fields, extra: Json) -> tuple[str | None, dict[str, str]]:
    """``safety_identifier`` took the place of ``user`` in 2025; of both, other wires are told the newer."""
    user = fields.text("user")
    identifier = fields.text("safety_identifier")
    if identifier is None:
        return user, _NAMES
    if user is not None:
        extra["user"] = user
    return identifier, _NAMES | {"user": "safety_identifier"}


def _with_includes(fields: Fields, extra: Json) -> dict[Wire, Json]:
    """Encrypted reasoning is always asked for, so it is no wish of this client's."""
    asked = fields.texts("include")
    for position, name in enumerate(asked):
        if name not in _INCLUDES:
            fields.refuse(f"include[{position}]", f"must be one of {', '.join(_INCLUDES)}")
    wanted = [name for name in asked if name != ENCRYPTED_REASONING]
    if wanted:
        extra["include"] = wanted
    return {Wire.OPENAI_RESPONSES: extra} if extra else {}


def _decode_format(fields: Fields, extra: dict[str, Any]) -> ResponseFormat | None:
    text = fields.object("text")
    if text is None:
        return None
    extra |= _dotted("text", text.rest({"format"}))
    wanted = text.object("format")
    if wanted is None:
        return None
    wanted.require("type")
    match wanted.choice("type", _FORMATS):
        case "json_object":
            return JsonObject()
        case "json_schema":
            return JsonSchema(
                schema=wanted.required_object("schema").body,
                name=wanted.text("name") or "",
                description=wanted.text("description") or "",
                strict=wanted.flag("strict"),
            )
        case _:
            return None


def _decode_reasoning(fields: Fields, extra: dict[str, Any]) -> ReasoningConfig | None:
    """https://platform.openai.com/docs/guides/reasoning"""
    wanted = fields.object("reasoning")
    if wanted is None:
        return None
    extra |= _dotted("reasoning", wanted.rest({"effort"}))
    effort = wanted.choice("effort", _EFFORTS)
    if effort is None:
        return None
    return (
        ReasoningConfig(mode=ReasoningMode.OFF)
        if effort == "none"
        else ReasoningConfig(effort=effort)
    )


def _dotted(name: str, rest: Json) -> Json:
    return {f"{name}.{key}": value for key, value in rest.items() if value is not None}
