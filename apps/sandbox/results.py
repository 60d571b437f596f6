"""What tasks hand to delivery."""

from typing import Any

import orjson

from apps.sandbox.wire import Job, Outgoing

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
