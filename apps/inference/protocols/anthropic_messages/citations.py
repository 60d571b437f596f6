"""Citations of an answer's text, of which other wires know those of pages of the web.

https://docs.claude.com/en/docs/build-with-claude/citations and …/agents-and-tools/tool-use/web-search-tool
Anthropic cites with whole blocks of text, so a citation has no span.
"""

from collections.abc import Iterable
from typing import Any

from apps.inference.canonical.codec import Json
from apps.inference.canonical.events import Citation

_ADDRESSES = {"web_search_result_location": "url", "search_result_location": "source"}
_WEB = ("https://", "http://")


def decode_citations(citations: Any) -> tuple[Citation, ...]:
    """Those that name an address of the web."""
    if not isinstance(citations, list):
        return ()
    found = (decode_citation(citation) for citation in citations)
    return tuple(citation for citation in found if citation is not None)


def decode_citation(citation: Any) -> Citation | None:
    if not isinstance(citation, dict):
        return None
    url = citation.get(_ADDRESSES.get(str(citation.get("type")), ""))
    if not isinstance(url, str) or not url.startswith(_WEB):
        return None
    title, cited = citation.get("title"), citation.get("cited_text")
    return Citation(
        url=url,
        title=title if isinstance(title, str) else "",
        cited_text=cited if isinstance(cited, str) else "",
    )


def encode_citation(citation: Citation) -> Json:
    """Without Anthropic's own index, which proves that its search found the page: nobody else can make one."""
    return {
        "type": "web_search_result_location",
        "url": citation.url,
        "title": citation.title or None,
        "cited_text": citation.cited_text,
        "encrypted_index": "",
    }


def encode_citations(citations: Iterable[Citation]) -> Json:
    """The key of a text block; nothing without a citation."""
    encoded = [encode_citation(citation) for citation in citations]
    return {"citations": encoded} if encoded else {}
