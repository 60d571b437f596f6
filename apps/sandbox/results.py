"""What tasks hand to delivery."""

from collections.abc import Iterable
from typing import Any

import orjson

from apps.sandbox import openai_dialect
from apps.sandbox.framing import Kind, Record, Sse
from apps.sandbox.wire import Job, Outgoing, Refused

NONSENSE = -5


def respond(job: Job, answer: dict[str, Any]) -> Outgoing:
    return Outgoing(id=job.id, options=job.options, body=lambda: orjson.dumps(answer))


def add_usage(job: Job, answer: dict[str, Any], usage: dict[str, Any]) -> dict[str, Any]:
    """The answer with its usage: none or nonsense when that was ordered."""
    if job.options.nousage:
        return answer
    if job.options.absurd_usage:
        usage = {
            name: NONSENSE if isinstance(count, int | float) else count
            for name, count in usage.items()
        }
    return answer | {"usage": usage}


def respond_in_events(
    job: Job, parts: Iterable[dict[str, Any]], last: dict[str, Any], *, named: bool = True
) -> Outgoing:
    """OpenAI's events: ``parts`` bring content, ``last`` ends the stream. ``named``: each record says its type twice."""
    kinds = [(Kind.CONTENT, part) for part in parts] + [(Kind.CLOSING, last)]
    records = [
        Record(kind, orjson.dumps(event), event["type"].encode() if named else None)
        for kind, event in kinds
    ]
    return Outgoing(
        id=job.id,
        options=job.options,
        framing=Sse(),
        records=() if job.options.empty else records,
        fail=lambda refusal, position: _fail(job, refusal),
    )


def _fail(job: Job, refusal: Refused) -> Record:
    body = openai_dialect.render_refusal(refusal, request_id=job.id)
    return Record(Kind.CLOSING, orjson.dumps(body), b"error")
