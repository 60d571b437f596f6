"""Citations of pages of the web, as OpenAI's two wires write them: ``url_citation``, with a span of the answer's text.

https://platform.openai.com/docs/guides/tools-web-search#output-and-citations
Chat Completions nests the fields under the annotation's own type, Responses does not; hosts do either.
"""

from typing import Any

from apps.inference.canonical.events import Citation

Json = dict[str, Any]

_KIND = "url_citation"


def is_url_citation(annotation: Any) -> bool:
    return isinstance(annotation, dict) and annotation.get("type") == _KIND


def read_citations(annotations: Any) -> tuple[Citation, ...]:
    """Those of a list of annotations that cite a page of the web; spans count from the text that they belong to."""
    if not isinstance(annotations, list):
        return ()
    found = (_read(annotation) for annotation in annotations if is_url_citation(annotation))
    return tuple(citation for citation in found if citation.url)


def write_citation(citation: Citation, *, length: int, offset: int = 0) -> Json:
    """The fields of an annotation. ``length`` is that of the cited text, ``offset`` its place, both in characters."""
    start, end = citation.span or (0, length)
    return {
        "start_index": offset + start,
        "end_index": offset + end,
        "url": citation.url,
        "title": citation.title,
    }


def _read(annotation: Json) -> Citation:
    nested = annotation.get(_KIND)
    fields: Json = nested if isinstance(nested, dict) else annotation
    return Citation(
        url=_text(fields.get("url")),
        title=_text(fields.get("title")),
        cited_text=_text(fields.get("content")),
        span=_span(fields.get("start_index"), fields.get("end_index")),
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _span(start: Any, end: Any) -> tuple[int, int] | None:
    if type(start) is int and type(end) is int and 0 <= start <= end:
        return start, end
    return None
