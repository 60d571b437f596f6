"""Reads the body of an OpenAI Responses request, and refuses what OpenAI refuses.

Strict as the original is: unknown parameters are errors, and those that chat completions calls otherwise are errors that
name the new place. Format: ``ResponseCreateParams`` of openai 3.54.0,
https://platform.openai.com/docs/api-reference/responses/create
"""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from apps.sandbox import checks
from apps.sandbox.replies import Prompt, Tool, ToolResult
from apps.sandbox.responses_items import (
    ATTACHMENTS,
    OUTPUTS,
    check_order,
    describe,
    output_text,
    read_items,
    refuse_value,
    texts_of,
)
from apps.sandbox.responses_store import Item, ResponseStore
from apps.sandbox.tokens import Segment
from apps.sandbox.wire import Refused

PARAMETERS = frozenset(
    {
        "access_programs", "background", "context_management", "conversation", "image", "include", "input",
        "instructions", "max_output_tokens", "max_tool_calls", "metadata", "model", "moderation",
        "parallel_tool_calls", "previous_response_id", "prompt", "prompt_cache_key", "prompt_cache_options",
        "prompt_cache_retention", "reasoning", "safety_identifier", "service_tier", "store", "stream",
        "stream_options", "temperature", "text", "tool_choice", "tools", "top_logprobs", "top_p", "truncation", "user",
    }
)  # fmt: skip
MOVED: Mapping[str, str] = {
    "functions": "tools",
    "max_completion_tokens": "max_output_tokens",
    "max_tokens": "max_output_tokens",
    "messages": "input",
    "reasoning_effort": "reasoning.effort",
    "response_format": "text.format",
    "verbosity": "text.verbosity",
}
INCLUDABLE = (
    "code_interpreter_call.outputs",
    "computer_call_output.output.image_url",
    "file_search_call.results",
    "message.input_image.image_url",
    "message.output_text.logprobs",
    "reasoning.encrypted_content",
    "web_search_call.action.sources",
    "web_search_call.results",
)
LOGPROBS = "message.output_text.logprobs"
PROVIDED_TOOLS = (
    "apply_patch", "code_interpreter", "computer", "computer_use_preview", "file_search", "image_generation",
    "local_shell", "mcp", "namespace", "programmatic_tool_calling", "shell", "tool_search", "web_search",
    "web_search_2025_08_26", "web_search_preview", "web_search_preview_2025_03_11",
)  # fmt: skip
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
SUMMARIES = ("auto", "concise", "detailed")
LEAST_OUTPUT = 16


def read_conversation(body: dict[str, Any], store: ResponseStore) -> list[Item]:
    """The items of earlier turns, then this request's own."""
    earlier: list[Item] = []
    if (previous := body.get("previous_response_id")) is not None:
        stored = store.get(checks.expect_text(previous, "previous_response_id"))
        if stored is None:
            raise Refused(
                f"Previous response with id '{previous}' not found.",
                param="previous_response_id",
                code="previous_response_not_found",
            )
        earlier = [*stored.input, *stored.body["output"]]
    items = [*earlier, *read_items(body.get("input"), store)]
    check_order(items)
    return items


def read_prompt(body: dict[str, Any], items: list[Item]) -> Prompt:
    _check_parameters(body)
    tools, provided = _read_tools(body)
    calling, named = _read_tool_choice(body.get("tool_choice"), tools, provided)
    wants_json, schema = _read_format(body, items)
    effort, shows = _read_reasoning(body)
    user: Item = next((item for item in reversed(items) if item.get("role") == "user"), {})
    parts = user.get("content", ())
    last = items[-1] if items else {"type": "none"}
    return Prompt(
        segments=tuple(read_segments(body, items)),
        user_text="\n".join(part["text"] for part in parts if part["type"] == "input_text"),
        attachments=tuple(describe(part) for part in parts if part["type"] in ATTACHMENTS),
        tool_results=tuple(_read_tool_results(items)),
        tools=tools,
        calling=calling,
        named_tool=named,
        parallel=body.get("parallel_tool_calls") is not False,
        wants_json=wants_json,
        json_schema=schema,
        effort=effort,
        prefill="".join(texts_of(last)) if last.get("role") == "assistant" else "",
        limit=_read_limit(body),
        stream=checks.expect_flag(body.get("stream"), "stream"),
        shows_reasoning=shows,
        top_logprobs=_read_logprobs(body),
        provided_tools=provided,
    )


def read_segments(body: dict[str, Any], items: list[Item]) -> Iterator[Segment]:
    if body.get("tools"):
        yield Segment(orjson.dumps(body["tools"]).decode())
    yield Segment(checks.expect_text(body.get("instructions") or "", "instructions"))
    for item in items:
        for text in texts_of(item):
            yield Segment(text)


def _check_parameters(body: dict[str, Any]) -> None:
    for name in body:
        if name in MOVED:
            raise Refused(
                f"Unsupported parameter: '{name}'. In the Responses API, this parameter has moved to "
                f"'{MOVED[name]}'. Try again with the new parameter. See the API documentation for more information: "
                "https://platform.openai.com/docs/api-reference/responses/create.",
                code="unsupported_parameter",
            )
        if name not in PARAMETERS:
            raise Refused(f"Unknown parameter: '{name}'.", param=name, code="unknown_parameter")
    if checks.expect_flag(body.get("background"), "background"):
        raise Refused("The sandbox runs no background responses.", param="background")
    for name in ("conversation", "prompt"):
        if body.get(name) is not None:
            raise Refused(f"The sandbox keeps no {name}s.", status=404, param=name)
    for name in ("store", "parallel_tool_calls"):
        checks.expect_flag(body.get(name), name)
    checks.expect_number(body.get("temperature"), "temperature", low=0, high=2)
    checks.expect_number(body.get("top_p"), "top_p", low=0, high=1)
    _expect_one_of(body.get("truncation"), "truncation", ("auto", "disabled"))
    for name in _list(body, "include"):
        _expect_one_of(name, "include", INCLUDABLE)
    metadata = body.get("metadata") or {}
    for key, value in checks.expect_object(metadata, "metadata").items():
        checks.expect_text(value, f"metadata.{key}")
    if len(metadata) > 16:
        raise Refused("Invalid 'metadata': too many properties.", param="metadata")
    if body.get("stream_options") is not None and not body.get("stream"):
        raise Refused(
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
            param="stream_options",
        )


def _list(body: dict[str, Any], name: str) -> list[Any]:
    return checks.expect_list(body.get(name) or [], name)


def _expect_one_of(value: Any, path: str, supported: tuple[str, ...]) -> None:
    if value is not None and value not in supported:
        raise refuse_value(value, path, list(supported))


def _read_limit(body: dict[str, Any]) -> int | None:
    limit = body.get("max_output_tokens")
    if limit is None:
        return None
    if isinstance(limit, int) and limit < LEAST_OUTPUT:
        raise Refused(
            f"Invalid 'max_output_tokens': integer below minimum value. Expected a value >= {LEAST_OUTPUT}, but got "
            f"{limit} instead.",
            param="max_output_tokens",
            code="integer_below_min_value",
        )
    return checks.expect_whole(limit, "max_output_tokens")


def _read_tools(body: dict[str, Any]) -> tuple[tuple[Tool, ...], tuple[str, ...]]:
    tools: list[Tool] = []
    provided: list[str] = []
    for index, tool in enumerate(_list(body, "tools")):
        path = f"tools[{index}]"
        match checks.expect_object(tool, path).get("type"):
            case "function" | "custom":
                if "name" not in tool:
                    raise Refused(
                        f"Missing required parameter: '{path}.name'.",
                        param=f"{path}.name",
                        code="missing_required_parameter",
                    )
                name = checks.expect_text(tool["name"], f"{path}.name")
                tools.append(Tool(name, tool.get("parameters")))
            case kind if kind in PROVIDED_TOOLS:
                provided.append(kind)
            case kind:
                raise refuse_value(kind, f"{path}.type", ["function", "custom", *PROVIDED_TOOLS])
    return tuple(tools), tuple(provided)


def _read_tool_choice(
    choice: Any, tools: tuple[Tool, ...], provided: tuple[str, ...]
) -> tuple[Any, str | None]:
    if choice is None:
        return "auto", None
    if choice in ("auto", "none", "required"):
        if choice == "required" and not (tools or provided):
            raise Refused(
                "Tool choice 'required' must be specified with 'tools' parameter.",
                param="tool_choice",
            )
        return choice, None
    match checks.expect_object(choice, "tool_choice").get("type"):
        case "function" | "custom":
            name = checks.expect_text(choice.get("name"), "tool_choice.name")
            if name not in {tool.name for tool in tools}:
                raise Refused(
                    f"Tool choice '{name}' not found in 'tools' parameter.", param="tool_choice"
                )
            return "required", name
        case "allowed_tools":
            _expect_one_of(choice.get("mode"), "tool_choice.mode", ("auto", "required"))
            return choice.get("mode", "auto"), None
        case kind if kind in provided:
            return "auto", None
        case kind:
            raise Refused(
                f"Tool choice '{kind}' not found in 'tools' parameter.", param="tool_choice"
            )


def _read_format(body: dict[str, Any], items: list[Item]) -> tuple[bool, Any]:
    text = checks.expect_object(body.get("text") or {}, "text")
    given = checks.expect_object(text.get("format") or {"type": "text"}, "text.format")
    match given.get("type"):
        case "text":
            return False, None
        case "json_object":
            said = (text for item in items for text in texts_of(item))
            if not any("json" in one.lower() for one in (body.get("instructions") or "", *said)):
                raise Refused(
                    "Response input messages must contain the word 'json' in some form to use 'text.format' of type "
                    "'json_object'.",
                    param="input",
                )
            return True, None
        case "json_schema":
            for name in ("name", "schema"):
                if name not in given:
                    raise Refused(
                        f"Missing required parameter: 'text.format.{name}'.",
                        param=f"text.format.{name}",
                        code="missing_required_parameter",
                    )
            return True, given["schema"]
        case kind:
            raise refuse_value(kind, "text.format.type", ["text", "json_object", "json_schema"])


def _read_reasoning(body: dict[str, Any]) -> tuple[str | None, bool]:
    """The effort (None: no reasoning), and whether a summary of it is shown."""
    reasoning = checks.expect_object(body.get("reasoning") or {}, "reasoning")
    effort = reasoning.get("effort")
    summary = reasoning.get("summary") or reasoning.get("generate_summary")
    _expect_one_of(effort, "reasoning.effort", EFFORTS)
    _expect_one_of(summary, "reasoning.summary", SUMMARIES)
    if effort is None and summary is not None:
        effort = "medium"
    return None if effort in (None, "none", "minimal") else str(effort), summary is not None


def _read_logprobs(body: dict[str, Any]) -> int | None:
    top = body.get("top_logprobs")
    if top is not None:
        checks.expect_whole(top, "top_logprobs", low=0, high=20)
    return (top or 0) if LOGPROBS in _list(body, "include") else None


def _read_tool_results(items: list[Item]) -> Iterator[ToolResult]:
    start = len(items)
    while start and items[start - 1]["type"] in OUTPUTS:
        start -= 1
    for item in items[start:]:
        yield ToolResult(item["call_id"], output_text(item))
