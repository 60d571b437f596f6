"""The one line of a request: who, what, where, how long, how much; never a prompt, an answer or a key."""

import asyncio
import logging
import re
from typing import Any

import orjson

from apps.common import clock
from apps.common.errors import GatewayzError
from apps.inference.context import RequestContext
from apps.inference.models import Outcome
from apps.inference.outcomes import Bill
from apps.keys.selectors import KeySnapshot

logger = logging.getLogger("gatewayz.request")

_SECRET = re.compile(r"gw_(?:live|test)_[\w-]*")


class RequestLog:
    """Belongs to one event loop. Lines of requests that end in the same turn of the loop are written together."""

    def __init__(self) -> None:
        self._lines: list[bytes] = []

    def write(self, line: dict[str, Any]) -> None:
        if not logger.isEnabledFor(logging.INFO):
            return
        if not self._lines:
            asyncio.get_running_loop().call_soon(self.flush)
        self._lines.append(orjson.dumps(line, option=orjson.OPT_UTC_Z))

    def flush(self) -> None:
        if self._lines:
            logger.info(b"\n".join(self._lines).decode())
            self._lines.clear()


def describe(
    context: RequestContext,
    outcome: Outcome,
    error: GatewayzError | None,
    billed: Bill | None,
    *,
    charged: int,
) -> dict[str, Any]:
    target = context.progress.target
    return {
        "event": "request",
        "timestamp": clock.now(),
        "level": "info",
        "request_id": context.id,
        "path": context.surface.paths[0],
        "organization": context.key.organization_id if context.key else None,
        "key": context.key.id if context.key else None,
        "model": context.model.id if context.model else None,
        "provider": target.offering.provider.slug if target else None,
        "stream": context.facts.stream if context.facts else None,
        "outcome": "refused" if error else outcome.value,
        "status": 200 if context.progress.delivered else (error.status if error else 499),
        "error": error.code if error else None,
        "cached": context.recalled is not None,
        "is_byok": target.is_byok if target else None,
        "attempts": len(context.progress.attempts),
        "faults": [attempt.fault for attempt in context.progress.attempts if attempt.fault],
        "input_tokens": billed.usage.total_input if billed else None,
        "output_tokens": billed.usage.total_output if billed else None,
        "charged_nano_usd": charged if billed else None,
        "ms": context.elapsed_ms(),
        "sdk_retry": context.headers.get("x-stainless-retry-count"),
    }


def describe_other(
    *,
    request_id: str | None,
    path: str,
    key: KeySnapshot | None,
    status: int | None,
    error: str | None,
    milliseconds: int,
    sdk_retry: str | None,
) -> dict[str, Any]:
    """The same fields for a route that asks no model; a path that nobody knows may hold anything."""
    refused = status is not None and status >= 400
    return {
        "event": "request",
        "timestamp": clock.now(),
        "level": "info",
        "request_id": request_id,
        "path": _SECRET.sub("gw_…", path)[:200],
        "organization": key.organization_id if key else None,
        "key": key.id if key else None,
        "model": None,
        "provider": None,
        "stream": None,
        "outcome": "refused" if refused else "client_gone" if status is None else "completed",
        "status": status or 499,
        "error": error,
        "cached": None,
        "is_byok": None,
        "attempts": None,
        "faults": None,
        "input_tokens": None,
        "output_tokens": None,
        "charged_nano_usd": None,
        "ms": milliseconds,
        "sdk_retry": sdk_retry,
    }
