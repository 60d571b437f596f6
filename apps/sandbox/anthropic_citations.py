"""What a Claude answer cites: the beginning of every document and search result that has citations enabled.

Text is cited by characters, PDF by pages, content blocks and search results by blocks.
Format: https://docs.anthropic.com/en/docs/build-with-claude/citations and /en/docs/build-with-claude/search-results
"""

from collections.abc import Iterator
from typing import Any

from apps.sandbox.wire import Refused

Block = dict[str, Any]

CITED_CHARACTERS = 40


def cite_all(blocks: list[Block]) -> tuple[Block, ...]:
    """The citations for the blocks of a whole request; documents and search results are counted apart."""
    documents = [block for block in blocks if block["type"] == "document"]
    results = [block for block in blocks if block["type"] == "search_result"]
    for kind in (documents, results):
        if len({_is_enabled(block) for block in kind}) > 1:
            raise Refused(
                "Citations must be enabled on all or none of the documents within a request."
            )
    return (*_cite_documents(documents), *_cite_results(results))


def _is_enabled(block: Block) -> bool:
    return (block.get("citations") or {}).get("enabled") is True


def _cite_documents(documents: list[Block]) -> Iterator[Block]:
    for index, document in enumerate(documents):
        if not _is_enabled(document):
            continue
        place = {"document_index": index, "document_title": document.get("title")}
        yield {**_locate(document["source"]), **place}


def _locate(source: dict[str, Any]) -> Block:
    match source["type"]:
        case "text":
            cited = source["data"][:CITED_CHARACTERS]
            span = {"start_char_index": 0, "end_char_index": len(cited)}
            return {"type": "char_location", "cited_text": cited, **span}
        case "content":
            content = source["content"]
            cited = content if isinstance(content, str) else content[0].get("text", "")
            blocks = {"start_block_index": 0, "end_block_index": 1}
            return {"type": "content_block_location", "cited_text": cited, **blocks}
    pages = {"start_page_number": 1, "end_page_number": 2}
    return {"type": "page_location", "cited_text": "The first page.", **pages}


def _cite_results(results: list[Block]) -> Iterator[Block]:
    for index, result in enumerate(results):
        if _is_enabled(result):
            yield {
                "type": "search_result_location",
                "cited_text": result["content"][0]["text"],
                "source": result["source"],
                "title": result["title"],
                "search_result_index": index,
                "start_block_index": 0,
                "end_block_index": 1,
            }
