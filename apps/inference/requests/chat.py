"""The body of ``POST /v1/chat/completions``.

Fields are those of OpenAI's API reference (https://platform.openai.com/docs/api-reference/chat/create). Unknown fields
are not looked at here and travel on.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from apps.inference.requests.common import RequestFacts, check, encoded_bytes, text_size, tool_bytes

Tokens = Annotated[int, Meta(ge=1)]
Penalty = Annotated[float, Meta(ge=-2, le=2)]


class ImageUrl(msgspec.Struct):
    url: str
    detail: str | None = None


class Part(msgspec.Struct):
    type: str
    text: str | None = None
    image_url: ImageUrl | None = None
    file: dict[str, msgspec.Raw] | None = None
    input_audio: dict[str, msgspec.Raw] | None = None


class FunctionCall(msgspec.Struct):
    name: str
    arguments: str = ""


class ToolCall(msgspec.Struct):
    id: str
    type: str = "function"
    function: FunctionCall | None = None


class Message(msgspec.Struct):
    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[Part] | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None
    name: str | None = None


class StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


class ResponseFormat(msgspec.Struct):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: dict[str, msgspec.Raw] | None = None


class ChatBody(msgspec.Struct):
    model: Annotated[str, Meta(min_length=1)]
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
    seed: int | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    logit_bias: dict[str, float] | None = None
    response_format: ResponseFormat | None = None
    tools: list[dict[str, msgspec.Raw]] | None = None
    tool_choice: str | dict[str, msgspec.Raw] | None = None
    parallel_tool_calls: bool | None = None
    reasoning_effort: str | None = None
    user: str | None = None


def read_chat(raw: bytes) -> RequestFacts:
    """Check a chat completion request. Raises InvalidRequest naming the field."""
    body = check(raw, ChatBody)
    size = images = 0
    for message in body.messages:
        if isinstance(message.content, str):
            size += text_size(message.content)
        elif message.content:
            for part in message.content:
                size += text_size(part.text or "")
                size += encoded_bytes(part.file or {}) + encoded_bytes(part.input_audio or {})
                images += part.image_url is not None
        for call in message.tool_calls or ():
            size += text_size(call.function.arguments) if call.function else 0
    if body.response_format and body.response_format.json_schema:
        size += tool_bytes(body.response_format.json_schema.values())
    for tool in body.tools or ():
        size += tool_bytes(tool.values())
    return RequestFacts(
        model=body.model,
        stream=bool(body.stream),
        include_usage=bool(body.stream_options and body.stream_options.include_usage),
        text_bytes=size,
        images=images,
        max_output_tokens=body.max_completion_tokens or body.max_tokens,
        choices=body.n or 1,
        reasoning=body.reasoning_effort not in {None, "none"},
    )
