"""A request in Anthropic's words, for a host that speaks Messages.

https://docs.claude.com/en/api/messages
Which models take which kind of thinking is for the row's quirks (``rows/claude_quirks.py``); here an effort is what the newest want:
adaptive thinking with an effort.
"""

from apps.catalog.providers.spec import Wire
from apps.inference.canonical.codec import EncodedRequest, Json
from apps.inference.canonical.content import foreign_keys, own_keys
from apps.inference.canonical.request import (
    ChatRequest,
    JsonObject,
    JsonSchema,
    ReasoningMode,
    Tool,
    ToolChoice,
    ToolMode,
)
from apps.inference.protocols.anthropic_messages.encode_blocks import (
    encode_cache,
    encode_conversation,
)

DEFAULT_MAX_TOKENS = 4096
"""Anthropic has no default of its own: ``max_tokens`` is mandatory."""

_WIRE = Wire.ANTHROPIC_MESSAGES
_NO_WORD_FOR = (
    "seed", "frequency_penalty", "presence_penalty", "logit_bias", "logprobs", "top_logprobs",
)  # fmt: skip
_EFFORTS = {"minimal": "low"} | {word: word for word in ("low", "medium", "high", "xhigh", "max")}
_LEAST_BUDGET = 1024
_MODES = {ToolMode.AUTO: "auto", ToolMode.NONE: "none", ToolMode.REQUIRED: "any"}


def encode_request(request: ChatRequest, *, model: str) -> EncodedRequest:
    dropped: list[str] = foreign_keys(request.extra, _WIRE)
    dropped.extend(
        request.name_of(name) for name in _NO_WORD_FOR if getattr(request, name) is not None
    )
    if request.n is not None and request.n > 1:
        dropped.append(request.name_of("n"))
    system, messages = encode_conversation(request, dropped)
    max_tokens = DEFAULT_MAX_TOKENS if request.max_tokens is None else request.max_tokens
    body: Json = {"model": model, "max_tokens": max_tokens, "messages": messages}
    if system:
        body["system"] = system
    if request.stream:
        body["stream"] = True
    body |= _encode_tools(request, dropped)
    body |= _encode_thinking(request, body, dropped)
    kind = body.get("thinking", {}).get("type")
    body |= _encode_sampling(request, dropped, thinks=kind in ("enabled", "adaptive"))
    body |= _encode_output_config(request, dropped)
    body |= _encode_account(request, dropped)
    return EncodedRequest(
        body | own_keys(request.extra, _WIRE), tuple(dict.fromkeys(filter(None, dropped)))
    )


def _encode_sampling(request: ChatRequest, dropped: list[str], *, thinks: bool) -> Json:
    """Thinking fixes the temperature, and Anthropic then refuses another.

    https://docs.claude.com/en/docs/build-with-claude/extended-thinking#feature-compatibility
    """
    found: Json = {}
    if request.temperature is not None:
        found["temperature"] = min(max(request.temperature, 0), 1)
    if request.top_p is not None:
        found["top_p"] = request.top_p
    if request.top_k is not None:
        found["top_k"] = request.top_k
    if thinks and request.origin is not _WIRE:
        dropped.extend(request.name_of(name) for name in found)
        found = {}
    stop = [text for text in request.stop if request.origin is _WIRE or text.strip()]
    if stop:
        found["stop_sequences"] = stop
    if len(stop) < len(request.stop):
        dropped.append(request.name_of("stop"))  # a sequence of only white space is refused
    return found


def _encode_tools(request: ChatRequest, dropped: list[str]) -> Json:
    tools: list[Json] = []
    for tool in request.allowed_tools:
        if isinstance(tool, Tool):
            dropped.extend(foreign_keys(tool.extra, _WIRE))
            tools.append(_encode_tool(tool))
        elif tool.wire == _WIRE:
            tools.append(tool.payload)
        else:
            dropped.append(f"tools.{tool.name}")
    if not tools:
        return {}  # a choice without tools is refused
    choice = _encode_tool_choice(request.tool_choice, request.parallel_tool_calls)
    return {"tools": tools} | ({"tool_choice": choice} if choice else {})


def _encode_tool(tool: Tool) -> Json:
    encoded: Json = {"name": tool.name}
    if tool.description:
        encoded["description"] = tool.description
    schema = dict(tool.schema or {})
    encoded["input_schema"] = schema if "type" in schema else {"type": "object", **schema}
    if tool.strict is not None:
        encoded["strict"] = tool.strict
    return encoded | own_keys(tool.extra, _WIRE) | encode_cache(tool.cache)


def _encode_tool_choice(choice: ToolChoice | None, parallel: bool | None) -> Json:
    """Empty when the client left both open."""
    if choice is None and parallel is not False:
        return {}
    mode = choice.mode if choice else ToolMode.AUTO
    if choice and mode is ToolMode.NAMED:
        encoded: Json = {"type": "tool", "name": choice.name}
    else:
        encoded = {"type": _MODES[mode]}
    if parallel is not None and mode is not ToolMode.NONE:
        encoded["disable_parallel_tool_use"] = not parallel
    return encoded


def _encode_thinking(request: ChatRequest, body: Json, dropped: list[str]) -> Json:
    """With ``output_config.effort`` of ``_encode_output_config``."""
    wanted = request.reasoning
    if wanted is None:
        return {}
    dropped.extend(request.hidden_thoughts)
    is_own = request.origin is _WIRE
    if wanted.effort and not is_own and _effort_of(request) is None:
        dropped.append(request.name_of("effort"))
    match wanted.mode:
        case ReasoningMode.OFF:
            return {"thinking": {"type": "disabled"}}
        case ReasoningMode.BUDGET:
            budget = wanted.budget_tokens or 0
            if is_own or _may_think(budget, request, body):
                return {"thinking": {"type": "enabled", "budget_tokens": budget}}
            dropped.append(request.name_of("reasoning"))
            return {}
        case ReasoningMode.ADAPTIVE:
            return {"thinking": {"type": "adaptive"}}
        case None:
            thinks = not is_own and _effort_of(request) is not None and not _must_call(request)
            return {"thinking": {"type": "adaptive"}} if thinks else {}


def _effort_of(request: ChatRequest) -> str | None:
    """As it is from a client of this wire. A budget or none at all says more exactly what others mean."""
    wanted = request.reasoning
    if wanted is None or request.origin is _WIRE:
        return wanted.effort if wanted else None
    if wanted.mode in (ReasoningMode.BUDGET, ReasoningMode.OFF):
        return None
    return _EFFORTS.get(wanted.effort or "")


def _must_call(request: ChatRequest) -> bool:
    """A model that must call a tool may not think first."""
    choice = request.tool_choice
    return choice is not None and choice.is_forced and bool(request.tools)


def _may_think(budget: int, request: ChatRequest, body: Json) -> bool:
    """The budget comes out of ``max_tokens``.

    https://docs.claude.com/en/docs/build-with-claude/extended-thinking
    """
    if _must_call(request):
        return False
    return _LEAST_BUDGET <= budget < body["max_tokens"] and not _lost_its_thoughts(body["messages"])


def _lost_its_thoughts(messages: list[Json]) -> bool:
    """Whether the last answer called tools and its thinking blocks are gone, which other dialects do not keep.

    With thinking on, Anthropic refuses that: "a final assistant message must start with a thinking block".
    https://github.com/openai/openai-agents-python/issues/1704
    """
    answers = [message["content"] for message in messages if message["role"] == "assistant"]
    if not answers or not any(block["type"] == "tool_use" for block in answers[-1]):
        return False
    return answers[-1][0]["type"] not in ("thinking", "redacted_thinking")


def _encode_output_config(request: ChatRequest, dropped: list[str]) -> Json:
    """https://docs.claude.com/en/docs/build-with-claude/structured-outputs"""
    config: Json = {}
    match request.response_format:
        case JsonSchema() as wanted:
            config["format"] = {"type": "json_schema", "schema": wanted.schema}
            if wanted.description:
                dropped.append(f"{request.name_of('response_format')}.description")
        case JsonObject():
            dropped.append(request.name_of("response_format"))
        case None:
            pass
    if effort := _effort_of(request):
        config["effort"] = effort
    return {"output_config": config} if config else {}


def _encode_account(request: ChatRequest, dropped: list[str]) -> Json:
    """Who asks and on which terms; only the user's id means the same on every wire."""
    is_own = request.origin is _WIRE
    found: Json = {}
    metadata = dict(request.metadata or {}) if is_own else {}
    if request.user is not None:
        metadata["user_id"] = request.user
    if metadata:
        found["metadata"] = metadata
    if request.metadata and not is_own:
        dropped.append("metadata")
    if request.service_tier is not None:
        if is_own:
            found["service_tier"] = request.service_tier
        else:
            dropped.append("service_tier")
    return found
