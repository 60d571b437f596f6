"""The body of ``POST /v1/responses``.

Fields are those of OpenAI's API reference (https://platform.openai.com/docs/api-reference/responses/create). Unknown
fields are not looked at here and travel on, and so do items, parts and tools of an unknown type: what a type needs is in the
tables. What this gateway cannot do is refused by name, on whichever lane the request would go.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from apps.common.errors import InvalidRequest
from apps.inference.requests.common import (
    FORMAT_ABILITIES,
    Name,
    RequestFacts,
    Size,
    Tokens,
    check,
    encoded_bytes,
    lacks,
    missing,
    text_size,
    tool_bytes,
)
from apps.inference.tags import of_metadata

ITEM_NEEDS: dict[str, tuple[str, ...]] = {
    "message": ("role", "content"),
    "function_call": ("call_id", "name", "arguments"),
    "function_call_output": ("call_id", "output"),
    "custom_tool_call": ("call_id", "name", "input"),
    "custom_tool_call_output": ("call_id", "output"),
    "item_reference": ("id",),
}
PART_NEEDS: dict[str, tuple[str, ...]] = {
    "input_text": ("text",),
    "output_text": ("text",),
    "summary_text": ("text",),
    "reasoning_text": ("text",),
    "refusal": ("refusal",),
}
TOOL_NEEDS: dict[str, tuple[str, ...]] = {
    "function": ("name",),
    "custom": ("name",),
    "namespace": ("name", "tools"),
}
"""Also what a choice of one needs. Tools of another type run at OpenAI, which knows what they need."""
FORMAT_NEEDS: dict[str, tuple[str, ...]] = {"json_schema": ("schema",)}
NOT_OFFERED = {
    "prompt": "names a template that is stored at OpenAI; send its text",
    "conversation": "names a stored conversation; send 'previous_response_id', or the items themselves",
}


class Part(msgspec.Struct):
    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: str | None = None
    file_id: str | None = None
    file_url: str | None = None
    file_data: str | None = None


class Item(msgspec.Struct):
    type: str | None = None
    """Absent in an easy message."""
    id: str | None = None
    role: Literal["user", "assistant", "system", "developer"] | None = None
    content: str | list[Part] | dict[str, msgspec.Raw] | None = None
    summary: list[Part] | None = None
    call_id: Name | None = None
    name: Name | None = None
    arguments: Any = None
    input: Any = None
    output: Any = None
    """These three are texts, or parts, in items that we know, and whatever they like in those of OpenAI's own tools."""


class Tool(msgspec.Struct):
    type: str
    name: Name | None = None
    description: str | None = None
    parameters: dict[str, msgspec.Raw] | None = None
    format: dict[str, msgspec.Raw] | None = None
    tools: "list[Tool] | None" = None
    """Of a namespace."""


class ToolChoice(msgspec.Struct):
    type: str
    name: Name | None = None


class Format(msgspec.Struct):
    type: str
    schema: dict[str, msgspec.Raw] | None = None


class TextConfig(msgspec.Struct):
    format: Format | None = None
    verbosity: str | None = None


class Reasoning(msgspec.Struct):
    effort: str | None = None
    summary: str | None = None


class ResponsesBody(msgspec.Struct):
    model: Name
    input: str | list[Item]
    instructions: str | None = None
    previous_response_id: Name | None = None
    store: bool | None = None
    stream: bool | None = None
    max_output_tokens: Tokens | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(ge=0, le=1)] | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    tools: list[Tool] | None = None
    tool_choice: str | ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    max_tool_calls: Tokens | None = None
    reasoning: Reasoning | None = None
    text: TextConfig | None = None
    include: list[str] | None = None
    metadata: dict[str, str] | None = None
    truncation: Literal["auto", "disabled"] | None = None
    context_management: Any = None
    """As ``truncation``, a word to the provider about a conversation that is too long."""
    service_tier: str | None = None
    background: bool | None = None
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    prompt: Any = None
    conversation: Any = None


def read_responses(raw: bytes) -> RequestFacts:
    """Check a request for a response. Raises InvalidRequest naming the field."""
    body = check(raw, ResponsesBody)
    _refuse_what_is_not_offered(body)
    size = _input_size(body.input)
    size.text += text_size(body.instructions or "")
    if body.tools:
        size.text += _tools_size(body.tools)
        size.needs.add("tools")
    if isinstance(choice := body.tool_choice, ToolChoice) and (
        name := lacks(choice, TOOL_NEEDS.get(choice.type, ()))
    ):
        raise missing(f"tool_choice.{name}")
    if body.text and body.text.format:
        size.text += _format_size(body.text.format)
        if need := FORMAT_ABILITIES.get(body.text.format.type):
            size.needs.add(need)
    is_cut = body.truncation == "auto" or body.context_management is not None
    effort = body.reasoning.effort if body.reasoning else None
    return RequestFacts(
        model=body.model,
        stream=bool(body.stream),
        include_usage=True,
        text_bytes=size.whole,
        guessed_bytes=size.whole if is_cut else size.guessed,
        images=size.images,
        max_output_tokens=body.max_output_tokens,
        choices=1,
        reasoning=effort not in {None, "none"},
        is_thoughtless=effort == "none",
        needs=frozenset(size.needs),
        tag=of_metadata(body.metadata),
    )


def _refuse_what_is_not_offered(body: ResponsesBody) -> None:
    for name, problem in NOT_OFFERED.items():
        if getattr(body, name) is not None:
            raise InvalidRequest(f"'{name}' {problem}.", param=name, code="invalid_value")
    if body.background:
        raise InvalidRequest(
            "'background' must be false: answers are given at once, streamed or whole.",
            param="background",
            code="invalid_value",
        )
    if not body.input:
        raise InvalidRequest("'input' must not be empty.", param="input", code="invalid_value")


def _input_size(given: str | list[Item]) -> Size:
    size = Size()
    if isinstance(given, str):
        size.text += text_size(given)
        return size
    for index, item in enumerate(given):
        at = f"input[{index}]"
        if name := lacks(item, ITEM_NEEDS.get(item.type or "message", ())):
            raise missing(f"{at}.{name}")
        size.text += _call_size(item, at)
        # Thoughts of earlier turns are not read again: https://platform.openai.com/docs/guides/reasoning
        within = Size() if item.type == "reasoning" else size
        for name, content in (("content", item.content), ("summary", item.summary)):
            _measure(content, f"{at}.{name}", within)
        if within is not size:
            size.guessed += within.whole
        _measure_output(item, f"{at}.output", size)
    return size


def _call_size(item: Item, at: str) -> int:
    size = 0
    for name in ITEM_NEEDS.get(item.type or "", ()):
        if name not in ("arguments", "input"):
            continue
        if not isinstance(text := getattr(item, name), str):
            raise InvalidRequest(
                f"'{at}.{name}' must be a string.", param=f"{at}.{name}", code="invalid_type"
            )
        size += text_size(text)
    return size


def _measure_output(item: Item, at: str, size: Size) -> None:
    if item.type not in ("function_call_output", "custom_tool_call_output"):
        if item.output is not None:  # of OpenAI's own tools: pictures of a screen, for one
            size.guessed += len(msgspec.json.encode(item.output))
        return
    try:
        content = msgspec.convert(item.output, str | list[Part])
    except msgspec.ValidationError as error:
        raise InvalidRequest(
            f"'{at}' must be a string or an array of parts.", param=at, code="invalid_type"
        ) from error
    _measure(content, at, size)


def _measure(
    content: str | list[Part] | dict[str, msgspec.Raw] | None, at: str, size: Size
) -> None:
    if isinstance(content, str):
        size.text += text_size(content)
        return
    if isinstance(content, dict):
        size.text += tool_bytes(content)
        return
    for index, part in enumerate(content or ()):
        if part.text is not None:  # nearly every part
            size.text += text_size(part.text)
            continue
        if name := lacks(part, PART_NEEDS.get(part.type, ())):
            raise missing(f"{at}[{index}].{name}")
        size.text += text_size(part.refusal or "")
        if part.type == "input_image":
            if not part.image_url and not part.file_id:
                raise missing(f"{at}[{index}].image_url")
            size.images += 1
            size.needs.add("image")
        elif part.type == "input_file":
            if not part.file_data and not part.file_url and not part.file_id:
                raise missing(f"{at}[{index}].file_data")
            size.guessed += encoded_bytes([msgspec.Raw(part.file_data or "")])
            size.needs.add("file")


def _tools_size(tools: list[Tool], at: str = "tools") -> int:
    size = 0
    for index, tool in enumerate(tools):
        if name := lacks(tool, TOOL_NEEDS.get(tool.type, ())):
            raise missing(f"{at}[{index}].{name}")
        if tool.tools:
            size += _tools_size(tool.tools, f"{at}[{index}].tools")
        size += text_size(tool.name or "") + text_size(tool.description or "")
        size += tool_bytes(tool.parameters) + tool_bytes(tool.format)
    return size


def _format_size(wanted: Format) -> int:
    if name := lacks(wanted, FORMAT_NEEDS.get(wanted.type, ())):
        raise missing(f"text.format.{name}")
    return tool_bytes(wanted.schema)
