"""The body of ``POST /v1/chat/completions``.

Fields are those of OpenAI's API reference (https://platform.openai.com/docs/api-reference/chat/create). Unknown fields
are not looked at here and travel on, and so do parts and tools of an unknown type: what a type needs is in the tables.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from apps.inference.requests.common import (
    FORMAT_ABILITIES,
    Integer,
    Name,
    RequestFacts,
    Size,
    Tokens,
    check,
    encoded_bytes,
    is_null,
    is_text,
    lacks,
    missing,
    text_size,
    tool_bytes,
    wrong_type,
)
from apps.inference.tags import of_metadata

Penalty = Annotated[float, Meta(ge=-2, le=2)]

MESSAGE_NEEDS: dict[str, tuple[str, ...]] = {
    "system": ("content",),
    "developer": ("content",),
    "user": ("content",),
    "assistant": (),
    "tool": ("tool_call_id", "content"),
    "function": ("name",),
}
PART_NEEDS: dict[str, tuple[str, ...]] = {
    "text": ("text",),
    "refusal": ("refusal",),
    "image_url": ("image_url",),
    "input_audio": ("input_audio",),
    "file": ("file",),
}
TOOL_NEEDS: dict[str, tuple[str, ...]] = {"function": ("function",), "custom": ("custom",)}
"""Also what a call of a tool needs, and a choice of one."""
FORMAT_NEEDS: dict[str, tuple[str, ...]] = {"json_schema": ("json_schema",)}
FILE_TEXTS = ("file_id", "filename", "file_data")


class ImageUrl(msgspec.Struct):
    url: Name
    detail: str | None = None


class InputAudio(msgspec.Struct):
    data: msgspec.Raw
    format: str


class Part(msgspec.Struct):
    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: ImageUrl | None = None
    file: dict[str, msgspec.Raw] | None = None
    input_audio: InputAudio | None = None


class FunctionCall(msgspec.Struct):
    name: Name
    arguments: str


class CustomCall(msgspec.Struct):
    name: Name
    input: str


class ToolCall(msgspec.Struct):
    id: str
    type: str = "function"
    function: FunctionCall | None = None
    custom: CustomCall | None = None


class Message(msgspec.Struct):
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[Part] | None = None
    tool_calls: list[ToolCall] | None = None
    function_call: FunctionCall | None = None
    tool_call_id: str | None = None
    name: str | None = None


class Function(msgspec.Struct):
    name: Name
    description: str | None = None
    parameters: dict[str, msgspec.Raw] | None = None
    strict: bool | None = None


class Custom(msgspec.Struct):
    name: Name
    description: str | None = None
    format: dict[str, msgspec.Raw] | None = None


class Tool(msgspec.Struct):
    type: str
    function: Function | None = None
    custom: Custom | None = None


class Named(msgspec.Struct):
    name: Name


class ToolChoice(msgspec.Struct):
    type: str
    function: Named | None = None
    custom: Named | None = None


class StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class JsonSchema(msgspec.Struct):
    name: Name
    description: str | None = None
    schema: dict[str, msgspec.Raw] | None = None
    strict: bool | None = None


class ResponseFormat(msgspec.Struct):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None


class Audio(msgspec.Struct):
    voice: str | dict[str, msgspec.Raw]
    """By name, or an object with the id of a voice of the customer's own."""
    format: str


class Prediction(msgspec.Struct):
    type: str
    content: str | list[Part]


class WebSearchOptions(msgspec.Struct):
    search_context_size: str | None = None
    user_location: dict[str, msgspec.Raw] | None = None


class ChatBody(msgspec.Struct):
    model: Name
    messages: Annotated[list[Message], Meta(min_length=1)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Tokens | None = None
    max_completion_tokens: Tokens | None = None
    n: Annotated[int, Meta(ge=1, le=128)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    frequency_penalty: Penalty | None = None
    presence_penalty: Penalty | None = None
    stop: str | list[str] | None = None
    seed: Integer | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    logit_bias: dict[str, float] | None = None
    response_format: ResponseFormat | None = None
    tools: list[Tool] | None = None
    tool_choice: str | ToolChoice | None = None
    functions: list[Function] | None = None
    function_call: str | Named | None = None
    """These two are what tools were called at first."""
    parallel_tool_calls: bool | None = None
    reasoning_effort: str | None = None
    reasoning: Any = None
    """OpenRouter's object; hosts have other meanings for the word."""
    verbosity: str | None = None
    modalities: list[str] | None = None
    audio: Audio | None = None
    prediction: Prediction | None = None
    web_search_options: WebSearchOptions | None = None
    metadata: dict[str, str] | None = None
    store: bool | None = None
    service_tier: str | None = None
    user: str | None = None


def read_chat(raw: bytes) -> RequestFacts:
    """Check a chat completion request. Raises InvalidRequest naming the field."""
    body = check(raw, ChatBody)
    size = Size()
    for index, message in enumerate(body.messages):
        content = message.content
        if name := lacks(message, MESSAGE_NEEDS[message.role]):
            raise missing(f"messages[{index}].{name}")
        if isinstance(content, str):
            size.text += text_size(content)
        elif content:
            _measure_parts(content, f"messages[{index}].content", size)
        if message.tool_calls:
            size.text += _calls_size(message.tool_calls, f"messages[{index}].tool_calls")
        elif message.function_call:
            size.text += text_size(message.function_call.arguments)
    if body.tools:
        size.text += _tools_size(body.tools)
    for function in body.functions or ():
        size.text += _function_size(function)
    for modality in body.modalities or ():
        if modality != "text":
            size.needs.add(f"{modality}_output")
    if body.tools or body.functions:
        size.needs.add("tools")
    if body.response_format:
        size.text += _format_size(body.response_format)
        if need := FORMAT_ABILITIES.get(body.response_format.type):
            size.needs.add(need)
    if isinstance(choice := body.tool_choice, ToolChoice) and (
        name := lacks(choice, TOOL_NEEDS.get(choice.type, ()))
    ):
        raise missing(f"tool_choice.{name}")
    effort = body.reasoning_effort or _effort_within(body.reasoning)
    return RequestFacts(
        model=body.model,
        stream=bool(body.stream),
        include_usage=bool(body.stream_options and body.stream_options.include_usage),
        text_bytes=size.whole,
        guessed_bytes=size.guessed,
        images=size.images,
        max_output_tokens=body.max_completion_tokens or body.max_tokens,
        choices=body.n or 1,
        reasoning=effort not in {None, "none"},
        is_thoughtless=effort == "none",
        needs=frozenset(size.needs),
        tag=of_metadata(body.metadata),
    )


def _effort_within(reasoning: Any) -> str | None:
    """A budget, or ``enabled`` alone, is some effort."""
    if not isinstance(reasoning, dict):
        return None
    if reasoning.get("enabled") is False:
        return "none"
    effort = reasoning.get("effort")
    if isinstance(effort, str):
        return effort
    return "medium" if reasoning.get("max_tokens") or reasoning.get("enabled") else None


def _measure_parts(parts: list[Part], at: str, size: Size) -> None:
    for index, part in enumerate(parts):
        if part.type == "text" and part.text is not None:  # nearly every part
            size.text += text_size(part.text)
            continue
        if name := lacks(part, PART_NEEDS.get(part.type, ())):
            raise missing(f"{at}[{index}].{name}")
        size.text += text_size(part.text or "")
        if part.file is not None:
            size.guessed += _file_size(part.file, f"{at}[{index}].file")
            size.needs.add("file")
        if part.input_audio:
            if not is_text(part.input_audio.data):
                raise wrong_type(f"{at}[{index}].input_audio.data", "str")
            size.guessed += encoded_bytes([part.input_audio.data])
            size.needs.add("audio")
        if part.image_url is not None:
            size.images += 1
            size.needs.add("image")
        elif part.type == "video_url":
            size.needs.add("video")


def _file_size(file: dict[str, msgspec.Raw], at: str) -> int:
    if file.keys() <= {"filename"}:
        raise missing(f"{at}.file_data")
    for name in FILE_TEXTS:
        if name in file and not is_text(file[name]) and not is_null(file[name]):
            raise wrong_type(f"{at}.{name}", "str")
    return encoded_bytes(file.values())


def _calls_size(calls: list[ToolCall], at: str) -> int:
    size = 0
    for index, call in enumerate(calls):
        if name := lacks(call, TOOL_NEEDS.get(call.type, ())):
            raise missing(f"{at}[{index}].{name}")
        if call.function:
            size += text_size(call.function.arguments)
        if call.custom:
            size += text_size(call.custom.input)
    return size


def _tools_size(tools: list[Tool]) -> int:
    size = 0
    for index, tool in enumerate(tools):
        if name := lacks(tool, TOOL_NEEDS.get(tool.type, ())):
            raise missing(f"tools[{index}].{name}")
        if function := tool.function:
            size += _function_size(function)
        if custom := tool.custom:
            size += text_size(custom.name) + text_size(custom.description or "")
            size += tool_bytes(custom.format)
    return size


def _function_size(function: Function) -> int:
    described = text_size(function.name) + text_size(function.description or "")
    return described + tool_bytes(function.parameters)


def _format_size(wanted: ResponseFormat) -> int:
    if name := lacks(wanted, FORMAT_NEEDS.get(wanted.type, ())):
        raise missing(f"response_format.{name}")
    described = wanted.json_schema
    if described is None:
        return 0
    return (
        text_size(described.name)
        + text_size(described.description or "")
        + tool_bytes(described.schema)
    )
