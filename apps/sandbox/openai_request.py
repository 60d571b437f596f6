"""Reads the body of an OpenAI chat completion request, and refuses what OpenAI refuses.

Parameters it does not know are let through: the hosts that copy this wire each have their own.
Format: ``CompletionCreateParams`` of openai 3.54.0, https://platform.openai.com/docs/api-reference/chat/create
"""

from collections.abc import Iterator
from typing import Any

import orjson

from apps.sandbox import checks
from apps.sandbox.replies import Prompt, Tool, ToolResult
from apps.sandbox.tokens import Segment, stand_in
from apps.sandbox.wire import Asked, Refused

ROLES = frozenset({"system", "developer", "user", "assistant", "tool"})
NO_REASONING = frozenset({"none", "minimal"})
EFFORTS = frozenset({"none", "minimal", "low", "medium", "high", "xhigh"})


def read_prompt(asked: Asked) -> Prompt:
    body = asked.body
    messages = [
        _read_role(message, f"messages[{position}]")
        for position, message in enumerate(checks.expect_list(body.get("messages"), "messages"))
    ]
    if not messages:
        raise Refused("Invalid 'messages': empty array.", param="messages", code="empty_array")
    _check_pairing(messages)
    _check_sampling(body)
    tools = _read_tools(body)
    user: dict[str, Any] = next((m for m in reversed(messages) if m["role"] == "user"), {})
    last = messages[-1]
    stream = checks.expect_flag(body.get("stream"), "stream")
    calling, named = _read_tool_choice(body.get("tool_choice"), tools)
    wants_json, schema = _read_response_format(body.get("response_format"))
    return Prompt(
        segments=tuple(_read_segments(body, messages)),
        user_text=_join_texts(user.get("content"), separator="\n"),
        attachments=tuple(_describe(part) for part in _attachments(user.get("content"))),
        tool_results=_read_tool_results(messages),
        tools=tools,
        calling=calling,
        named_tool=named,
        parallel=body.get("parallel_tool_calls") is not False,
        wants_json=wants_json,
        json_schema=schema,
        effort=_read_effort(body),
        prefill=_join_texts(last.get("content")) if last["role"] == "assistant" else "",
        limit=_read_limit(body),
        stops=read_stops(body.get("stop")),
        choices=checks.expect_whole(_given(body, "n", 1), "n", high=128),
        stream=stream,
        include_usage=read_include_usage(body.get("stream_options"), stream=stream),
        top_logprobs=_read_logprobs(body),
    )


def _given(body: dict[str, Any], name: str, default: Any) -> Any:
    value = body.get(name)
    return default if value is None else value


def _read_role(message: Any, path: str) -> dict[str, Any]:
    found = checks.expect_object(message, path)
    role = found.get("role")
    if checks.expect_text(role, f"{path}.role") not in ROLES:
        raise Refused(f"Invalid value: {role!r}.", param=f"{path}.role", code="invalid_value")
    content = found.get("content")
    if content is None and role != "assistant":
        raise Refused(f"Missing required parameter: '{path}.content'.", param=f"{path}.content")
    if content is not None and not isinstance(content, str | list):
        raise Refused(f"Invalid type for '{path}.content'.", param=f"{path}.content")
    for index, part in enumerate(content if isinstance(content, list) else ()):
        _check_part(
            checks.expect_object(part, f"{path}.content[{index}]"), f"{path}.content[{index}]"
        )
    calls = found.get("tool_calls")
    for index, call in enumerate(
        () if calls is None else checks.expect_list(calls, f"{path}.tool_calls")
    ):
        _check_call(checks.expect_object(call, path), f"{path}.tool_calls[{index}]")
    if role == "tool":
        checks.expect_text(found.get("tool_call_id"), f"{path}.tool_call_id")
    return found


def _check_call(call: dict[str, Any], path: str) -> None:
    function = checks.expect_object(call.get("function"), f"{path}.function")
    checks.expect_text(call.get("id"), f"{path}.id")
    checks.expect_text(function.get("name"), f"{path}.function.name")
    checks.expect_text(function.get("arguments"), f"{path}.function.arguments")


def _check_part(part: dict[str, Any], path: str) -> None:
    match part.get("type"):
        case "text":
            checks.expect_text(part.get("text"), f"{path}.text")
        case "refusal":
            checks.expect_text(part.get("refusal"), f"{path}.refusal")
        case "image_url":
            image = checks.expect_object(part.get("image_url"), f"{path}.image_url")
            checks.expect_text(image.get("url"), f"{path}.image_url.url")
            _describe(part)
        case "input_audio":
            checks.expect_object(part.get("input_audio"), f"{path}.input_audio")
        case "file":
            checks.expect_object(part.get("file"), f"{path}.file")
        case kind:
            raise Refused(f"Invalid value: {kind!r}.", param=f"{path}.type", code="invalid_value")


def _check_pairing(messages: list[dict[str, Any]]) -> None:
    """Every tool call is answered right after it, and every tool message answers a call."""
    open_calls: set[str] = set()
    for position, message in enumerate(messages):
        if message["role"] == "tool":
            if message["tool_call_id"] not in open_calls:
                raise Refused(
                    "Invalid parameter: messages with role 'tool' must be a response to a preceeding "
                    "message with 'tool_calls'.",
                    param=f"messages.[{position}].role",
                )
            open_calls.discard(message["tool_call_id"])
            continue
        if open_calls:
            break
        open_calls = {call["id"] for call in message.get("tool_calls") or ()}
    if open_calls:
        raise Refused(
            "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
            f"'tool_call_id'. The following tool_call_ids did not have response messages: {sorted(open_calls)}",
            param="messages",
        )


def _check_sampling(body: dict[str, Any]) -> None:
    checks.expect_number(body.get("temperature"), "temperature", low=0, high=2)
    checks.expect_number(body.get("top_p"), "top_p", low=0, high=1)
    checks.expect_number(body.get("frequency_penalty"), "frequency_penalty", low=-2, high=2)
    checks.expect_number(body.get("presence_penalty"), "presence_penalty", low=-2, high=2)
    checks.expect_whole(_given(body, "seed", 0), "seed", low=-(2**63), high=2**63)


def _read_segments(body: dict[str, Any], messages: list[dict[str, Any]]) -> Iterator[Segment]:
    if body.get("tools"):
        yield Segment(orjson.dumps(body["tools"]).decode())
    for message in messages:
        yield Segment(_join_texts(message.get("content")))
        for part in _attachments(message.get("content")):
            yield Segment(stand_in(orjson.dumps(part).decode()))
        for call in message.get("tool_calls") or ():
            yield Segment(call["function"]["name"] + call["function"]["arguments"])


def _join_texts(content: Any, *, separator: str = "") -> str:
    if isinstance(content, str):
        return content
    parts = (part.get("text", part.get("refusal")) for part in content or ())
    return separator.join(text for text in parts if isinstance(text, str))


def _attachments(content: Any) -> list[dict[str, Any]]:
    if not isinstance(content, list):
        return []
    return [part for part in content if part["type"] in ("image_url", "input_audio", "file")]


def _describe(part: dict[str, Any]) -> str:
    if part["type"] == "input_audio":
        return f"audio {part['input_audio'].get('format')}"
    if part["type"] == "file":
        return f"file {part['file'].get('filename') or part['file'].get('file_id')}"
    url: str = part["image_url"]["url"]
    if not url.startswith("data:"):
        return f"image {url}"
    kind, separator, data = url.removeprefix("data:").partition(";base64,")
    if not separator:
        raise Refused("Invalid base64 image_url.", code="invalid_base64")
    return f"image {kind} of {checks.count_base64(data, 'image_url.url')} bytes"


def _read_tools(body: dict[str, Any]) -> tuple[Tool, ...]:
    if body.get("tools") is None:
        return ()
    tools = []
    for index, tool in enumerate(checks.expect_list(body["tools"], "tools")):
        path = f"tools[{index}]"
        function = checks.expect_object(
            checks.expect_object(tool, path).get("function"), f"{path}.function"
        )
        name = checks.expect_text(function.get("name"), f"{path}.function.name")
        tools.append(Tool(name, function.get("parameters")))
    if not tools:
        raise Refused("Invalid 'tools': empty array.", param="tools", code="empty_array")
    return tuple(tools)


def _read_tool_choice(choice: Any, tools: tuple[Tool, ...]) -> tuple[Any, str | None]:
    if choice is None:
        return "auto", None
    if not tools:
        raise Refused(
            "'tool_choice' is only allowed when 'tools' are specified.", param="tool_choice"
        )
    if choice in ("auto", "none", "required"):
        return choice, None
    function = checks.expect_object(
        checks.expect_object(choice, "tool_choice").get("function"), "tool_choice"
    )
    name = checks.expect_text(function.get("name"), "tool_choice.function.name")
    if name not in {tool.name for tool in tools}:
        raise Refused(f"Tool choice {name!r} not found in 'tools' parameter.", param="tool_choice")
    return "required", name


def _read_tool_results(messages: list[dict[str, Any]]) -> tuple[ToolResult, ...]:
    results: list[ToolResult] = []
    for message in reversed(messages):
        if message["role"] != "tool":
            break
        results.insert(0, ToolResult(message["tool_call_id"], _join_texts(message["content"])))
    return tuple(results)


def _read_response_format(given: Any) -> tuple[bool, Any]:
    if given is None:
        return False, None
    match checks.expect_object(given, "response_format").get("type"):
        case "text":
            return False, None
        case "json_object":
            return True, None
        case "json_schema":
            named = checks.expect_object(given.get("json_schema"), "response_format.json_schema")
            checks.expect_text(named.get("name"), "response_format.json_schema.name")
            return True, named.get("schema")
        case kind:
            raise Refused(
                f"Invalid value: {kind!r}.", param="response_format.type", code="invalid_value"
            )


def _read_effort(body: dict[str, Any]) -> str | None:
    """OpenAI's ``reasoning_effort``, or the ``reasoning`` object of OpenRouter and xAI."""
    reasoning = body.get("reasoning")
    effort = body.get("reasoning_effort")
    if effort is None and isinstance(reasoning, dict) and reasoning.get("enabled") is not False:
        effort = reasoning.get("effort") or ("medium" if reasoning else None)
    if effort is None:
        return None
    if checks.expect_text(effort, "reasoning_effort") not in EFFORTS:
        raise Refused(f"Invalid value: {effort!r}.", param="reasoning_effort", code="invalid_value")
    return None if effort in NO_REASONING else str(effort)


def _read_limit(body: dict[str, Any]) -> int | None:
    for name in ("max_completion_tokens", "max_tokens"):
        if body.get(name) is not None:
            return checks.expect_whole(body[name], name)
    return None


def read_stops(stop: Any) -> tuple[str, ...]:
    if stop is None:
        return ()
    if isinstance(stop, str):
        return (stop,)
    return tuple(checks.expect_text(one, "stop") for one in checks.expect_list(stop, "stop"))


def read_include_usage(options: Any, *, stream: bool) -> bool:
    if options is None:
        return not stream
    if not stream:
        raise Refused(
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
            param="stream_options",
        )
    return bool(checks.expect_object(options, "stream_options").get("include_usage"))


def _read_logprobs(body: dict[str, Any]) -> int | None:
    top = body.get("top_logprobs")
    if not body.get("logprobs"):
        if top:
            raise Refused("'top_logprobs' needs 'logprobs' to be true.", param="top_logprobs")
        return None
    return 0 if top is None else checks.expect_whole(top, "top_logprobs", low=0, high=20)
