"""The verbatim lane of Anthropic's messages: what is changed in the request. The stream is in ``verbatim_streams``."""

from apps.catalog.providers.spec import Wire
from apps.inference.canonical.signatures import own_signature
from apps.inference.relay import Json


def messages_body(body: Json) -> Json:
    """The body without the thinking and the citations of other wires, which a client of this one has from us.

    Whatever the cover proves, a thought, a text or a call, nobody but its maker can read it.
    """
    messages = body.get("messages")
    if not isinstance(messages, list):
        return body
    own = [kept for message in messages if (kept := _own_message(message))]
    return {**body, "messages": own}


def _own_message(message: Json) -> Json:
    """Empty when nothing is left of it: Anthropic refuses a message without content."""
    content = message.get("content")
    if not isinstance(content, list) or not content:
        return message
    if (
        message.get("role") == "assistant"
    ):  # pictures of another model: Claude's own turns hold none
        content = [block for block in content if block.get("type") != "image"]
    own = [kept for block in content if (kept := _own_block(block))]
    return {**message, "content": own} if own else {}


def _own_block(block: Json) -> Json:
    if block.get("type") == "text" and block.get("citations"):
        return _own_citations(block)
    signature = block.get("signature") if block.get("type") == "thinking" else None
    if not isinstance(signature, str):
        return block
    own = own_signature(signature, Wire.ANTHROPIC_MESSAGES)
    return {} if own is None else {**block, "signature": own}


def _own_citations(block: Json) -> Json:
    """The text without citations that lack Anthropic's index: another wire's model made them."""
    citations = block["citations"]
    if not isinstance(citations, list):
        return block
    own = [
        one for one in citations if not isinstance(one, dict) or one.get("encrypted_index") != ""
    ]
    rest = {key: value for key, value in block.items() if key != "citations"}
    return {**rest, "citations": own} if own else rest
