"""Reranking as Cohere and Jina publish it: the share of the query's words that a document has is its score.

Formats: https://docs.cohere.com/reference/rerank (``meta.billed_units``) and https://jina.ai/reranker (``usage``). One search
unit is a query with up to 100 documents.
"""

from typing import Any

from apps.sandbox import checks
from apps.sandbox.results import add_usage, respond
from apps.sandbox.tokens import count_tokens
from apps.sandbox.wire import Job, Outgoing, Refused

DOCUMENTS_PER_UNIT = 100
MOST_DOCUMENTS = 1000


def rerank(job: Job) -> Outgoing:
    body = job.asked.body
    query = checks.expect_text(body.get("query"), "query")
    if not query:
        raise Refused("invalid request: query must not be empty")
    texts = [
        _read_document(one, index)
        for index, one in enumerate(checks.expect_list(body.get("documents"), "documents"))
    ]
    if not 1 <= len(texts) <= MOST_DOCUMENTS:
        raise Refused(f"invalid request: documents must be 1 to {MOST_DOCUMENTS}")
    top = body.get("top_n")
    kept = len(texts) if top is None else checks.expect_whole(top, "top_n")
    results = sorted(
        ({"index": index, "relevance_score": _score(query, text)} for index, text in enumerate(texts)),
        key=lambda result: -result["relevance_score"],
    )[:kept]  # fmt: skip
    shown: list[dict[str, Any]] = [dict(result) for result in results]
    if checks.expect_flag(body.get("return_documents"), "return_documents"):
        for result in shown:
            result["document"] = {"text": texts[result["index"]]}
    answer: dict[str, Any] = {
        "id": job.id,
        "model": job.asked.model,
        "results": [] if job.options.empty else shown,
    }
    if not job.options.nousage:
        units = -1 if job.options.absurd_usage else -(-len(texts) // DOCUMENTS_PER_UNIT)
        answer["meta"] = {"api_version": {"version": "2"}, "billed_units": {"search_units": units}}
    total = sum(count_tokens(query) + count_tokens(text) for text in texts)
    return respond(job, add_usage(job, answer, {"total_tokens": total}))


def _read_document(document: Any, index: int) -> str:
    if isinstance(document, dict):
        return checks.expect_text(document.get("text"), f"documents[{index}].text")
    return checks.expect_text(document, f"documents[{index}]")


def _score(query: str, text: str) -> float:
    wanted = set(query.lower().split())
    return round(len(wanted & set(text.lower().split())) / max(len(wanted), 1), 4)
