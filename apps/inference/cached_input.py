"""Cached input: hosts of OpenAI's formats that count cached tokens beside the input, where OpenAI counts them inside.

Their rows say so (``usage=``). What they report is put into OpenAI's words before anybody reads it, so that lanes, bills
and clients know one convention for each format; hosts without the remark do not pass here at all. Anthropic's, Google's
and Amazon's formats say themselves where they count.
"""

from typing import Any

import orjson
from typing_extensions import override

from apps.catalog.providers.spec import UsageConvention, Wire
from apps.common.errors import GatewayzError
from apps.common.usage import Usage
from apps.inference.canonical.sse import SseDecoder, SseRecord, encode_record
from apps.inference.planner import Target
from apps.inference.relay import EventRelay, Json, JsonRelay, StreamRelay

WIRES = frozenset({Wire.OPENAI_CHAT, Wire.OPENAI_RESPONSES, Wire.OPENAI_JSON})
NAMES = (
    ("prompt_tokens", "completion_tokens"),
    ("input_tokens", "output_tokens"),
)
CACHED = ("cached_tokens", "cache_write_tokens")


def counts_beside(target: Target) -> bool:
    """Whether this host counts cached tokens beside the input although its format has them inside."""
    convention = target.offering.provider.usage
    return convention is UsageConvention.CACHE_BESIDE_INPUT and target.endpoint.wire in WIRES


def reader_of_stream(relay: StreamRelay, target: Target) -> StreamRelay:
    """Who reads the host's bytes for this relay."""
    return InsideStream(relay) if counts_beside(target) else relay


def reader_of_answer(relay: JsonRelay, target: Target) -> JsonRelay:
    return InsideAnswer(relay) if counts_beside(target) else relay


class InsideAnswer:
    """A whole answer on its way to the relay that reads it."""

    def __init__(self, relay: JsonRelay) -> None:
        self._relay = relay
        self.tally = relay.tally
        self.media_type = relay.media_type

    def read(self, body: bytes, media_type: str) -> None:
        self._relay.read(with_cache_inside(body), media_type)

    def finish(self, usage: Usage) -> bytes:
        return self._relay.finish(usage)


class InsideStream(EventRelay):
    """A stream on its way to the relay that reads it, record by record."""

    def __init__(self, relay: StreamRelay) -> None:
        self._relay = relay
        self.tally = relay.tally
        self.media_type = relay.media_type
        self.takes_json = relay.takes_json
        self._is_json = False
        self._sse = SseDecoder()

    @override
    def open(self, media_type: str) -> None:
        self._is_json = media_type.startswith("application/json")
        self._relay.open(media_type)

    def feed(self, data: bytes) -> bytes:
        """Raises MalformedUpstream."""
        return self._relay.feed(data if self._is_json else _written(self._sse.feed(data)))

    def end(self) -> bytes:
        """Raises MalformedUpstream."""
        return self._relay.feed(_written(self._sse.flush())) + self._relay.end()

    @override
    def break_off(self) -> bytes:
        return self._relay.break_off()

    def finish(self, usage: Usage) -> bytes:
        return self._relay.finish(usage)

    def fail(self, error: GatewayzError) -> bytes:
        return self._relay.fail(error)


def _written(records: list[SseRecord]) -> bytes:
    return b"".join(
        [encode_record(with_cache_inside(one.data), one.event or None) for one in records]
    )


def with_cache_inside(data: bytes) -> bytes:
    """JSON of an answer, a chunk or an event; what is none, or tells no usage, as it is."""
    if b'"usage"' not in data:
        return data
    try:
        answer = orjson.loads(data)
    except orjson.JSONDecodeError:
        return data
    if not isinstance(answer, dict):
        return data
    response = answer.get("response")
    for holder in (answer, response if isinstance(response, dict) else {}):
        if isinstance(usage := holder.get("usage"), dict):
            _put_inside(usage)
    return orjson.dumps(answer)


def _put_inside(usage: Json) -> None:
    for taken, given in NAMES:
        cached = sum(_counts(usage.get(f"{taken}_details"), *CACHED))
        whole, output = usage.get(taken), usage.get(given)
        if not cached or type(whole) is not int or whole < 0:
            continue
        usage[taken] = whole + cached
        # Some hosts count reasoning beside the output; a total that has the cached tokens already stays.
        thought = sum(_counts(usage.get(f"{given}_details"), "reasoning_tokens"))
        if type(output) is int and usage.get("total_tokens") in (
            whole + output,
            whole + output + thought,
        ):
            usage["total_tokens"] += cached


def _counts(details: Any, *names: str) -> list[int]:
    found = [details.get(name) for name in names] if isinstance(details, dict) else []
    return [count for count in found if type(count) is int and count > 0]
