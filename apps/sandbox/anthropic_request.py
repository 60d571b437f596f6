"""Reads the body of an Anthropic messages request, and refuses what Anthropic refuses.

Strict as the original is: unknown parameters, unpaired tool results, changed thinking blocks and a final assistant
text that ends with white space are errors, so that a gateway's mistakes show here.
Format: ``MessageCreateParams`` of anthropic 2.12.0, https://docs.anthropic.com/en/api/messages
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from apps.sandbox import checks
from apps.sandbox.anthropic_blocks import PROVIDED_RESULTS, describe, read_blocks, text_of
from apps.sandbox.anthropic_citations import cite_all
from apps.sandbox.replies import Prompt, Tool, ToolResult
from apps.sandbox.tokens import Segment, Ttl, tokens_in
from apps.sandbox.wire import Asked, Refused

PARAMETERS = frozenset(
    {
        "cache_control", "container", "context_management", "diagnostics", "inference_geo", "max_tokens", "mcp_servers", "messages",
        "metadata", "model", "output_config", "output_format", "service_tier", "speed", "stop_sequences", "stream",
        "system", "temperature", "thinking", "tool_choice", "tools", "top_k", "top_p",
    }
)  # fmt: skip
COUNTED_PARAMETERS = frozenset(
    {
        "cache_control", "context_management", "mcp_servers", "messages", "model", "output_config", "output_format",
        "speed", "system", "thinking", "tool_choice", "tools",
    }
)  # fmt: skip
LEAST_THINKING = 1024
ATTACHMENTS = frozenset({"image", "document", "search_result"})
PROVIDED_TOOLS = (
    "code_execution",
    "tool_search_tool_bm25",
    "tool_search_tool_regex",
    "web_fetch",
    "web_search",
)
"""Tools that Anthropic runs; their types are these names and a date."""
CLIENT_TOOLS = (
    "bash",
    "browser_toolset",
    "computer",
    "computer_toolset",
    "mcp_toolset",
    "memory",
    "text_editor",
)
"""Tools that Anthropic describes and the client runs."""
DATE = re.compile(r"(_\d{8})?")
COMMAND: Mapping[str, Any] = {"type": "object", "properties": {"command": {"type": "string"}}}

Messages = list[tuple[str, list[dict[str, Any]]]]


def read_prompt(asked: Asked) -> Prompt:
    body = asked.body
    _check_parameters(body, PARAMETERS, required=("max_tokens", "messages"))
    limit = checks.expect_whole(body["max_tokens"], "max_tokens")
    checks.expect_number(body.get("temperature"), "temperature", low=0, high=1)
    checks.expect_number(body.get("top_p"), "top_p", low=0, high=1)
    messages = _read_messages(body["messages"])
    _check_version(asked, messages)
    tools, provided = read_tools(body.get("tools"))
    effort, shows = _read_thinking(body, limit)
    calling, named, parallel = _read_tool_choice(
        body.get("tool_choice"), [*(tool.name for tool in tools), *provided]
    )
    if effort and calling == "required":
        raise Refused("Thinking may not be enabled when tool_choice forces tool use.")
    last_role, last = messages[-1]
    users = [blocks for role, blocks in messages if role == "user"]
    spoken: list[dict[str, Any]] = next(
        (b for b in reversed(users) if any(x["type"] != "tool_result" for x in b)), []
    )
    schema = _read_output_schema(body)
    citations = cite_all([block for _, blocks in messages for block in blocks])
    if citations and schema is not None:
        raise Refused("output_config.format: citations can not be used with structured outputs")
    return Prompt(
        segments=tuple(_read_segments(body, messages)),
        user_text="\n".join(block["text"] for block in spoken if block["type"] == "text"),
        attachments=tuple(describe(b) for b in spoken if b["type"] in ATTACHMENTS),
        tool_results=_read_tool_results(last) if last_role == "user" else (),
        tools=tools,
        calling=calling,
        named_tool=named,
        parallel=parallel,
        announces_calls=True,
        wants_json=schema is not None,
        json_schema=schema,
        effort=effort,
        prefill=_read_prefill(last) if last_role == "assistant" else "",
        limit=limit,
        stops=_read_stops(body.get("stop_sequences")),
        stream=checks.expect_flag(body.get("stream"), "stream"),
        shows_reasoning=shows,
        provided_tools=provided,
        citations=citations,
    )


def count_prompt(asked: Asked) -> int:
    """The tokens of a body of ``/v1/messages/count_tokens``, which knows fewer parameters."""
    body = asked.body
    _check_parameters(body, COUNTED_PARAMETERS, required=("messages",))
    messages = _read_messages(body["messages"])
    _check_version(asked, messages)
    read_tools(body.get("tools"))
    return tokens_in(sum(len(segment.text) for segment in _read_segments(body, messages)))


def _check_parameters(
    body: dict[str, Any], known: frozenset[str], *, required: tuple[str, ...]
) -> None:
    for name in body:
        if name not in known:
            raise Refused(f"{name}: Extra inputs are not permitted")
    for name in required:
        if name not in body:
            raise Refused(f"{name}: Field required")


def _check_version(asked: Asked, messages: Messages) -> None:
    """2026-10-21 is stricter than 2023-06-01: https://docs.anthropic.com/en/api/versioning (read 2026-11)."""
    if asked.incoming.headers.get("anthropic-version") != "2026-10-21":
        return
    for name in ("temperature", "top_p", "top_k"):
        if name in asked.body:
            raise Refused(f"{name}: Extra inputs are not permitted")
    for role, blocks in messages:
        for block in blocks:
            if role == "assistant" and block["type"] == "document":
                raise Refused("messages: `document` blocks are not permitted in assistant messages")
            if role == "user" and block["type"] == "text" and block.get("citations"):
                raise Refused("messages: `citations` are not permitted on text in user messages")


def _read_messages(value: Any) -> Messages:
    messages: Messages = []
    for position, message in enumerate(checks.expect_list(value, "messages")):
        path = f"messages.{position}"
        role = checks.expect_object(message, path).get("role")
        # The published types allow "system" between turns; a leading one is refused below.
        if role not in ("user", "assistant", "system"):
            raise Refused(f"{path}.role: Unexpected role {role!r}.")
        blocks = read_blocks(message.get("content"), f"{path}.content")
        if not blocks and position < len(value) - 1:
            raise Refused(f"{path}: all messages must have non-empty content")
        _check_pairing(messages[-1][1] if messages else [], blocks, path)
        _check_provided(blocks, path)
        if messages and messages[-1][0] == role:
            messages[-1][1].extend(blocks)
        else:
            messages.append((role, blocks))
    if not messages:
        raise Refused("messages: at least one message is required")
    if messages[0][0] != "user":
        raise Refused(
            "messages: first message must use the user role; use the top-level `system` parameter"
        )
    if messages[-1][0] == "assistant":
        _check_pairing(messages[-1][1], [], "messages")
    return messages


def _check_pairing(before: list[dict[str, Any]], blocks: list[dict[str, Any]], path: str) -> None:
    """Tool results stand in the message after their tool uses, all of them."""
    asked = {block["id"] for block in before if block["type"] == "tool_use"}
    answered = {block["tool_use_id"] for block in blocks if block["type"] == "tool_result"}
    if stray := answered - asked:
        raise Refused(
            f"{path}: unexpected `tool_use_id` found in `tool_result` blocks: {', '.join(sorted(stray))}. Each "
            "`tool_result` block must have a corresponding `tool_use` block in the previous message."
        )
    if missing := asked - answered:
        raise Refused(
            f"{path}: `tool_use` ids were found without `tool_result` blocks immediately after: "
            f"{', '.join(sorted(missing))}."
        )


def _check_provided(blocks: list[dict[str, Any]], path: str) -> None:
    """The result of a tool that Anthropic ran stands behind its use, in the same message."""
    used: set[str] = set()
    for block in blocks:
        if block["type"] == "server_tool_use":
            used.add(block["id"])
        if block["type"] in PROVIDED_RESULTS and block["tool_use_id"] not in used:
            raise Refused(
                f"{path}: unexpected `tool_use_id` found in `{block['type']}` blocks: {block['tool_use_id']}. Each "
                f"`{block['type']}` block must have a corresponding `server_tool_use` block before it."
            )


def _read_segments(body: dict[str, Any], messages: Messages) -> Iterator[Segment]:
    """The prompt in cache order: tools, system, messages. A top-level mark counts for the last block."""
    segments: list[Segment] = []
    for tool in body.get("tools") or ():
        plain = {key: value for key, value in tool.items() if key != "cache_control"}
        segments.append(Segment(orjson.dumps(plain).decode(), _read_ttl(tool)))
    system = read_blocks(body.get("system") or [], "system")
    segments.extend(Segment(text_of(block), _read_ttl(block)) for block in system)
    for _, blocks in messages:
        segments.extend(Segment(text_of(block), _read_ttl(block)) for block in blocks)
    if segments and (ttl := _read_ttl(body)):
        segments[-1] = Segment(segments[-1].text, ttl)
    marked = sum(segment.breakpoint is not None for segment in segments)
    if marked > 4:
        raise Refused(f"A maximum of 4 blocks with cache_control may be provided. Found {marked}.")
    ttls = [segment.breakpoint for segment in segments if segment.breakpoint]
    if ttls != sorted(ttls):
        raise Refused(
            "cache_control.ttl: a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block."
        )
    yield from segments


def _read_ttl(block: dict[str, Any]) -> Ttl | None:
    control = block.get("cache_control")
    if control is None:
        return None
    if checks.expect_object(control, "cache_control").get("type") != "ephemeral":
        raise Refused("cache_control.type: Input should be 'ephemeral'")
    match control.get("ttl", "5m"):
        case "5m":
            return "5m"
        case "1h":
            return "1h"
    raise Refused("cache_control.ttl: Input should be '5m' or '1h'")


def read_tools(value: Any) -> tuple[tuple[Tool, ...], tuple[str, ...]]:
    """The tools that the client runs, and the names of those that Anthropic runs."""
    tools: list[Tool] = []
    provided: list[str] = []
    for index, tool in enumerate([] if value is None else checks.expect_list(value, "tools")):
        path = f"tools.{index}"
        kind = checks.expect_object(tool, path).get("type")
        name = tool.get("name", kind)
        if kind in (None, "custom"):
            schema = checks.expect_object(tool.get("input_schema"), f"{path}.input_schema")
            tools.append(Tool(checks.expect_text(tool.get("name"), f"{path}.name"), schema))
        elif _is_dated(kind, PROVIDED_TOOLS):
            provided.append(checks.expect_text(name, f"{path}.name"))
        elif _is_dated(kind, CLIENT_TOOLS):
            tools.append(Tool(checks.expect_text(name, f"{path}.name"), COMMAND))
        else:
            raise Refused(
                f"{path}: Input tag '{kind}' found using 'type' does not match any of the expected tags"
            )
    return tuple(tools), tuple(provided)


def _is_dated(kind: Any, names: tuple[str, ...]) -> bool:
    return any(
        isinstance(kind, str) and kind.startswith(name) and DATE.fullmatch(kind, len(name))
        for name in names
    )


def _read_tool_choice(choice: Any, names: list[str]) -> tuple[Any, str | None, bool]:
    if choice is None:
        return "auto", None, True
    if not names:
        raise Refused("tool_choice may only be specified while providing tools")
    parallel = (
        checks.expect_object(choice, "tool_choice").get("disable_parallel_tool_use") is not True
    )
    match choice.get("type"):
        case "auto" | "none" as kind:
            return kind, None, parallel
        case "any":
            return "required", None, parallel
        case "tool" if choice.get("name") in names:
            return "required", choice["name"], parallel
        case "tool":
            raise Refused(f"Tool {choice.get('name')!r} not found in provided tools")
        case kind:
            raise Refused(
                f"tool_choice: Input tag {kind!r} does not match any of the expected tags"
            )


def _read_thinking(body: dict[str, Any], limit: int) -> tuple[str | None, bool]:
    """The effort (None: no thinking), and whether the thinking is shown."""
    thinking = body.get("thinking")
    if thinking is None:
        return None, True
    shows = checks.expect_object(thinking, "thinking").get("display") != "omitted"
    match thinking.get("type"):
        case "disabled" | "between_tools":
            return None, shows
        case "adaptive":
            return str(_read_output_config(body).get("effort") or "medium"), shows
        case "enabled":
            budget = checks.expect_whole(
                thinking.get("budget_tokens"), "thinking.enabled.budget_tokens", low=LEAST_THINKING
            )
            if budget >= limit:
                raise Refused("`max_tokens` must be greater than `thinking.budget_tokens`.")
            return ("low" if budget < 4096 else "medium" if budget < 16384 else "high"), shows
        case kind:
            raise Refused(f"thinking: Input tag {kind!r} does not match any of the expected tags")


def _read_output_config(body: dict[str, Any]) -> dict[str, Any]:
    config = body.get("output_config")
    return {} if config is None else checks.expect_object(config, "output_config")


def _read_output_schema(body: dict[str, Any]) -> Any:
    output = _read_output_config(body).get("format") or body.get("output_format")
    if output is None:
        return None
    if checks.expect_object(output, "output_config.format").get("type") != "json_schema":
        raise Refused("output_config.format.type: Input should be 'json_schema'")
    return checks.expect_object(output.get("schema"), "output_config.format.schema")


def _read_tool_results(blocks: list[dict[str, Any]]) -> tuple[ToolResult, ...]:
    return tuple(
        ToolResult(block["tool_use_id"], text_of(block))
        for block in blocks
        if block["type"] == "tool_result"
    )


def _read_prefill(blocks: list[dict[str, Any]]) -> str:
    text = "".join(block["text"] for block in blocks if block["type"] == "text")
    if text != text.rstrip():
        raise Refused("messages: final assistant content cannot end with trailing whitespace")
    return text


def _read_stops(value: Any) -> tuple[str, ...]:
    stops = checks.expect_list([] if value is None else value, "stop_sequences")
    for stop in stops:
        if not checks.expect_text(stop, "stop_sequences").strip():
            raise Refused("stop_sequences: each stop sequence must contain non-whitespace")
    return tuple(stops)
