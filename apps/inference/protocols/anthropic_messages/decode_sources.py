"""Sources that a Messages client lets Claude cite, made of text blocks: no other wire knows them, but all know text.

https://docs.claude.com/en/docs/build-with-claude/search-results and …/citations#custom-content-documents
The block itself stays as it is for Anthropic's own hosts.
"""

from apps.catalog.providers.spec import Wire
from apps.inference.canonical.events import Opaque
from apps.inference.canonical.fields import Fields

_PARAGRAPH = "\n\n"


def decode_search_result(block: Fields) -> Opaque:
    """Raises InvalidRequest naming the field when the block is not as documented."""
    head = [block.required_text("title"), block.required_text("source")]
    block.require("content")
    return _source(block, head, block.objects("content"))


def decode_nested_document(block: Fields) -> Opaque:
    """A document whose source is text, or blocks. Raises InvalidRequest naming the field."""
    head = [block.text("title") or "", block.text("context") or ""]
    source = block.required_object("source")
    source.require("content")
    if isinstance(source.body["content"], str):
        return _source(block, [*head, source.required_text("content")], [])
    return _source(block, head, source.objects("content"))


def _source(block: Fields, head: list[str], pieces: list[Fields]) -> Opaque:
    texts = list(head)
    lost = [key for key in ("citations", "cache_control") if block.body.get(key) is not None]
    for piece in pieces:
        if piece.required_text("type") == "text":
            texts.append(piece.required_text("text"))
        else:
            lost.append(piece.required_text("type"))
    return Opaque(
        Wire.ANTHROPIC_MESSAGES, block.body, _PARAGRAPH.join(filter(None, texts)), tuple(lost)
    )
