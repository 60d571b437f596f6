"""A Chat Completions request, from OpenAI's words to ours.

https://platform.openai.com/docs/api-reference/chat/create
What the format documents is checked and modelled; every other key is kept for this wire in ``extra``.
"""

from dataclasses import replace
from typing import Any

from apps.catalog.providers.spec import Wire
from apps.inference.canonical.codec import Json
from apps.inference.canonical.content import Extra
from apps.inference.canonical.events import Opaque
from apps.inference.canonical.fields import Fields
from apps.inference.canonical.request import (
    ChatRequest,
    JsonObject,
    JsonSchema,
    ReasoningConfig,
    ReasoningMode,
    ResponseFormat,
    Tool,
    ToolChoice,
    ToolMode,
)
from apps.inference.protocols.openai_chat.custom_tools import (
    decode_custom_tool,
    echo_of_custom_tools,
)
from apps.inference.protocols.openai_chat.decode_messages import decode_cache, decode_messages
from apps.inference.protocols.openai_chat.functions import (
    decode_function_choice,
    decode_functions,
    echo_of,
    uses_functions,
)

_KNOWN = frozenset(
    {
        "model", "messages", "tools", "tool_choice", "parallel_tool_calls", "max_tokens",
        "max_completion_tokens", "temperature", "top_p", "top_k", "stop", "seed",
        "frequency_penalty", "presence_penalty", "logit_bias", "logprobs", "top_logprobs", "n",
        "response_format", "reasoning_effort", "user", "stream", "stream_options", "metadata",
        "service_tier", "functions", "function_call",
    }
)  # fmt: skip
_NAMES = {"reasoning": "reasoning_effort", "effort": "reasoning_effort", "title": "filename"}
_OF_FUNCTIONS = {"parallel_tool_calls": ""}
"""One call at a time is no wish of such a client, so where it cannot be told nothing is lost."""
_OF_REASONING = {"reasoning": "reasoning", "effort": "reasoning"}
_UNSAID_EFFORT = "medium"
"""What ``enabled`` alone means."""
_CALLABLE = ("function", "custom")
_TOOL_MODES = {"auto": ToolMode.AUTO, "none": ToolMode.NONE, "required": ToolMode.REQUIRED}


def decode_request(body: Json) -> ChatRequest:
    """Raises InvalidRequest naming the field when the body is not of this wire."""
    fields = Fields(body)
    extra = fields.rest(_KNOWN)
    model = fields.required_name("model")
    system, messages = decode_messages(fields)
    reasoning = _decode_reasoning(fields, extra)
    tools = (*map(_decode_tool, fields.objects("tools")), *decode_functions(fields))
    return ChatRequest(
        origin=Wire.OPENAI_CHAT,
        model=model,
        system=system,
        messages=messages,
        tools=tools,
        tool_choice=_decode_tool_choice(fields, extra) or decode_function_choice(fields),
        parallel_tool_calls=False if uses_functions(fields) else fields.flag("parallel_tool_calls"),
        max_tokens=_decode_max_tokens(fields),
        temperature=fields.number("temperature", least=0, most=2),
        top_p=fields.number("top_p", least=0, most=1),
        top_k=fields.whole_number("top_k"),
        stop=_decode_stop(fields),
        seed=fields.whole_number("seed"),
        frequency_penalty=fields.number("frequency_penalty", least=-2, most=2),
        presence_penalty=fields.number("presence_penalty", least=-2, most=2),
        logit_bias=fields.plain_object("logit_bias"),
        logprobs=fields.flag("logprobs"),
        top_logprobs=fields.whole_number("top_logprobs", least=0),
        n=fields.whole_number("n", least=1),
        response_format=_decode_response_format(fields, extra),
        reasoning=reasoning,
        user=fields.text("user"),
        stream=fields.flag("stream") or False,
        include_usage=_decode_include_usage(fields, extra),
        metadata=fields.plain_object("metadata"),
        service_tier=fields.text("service_tier"),
        names=_names_of(fields, reasoning),
        echo={**echo_of(fields), **echo_of_custom_tools(tools)},
        extra={Wire.OPENAI_CHAT: extra} if extra else {},
    )


def _decode_max_tokens(fields: Fields) -> int | None:
    """``max_tokens`` is the deprecated name of ``max_completion_tokens``; hosts and clients use both."""
    legacy = fields.whole_number("max_tokens", least=1)
    current = fields.whole_number("max_completion_tokens", least=1)
    return legacy if current is None else current


def _decode_stop(fields: Fields) -> tuple[str, ...]:
    stop = fields.body.get("stop")
    return (stop,) if isinstance(stop, str) else fields.texts("stop")


def _decode_include_usage(fields: Fields, extra: dict[str, Any]) -> bool:
    options = fields.object("stream_options")
    if options is None:
        return False
    if others := options.rest({"include_usage"}):
        extra["stream_options"] = others
    return options.flag("include_usage") or False


def _decode_tool(tool: Fields) -> Tool | Opaque:
    kind = tool.required_text("type")
    if kind == "custom":
        return decode_custom_tool(tool)
    if kind != "function":
        return Opaque(Wire.OPENAI_CHAT, tool.body)
    function = tool.required_object("function")
    # Keys beside ``function`` and keys inside it are told apart by nesting, so that both return to their place.
    beside = tool.rest({"type", "function", "cache_control"})
    inside = function.rest({"name", "description", "parameters", "strict"})
    if inside:
        beside["function"] = inside
    extra: Extra = {Wire.OPENAI_CHAT: beside} if beside else {}
    return Tool(
        name=function.required_name("name"),
        description=function.text("description") or "",
        schema=function.plain_object("parameters"),
        strict=function.flag("strict"),
        cache=decode_cache(tool),
        extra=extra,
    )


def _decode_tool_choice(fields: Fields, extra: dict[str, Any]) -> ToolChoice | None:
    choice = fields.body.get("tool_choice")
    if choice is None:
        return None
    if isinstance(choice, str):
        fields.choice("tool_choice", _TOOL_MODES)
        return ToolChoice(_TOOL_MODES[choice])
    named = fields.required_object("tool_choice")
    kind = named.required_text("type")
    if kind == "allowed_tools" and (allowed := _decode_allowed(named)):
        return allowed
    if kind not in _CALLABLE:
        extra["tool_choice"] = choice  # of a kind that no other wire has a word for
        return None
    return ToolChoice(ToolMode.NAMED, named.required_object(kind).required_name("name"))


def _decode_allowed(choice: Fields) -> ToolChoice | None:
    """None when an unknown kind of tool is among the allowed: then the list means something on this wire only."""
    allowed = choice.required_object("allowed_tools")
    tools = allowed.objects("tools")
    kinds = [tool.text("type") or "" for tool in tools]
    if not tools or not set(kinds) <= set(_CALLABLE):
        return None
    names = tuple(
        tool.required_object(kind).required_name("name")
        for tool, kind in zip(tools, kinds, strict=True)
    )
    mode = allowed.choice("mode", ("auto", "required")) or "auto"
    return ToolChoice(_TOOL_MODES[mode], allowed=names)


def _decode_response_format(fields: Fields, extra: dict[str, Any]) -> ResponseFormat | None:
    wanted = fields.object("response_format")
    if wanted is None:
        return None
    match wanted.required_text("type"):
        case "text":
            return None
        case "json_object":
            return JsonObject()
        case "json_schema":
            described = wanted.required_object("json_schema")
            return JsonSchema(
                schema=described.required_object("schema").body,
                name=described.text("name") or "",
                description=described.text("description") or "",
                strict=described.flag("strict"),
            )
        case _:
            extra["response_format"] = wanted.body
            return None


def _names_of(fields: Fields, reasoning: ReasoningConfig | None) -> dict[str, str]:
    names = _NAMES | (_OF_FUNCTIONS if uses_functions(fields) else {})
    return names | (_OF_REASONING if reasoning and reasoning.source else {})


def _decode_reasoning(fields: Fields, extra: dict[str, Any]) -> ReasoningConfig | None:
    """``reasoning_effort``, or the ``reasoning`` object that OpenRouter's clients send.

    https://openrouter.ai/docs/use-cases/reasoning-tokens. What of the object is not understood stays in ``extra``, and so
    does the object where the other field says it all.
    """
    effort = fields.text("reasoning_effort")
    if effort is not None:
        return _by_effort(effort)
    wanted = extra.get("reasoning")
    if not isinstance(wanted, dict):
        return None
    details = Fields(wanted, "reasoning")
    found, said = _read_reasoning(details)
    if found is None:
        return None
    del extra["reasoning"]
    lost = details.rest({*said, "enabled"})
    extra |= {
        f"reasoning.{key}": value for key, value in lost.items() if value not in (None, False)
    }
    return replace(found, source=wanted)


def _read_reasoning(details: Fields) -> tuple[ReasoningConfig | None, tuple[str, ...]]:
    """With the keys that said it beside ``enabled``: a budget says more than an effort."""
    enabled = details.flag("enabled")
    budget = details.whole_number("max_tokens", least=1)
    effort = details.text("effort")
    if enabled is False:
        return ReasoningConfig(mode=ReasoningMode.OFF), ("max_tokens", "effort")
    if budget is not None:
        return ReasoningConfig(mode=ReasoningMode.BUDGET, budget_tokens=budget), ("max_tokens",)
    if effort is not None or enabled:
        return _by_effort(effort or _UNSAID_EFFORT), ("effort",)
    return None, ()


def _by_effort(effort: str) -> ReasoningConfig:
    if effort == "none":
        return ReasoningConfig(mode=ReasoningMode.OFF)
    return ReasoningConfig(effort=effort)
