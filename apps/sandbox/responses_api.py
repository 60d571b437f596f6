"""What else OpenAI's Responses API can be asked: stored responses, their input items, a count of tokens.

Format: https://platform.openai.com/docs/api-reference/responses
"""

from collections.abc import Callable
from typing import Any

import orjson
from aiohttp import web

from apps.sandbox import openai_dialect, responses_request
from apps.sandbox.exchange import describe_request
from apps.sandbox.responses_store import ResponseStore
from apps.sandbox.results import respond
from apps.sandbox.tokens import tokens_in
from apps.sandbox.wire import Incoming, Job, Outgoing, Refused

Act = Callable[[Incoming, str], dict[str, Any]]


class ResponsesApi:
    def __init__(self, store: ResponseStore) -> None:
        self._store = store

    async def show(self, request: web.Request) -> web.Response:
        return _answer(request, lambda incoming, name: self._store.find(name).body)

    async def delete(self, request: web.Request) -> web.Response:
        return _answer(request, self._delete)

    async def list_input(self, request: web.Request) -> web.Response:
        return _answer(request, self._list_input)

    def count_input(self, job: Job) -> Outgoing:
        items = responses_request.read_conversation(job.asked.body, self._store)
        segments = responses_request.read_segments(job.asked.body, items)
        total = tokens_in(sum(len(segment.text) for segment in segments))
        body = {"object": "response.input_tokens", "input_tokens": total}
        return respond(job, body)

    def _delete(self, incoming: Incoming, name: str) -> dict[str, Any]:
        self._store.delete(name)
        return {"id": name, "object": "response", "deleted": True}

    def _list_input(self, incoming: Incoming, name: str) -> dict[str, Any]:
        """Newest first unless ``order=asc``; ``after`` is the id of the last item that was seen."""
        items = list(self._store.find(name).input)
        if incoming.query.get("order", "desc") == "desc":
            items.reverse()
        limit = incoming.query.get("limit", "20")
        if not limit.isdigit() or not 1 <= int(limit) <= 100:
            raise Refused("Invalid 'limit'.", param="limit")
        if after := incoming.query.get("after"):
            names = [item["id"] for item in items]
            items = items[names.index(after) + 1 :] if after in names else []
        page = items[: int(limit)]
        return {
            "object": "list",
            "data": page,
            "first_id": page[0]["id"] if page else None,
            "last_id": page[-1]["id"] if page else None,
            "has_more": len(items) > len(page),
        }


def _answer(request: web.Request, act: Act) -> web.Response:
    incoming = describe_request(request, b"")
    try:
        openai_dialect.authenticate(incoming)
        body, status = act(incoming, incoming.variables["response_id"]), 200
    except Refused as refusal:
        body = openai_dialect.render_refusal(refusal, request_id="req_responses")
        status = refusal.status
    return web.Response(status=status, body=orjson.dumps(body), content_type="application/json")
