"""A whole Responses answer, in both directions.

https://platform.openai.com/docs/api-reference/responses/object (2026-07)
Annotations other than citations of the web, log probabilities and the results of OpenAI's own tools travel in the verbatim lane only.
"""

from collections.abc import Mapping, Sequence
from typing import Any, assert_never

from apps.catalog.providers.spec import Wire
from apps.common.usage import Usage
from apps.inference.canonical.citations import read_citations
from apps.inference.canonical.codec import AnswerIdentity, Json, PriceUsage
from apps.inference.canonical.content import Block, Reasoning, Refusal, Text, ToolCall
from apps.inference.canonical.events import BlockKind, FinishReason, Opaque, UpstreamError
from apps.inference.canonical.failures import ErrorInsteadOfAnswer, MalformedUpstream
from apps.inference.canonical.media import foreign_pictures
from apps.inference.canonical.response import ChatResponse, settled_finish
from apps.inference.canonical.signatures import redacted_carrier
from apps.inference.canonical.text_tools import to_arguments
from apps.inference.protocols.openai_responses.items import ItemWriter, message, part_of
from apps.inference.protocols.openai_responses.usage import decode_usage, encode_usage

GIVEN_UP = ("failed", "cancelled")
"""What the status says of a response that its host did not end; vLLM says so even in a ``response.completed``."""

PARAGRAPH = "\n\n"
"""Between the parts of a summary, which other wires show as one text."""

_DEFAULTS: Json = {
    "background": False,
    "instructions": None,
    "max_output_tokens": None,
    "max_tool_calls": None,
    "metadata": {},
    "parallel_tool_calls": True,
    "previous_response_id": None,
    "prompt_cache_key": None,
    "reasoning": {"effort": None, "summary": None},
    "safety_identifier": None,
    "service_tier": "default",
    "store": True,
    "temperature": 1.0,
    "text": {"format": {"type": "text"}},
    "tool_choice": "auto",
    "tools": [],
    "top_logprobs": 0,
    "top_p": 1.0,
    "truncation": "disabled",
    "user": None,
}
"""What a response repeats of its request, and what it says when the request did not."""

_INCOMPLETE = {
    "max_output_tokens": FinishReason.LENGTH,
    "content_filter": FinishReason.CONTENT_FILTER,
}
_INCOMPLETE_OUT = {reason: word for word, reason in _INCOMPLETE.items()}


def echo(body: Mapping[str, Any]) -> Json:
    """The fields of a client's request that its answer repeats."""
    found = {name: value for name in _DEFAULTS if (value := body.get(name)) is not None}
    if "text" in found:
        found["text"] = _DEFAULTS["text"] | found["text"]
    if "reasoning" in found:
        found["reasoning"] = _DEFAULTS["reasoning"] | found["reasoning"]
    if "tools" in found:
        found["tools"] = [_echo_tool(tool) for tool in found["tools"]]
    return found


def _echo_tool(tool: Json) -> Json:
    """The official SDK's type of a function wants these two, which a request may leave out."""
    if tool.get("type") != "function":
        return tool
    return {"parameters": None, "strict": None, **tool}


def decode_response(body: Json) -> ChatResponse:
    """Raises MalformedUpstream when the body is not of this wire, ErrorInsteadOfAnswer when it reports an error."""
    if (error := reported_error(body)) is not None:
        raise ErrorInsteadOfAnswer(error)
    try:
        blocks = tuple(block for item in body["output"] for block in _decode_item(item))
        calls_tools = any(isinstance(block, ToolCall) for block in blocks)
        finish = decode_finish(body, calls_tools=calls_tools)
    except (AttributeError, KeyError, TypeError) as wrong:
        raise MalformedUpstream(f"not a response: {wrong!r}") from wrong
    return ChatResponse(
        id=str(body.get("id") or ""),
        model=str(body.get("model") or ""),
        blocks=blocks,
        finish=finish,
        usage=decode_usage(body.get("usage")),
        usage_reported=bool(body.get("usage")),
    )


def decode_finish(response: Json, *, calls_tools: bool) -> FinishReason | None:
    """None when the response is not at its end."""
    match response.get("status"):
        case "completed":
            return settled_finish(FinishReason.STOP, has_tool_calls=calls_tools)
        case "incomplete":
            details = response.get("incomplete_details") or {}
            return _INCOMPLETE.get(str(details.get("reason")), FinishReason.LENGTH)
        case _:
            return None


def reported_error(body: Json) -> UpstreamError | None:
    error = body.get("error")
    if not error and body.get("status") not in GIVEN_UP:
        return None
    if not isinstance(error, dict):
        return UpstreamError(str(body.get("status") or ""), str(error or ""))
    code = error.get("code") or error.get("type") or ""
    return UpstreamError(str(code), str(error.get("message") or ""))


def _decode_item(item: Json) -> list[Block]:
    match item["type"]:
        case "message":
            return [block for part in item["content"] for block in _decode_part(part)]
        case "reasoning":
            text = PARAGRAPH.join(filter(None, reasoning_texts(item)))
            signature = text_of(item.get("encrypted_content") or "")
            origin = Wire.OPENAI_RESPONSES if signature else None
            thought = Reasoning(text=text, signature=signature, origin=origin)
            return [thought] if text or signature else []
        case "function_call":
            arguments = text_of(item["arguments"])
            return [ToolCall(id=str(item["call_id"]), name=str(item["name"]), arguments=arguments)]
        case "custom_tool_call":
            arguments = to_arguments(text_of(item["input"]))
            return [ToolCall(id=str(item["call_id"]), name=str(item["name"]), arguments=arguments)]
        case _:
            return [Opaque(Wire.OPENAI_RESPONSES, item)]


def _decode_part(part: Json) -> list[Block]:
    match part["type"]:
        case "output_text":
            citations = read_citations(part.get("annotations"))
            return [Text(text_of(part["text"]), citations=citations)]
        case "refusal":
            return [Refusal(text_of(part["refusal"]))]
        case _:
            return []


def reasoning_texts(item: Json) -> list[str]:
    """Summaries, or the reasoning itself, which open-weight models show."""
    parts = [*(item.get("summary") or ()), *(item.get("content") or ())]
    return [text_of(part["text"]) for part in parts]


def text_of(value: Any) -> str:
    if type(value) is not str:
        raise TypeError("a text is not a string")
    return value


def encode_response(
    response: ChatResponse, *, identity: AnswerIdentity, usage: Usage, price: PriceUsage
) -> Json:
    return final_response(
        identity,
        output=_encode_blocks(response.blocks, response.finish, identity=identity),
        finish=response.finish,
        usage=encode_usage(usage, price=price),
    )


def final_response(
    identity: AnswerIdentity, *, output: list[Json], finish: FinishReason | None, usage: Json
) -> Json:
    reason = _INCOMPLETE_OUT.get(finish) if finish else None
    return response_object(
        identity,
        status="incomplete" if reason else "completed",
        output=output,
        incomplete_details={"reason": reason} if reason else None,
        usage=usage,
    )


def response_object(
    identity: AnswerIdentity, *, status: str, output: list[Json], **more: Any
) -> Json:
    """The response in one of its states; ``more`` replaces what is null in most of them."""
    return {
        "id": identity.id,
        "object": "response",
        "created_at": identity.created,
        "status": status,
        "error": None,
        "incomplete_details": None,
        **_DEFAULTS,
        **identity.echo,
        "model": identity.model,
        "output": output,
        "usage": None,
        **more,
    }


def last_status(finish: FinishReason | None) -> str:
    """The status of an answer's last item: the one in which it was cut."""
    return "incomplete" if finish in _INCOMPLETE_OUT else "completed"


def _encode_blocks(
    blocks: Sequence[Block], finish: FinishReason | None, *, identity: AnswerIdentity
) -> list[Json]:
    writer = ItemWriter(identity)
    items: list[Json] = []
    for block in blocks:
        if isinstance(block, Opaque):
            items += encode_media(block, writer, position=len(items))
            continue
        if isinstance(block, ToolCall) and block.signature and block.origin is not None:
            kind = BlockKind.TOOL_CALL
            items.append(writer.carrier(len(items), block.signature, block.origin, kind))
        items.append(_encode_block(block, writer, position=len(items)))
        if isinstance(block, Text) and block.signature and block.origin is not None:
            items.append(writer.carrier(len(items), block.signature, block.origin, BlockKind.TEXT))
    if items and "status" in items[-1] and not isinstance(blocks[-1], Opaque):
        items[-1]["status"] = last_status(finish)
    return items


def encode_media(part: Opaque, writer: ItemWriter, *, position: int) -> list[Json]:
    """An item of ours as it is; another wire's pictures, the first of them at this place."""
    if part.wire == Wire.OPENAI_RESPONSES:
        return [dict(part.payload)]
    if proof := redacted_carrier(part, Wire.OPENAI_RESPONSES):
        item_id = writer.item_id(BlockKind.REASONING, position=position)
        return [writer.reasoning(item_id, text="", signature=proof, origin=None)]
    pictures = foreign_pictures(part, Wire.OPENAI_RESPONSES)
    return [writer.picture(position + number, one) for number, one in enumerate(pictures)]


def _encode_block(
    block: Text | Refusal | Reasoning | ToolCall, writer: ItemWriter, *, position: int
) -> Json:
    match block:
        case Text():
            part = part_of(BlockKind.TEXT, block.text, block.citations)
            return message(
                writer.item_id(BlockKind.TEXT, position=position), [part], status="completed"
            )
        case Refusal():
            part = part_of(BlockKind.REFUSAL, block.text)
            item_id = writer.item_id(BlockKind.REFUSAL, position=position)
            return message(item_id, [part], status="completed")
        case Reasoning():
            item_id = writer.item_id(BlockKind.REASONING, position=position)
            return writer.reasoning(
                item_id, text=block.text, signature=block.signature, origin=block.origin
            )
        case ToolCall():
            return writer.call(
                writer.item_id(BlockKind.TOOL_CALL, position=position, tool_name=block.name),
                call_id=writer.call_id(block.id, position=position),
                name=block.name,
                arguments=block.arguments,
                status="completed",
            )
        case _ as never:
            assert_never(never)
