"""The limiter: requests and tokens per minute in a sliding window, and requests at a time.

    used = count of this minute + count of the last minute × the part of it that the window still covers

Redis does it in one script for all requests that arrive together; without Redis, or while it is away, the same rule runs
in the process. Nothing is counted for a refused request.
"""

import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from apps.common import clock
from apps.common.groupcommit import GroupCommit
from apps.common.redis_script import RedisScript

WINDOW_SECONDS = 60
SLOT_SECONDS = 660
"""A request that never released its slot (its process died) gives it back after this: beyond the total deadline."""
MOST_SUBJECTS = 50_000
LINGER_SECONDS = 0.005
"""A release waits so long for the next request to take it along; in one batch it counts before that request."""


class Limits(msgspec.Struct, frozen=True, gc=False):
    requests_per_minute: int
    tokens_per_minute: int
    concurrency: int


class Acquire(msgspec.Struct, frozen=True, gc=False):
    """Ask for one request of ``tokens`` estimated tokens."""

    subject: str
    request_id: str
    limits: Limits
    tokens: int


class Peek(msgspec.Struct, frozen=True, gc=False):
    """Ask what is left; nothing is counted."""

    subject: str
    limits: Limits


class Release(msgspec.Struct, frozen=True, gc=False):
    """The request has ended. ``correction`` is its real number of tokens less the estimate."""

    subject: str
    request_id: str
    correction: int


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """``exceeded`` is empty when the request may go on. Times are milliseconds."""

    exceeded: str
    remaining_requests: int
    remaining_tokens: int
    reset_ms: int
    """Until the current minute is no longer counted in full."""
    retry_after_ms: int


Step = Acquire | Peek | Release


class Limiter(Protocol):
    async def acquire(self, step: Acquire) -> Verdict: ...

    async def peek(self, step: Peek) -> Verdict: ...

    def release(self, step: Release) -> None:
        """Returns at once; the slot is free soon after."""
        ...


@dataclass(slots=True)
class _Window:
    minute: int = 0
    requests: int = 0
    tokens: int = 0
    last_requests: int = 0
    last_tokens: int = 0
    active: dict[str, float] = field(default_factory=dict)

    def advance(self, minute: int) -> None:
        if minute == self.minute:
            return
        follows = minute == self.minute + 1
        self.last_requests = self.requests if follows else 0
        self.last_tokens = self.tokens if follows else 0
        self.minute, self.requests, self.tokens = minute, 0, 0

    def used(self, elapsed: float) -> tuple[int, int]:
        """(requests, tokens) of the window that ends so many seconds into this minute."""
        fade = 1 - elapsed / WINDOW_SECONDS
        return (
            self.requests + math.ceil(self.last_requests * fade),
            self.tokens + math.ceil(self.last_tokens * fade),
        )


def _retry_after(current: int, last: int, cost: int, limit: int, elapsed: float) -> int:
    """Milliseconds until ``cost`` fits under ``limit``: the last minute fades first, then this one becomes the last."""
    room = limit - cost - current
    if room >= 0 and last > 0:
        wait = WINDOW_SECONDS * (1 - room / last) - elapsed
    elif current > 0:
        wait = (
            WINDOW_SECONDS - elapsed + WINDOW_SECONDS * max(0.0, 1 - max(0, limit - cost) / current)
        )
    else:
        wait = WINDOW_SECONDS
    # A millisecond more: at the very moment itself the fading part may still round up to one too many.
    return math.ceil(max(0.0, min(wait, 2 * WINDOW_SECONDS)) * 1000) + 1


class LocalLimiter:
    """The rule within one process. Holds the most recently used subjects."""

    def __init__(self, now: Callable[[], float] = clock.monotonic) -> None:
        self._now = now
        self._windows: OrderedDict[str, _Window] = OrderedDict()

    async def acquire(self, step: Acquire) -> Verdict:
        return self.take(step)

    async def peek(self, step: Peek) -> Verdict:
        return self.look(step)

    def take(self, step: Acquire) -> Verdict:
        now = self._now()
        window = self._window(step.subject, now)
        limits = step.limits
        elapsed = now % WINDOW_SECONDS
        used_requests, used_tokens = window.used(elapsed)
        exceeded, retry = "", 0
        if used_requests + 1 > limits.requests_per_minute:
            exceeded = "requests"
            retry = _retry_after(
                window.requests, window.last_requests, 1, limits.requests_per_minute, elapsed
            )
        elif used_tokens + step.tokens > limits.tokens_per_minute:
            exceeded = "tokens"
            retry = _retry_after(
                window.tokens, window.last_tokens, step.tokens, limits.tokens_per_minute, elapsed
            )
        elif self._active(window, now) >= limits.concurrency:
            exceeded, retry = "concurrency", 1000
        else:
            window.requests += 1
            window.tokens += step.tokens
            window.active[step.request_id] = now + SLOT_SECONDS
            used_requests += 1
            used_tokens += step.tokens
        return Verdict(
            exceeded=exceeded,
            remaining_requests=max(0, limits.requests_per_minute - used_requests),
            remaining_tokens=max(0, limits.tokens_per_minute - used_tokens),
            reset_ms=math.ceil((WINDOW_SECONDS - elapsed) * 1000),
            retry_after_ms=retry,
        )

    def look(self, step: Peek) -> Verdict:
        now = self._now()
        elapsed = now % WINDOW_SECONDS
        used_requests, used_tokens = self._window(step.subject, now).used(elapsed)
        return Verdict(
            exceeded="",
            remaining_requests=max(0, step.limits.requests_per_minute - used_requests),
            remaining_tokens=max(0, step.limits.tokens_per_minute - used_tokens),
            reset_ms=math.ceil((WINDOW_SECONDS - elapsed) * 1000),
            retry_after_ms=0,
        )

    def release(self, step: Release) -> None:
        window = self._windows.get(step.subject)
        if window is not None and window.active.pop(step.request_id, None) is not None:
            window.tokens = max(0, window.tokens + step.correction)

    def _window(self, subject: str, now: float) -> _Window:
        window = self._windows.get(subject)
        if window is None:
            window = self._windows[subject] = _Window()
            while len(self._windows) > MOST_SUBJECTS:
                self._windows.popitem(last=False)
        else:
            self._windows.move_to_end(subject)
        window.advance(int(now // WINDOW_SECONDS))
        return window

    @staticmethod
    def _active(window: _Window, now: float) -> int:
        # Slots are taken in order of time, so the oldest stand first.
        while window.active:
            oldest = next(iter(window.active))
            if window.active[oldest] > now:
                break
            del window.active[oldest]
        return len(window.active)


# One call for a whole batch. A step is [kind, subject, request id, tokens or correction, rpm, tpm, concurrency]; only its
# kind and subject matter when it is a peek.
_SCRIPT = """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1e6
local minute = math.floor(now / 60)
local elapsed = now - minute * 60
local fade = 1 - elapsed / 60
local answers = {}
for i, step in ipairs(cjson.decode(ARGV[1])) do
  local counts, slots = ARGV[3] .. ':limit:{' .. step[2] .. '}', ARGV[3] .. ':slots:{' .. step[2] .. '}'
  local c = redis.call('HMGET', counts, 'minute', 'requests', 'tokens', 'last_requests', 'last_tokens')
  local seen = tonumber(c[1]) or -10
  local requests, tokens = tonumber(c[2]) or 0, tonumber(c[3]) or 0
  local last_requests, last_tokens = tonumber(c[4]) or 0, tonumber(c[5]) or 0
  if seen ~= minute then
    if seen == minute - 1 then last_requests, last_tokens = requests, tokens
    else last_requests, last_tokens = 0, 0 end
    requests, tokens = 0, 0
  end
  local used_requests = requests + math.ceil(last_requests * fade)
  local used_tokens = tokens + math.ceil(last_tokens * fade)
  if step[1] == 'peek' then
    answers[i] = {'', used_requests, used_tokens, math.floor(elapsed * 1000), 0, 0, 0, 0}
  elseif step[1] == 'release' then
    if redis.call('ZREM', slots, step[3]) == 1 then
      tokens = math.max(0, tokens + step[4])
      redis.call('HSET', counts, 'minute', minute, 'requests', requests, 'tokens', tokens,
                 'last_requests', last_requests, 'last_tokens', last_tokens)
    end
    answers[i] = {}
  else
    local exceeded = ''
    if used_requests + 1 > step[5] then exceeded = 'requests'
    elseif used_tokens + step[4] > step[6] then exceeded = 'tokens'
    else
      redis.call('ZREMRANGEBYSCORE', slots, '-inf', now)
      if redis.call('ZCARD', slots) >= step[7] then exceeded = 'concurrency' end
    end
    if exceeded == '' then
      requests, tokens = requests + 1, tokens + step[4]
      used_requests, used_tokens = used_requests + 1, used_tokens + step[4]
      redis.call('HSET', counts, 'minute', minute, 'requests', requests, 'tokens', tokens,
                 'last_requests', last_requests, 'last_tokens', last_tokens)
      redis.call('EXPIRE', counts, 180)
      redis.call('ZADD', slots, now + tonumber(ARGV[2]), step[3])
      redis.call('EXPIRE', slots, ARGV[2])
    end
    answers[i] = {exceeded, used_requests, used_tokens, math.floor(elapsed * 1000),
                  requests, last_requests, tokens, last_tokens}
  end
end
return cjson.encode(answers)
"""


class RedisLimiter:
    """The rule in Redis, shared by all processes. While Redis is away each process limits on its own.

    Belongs to one event loop.
    """

    def __init__(self, url: str, *, prefix: str) -> None:
        self._script = RedisScript(url, _SCRIPT, SLOT_SECONDS, prefix)
        self._group: GroupCommit[Step, Verdict | None] = GroupCommit(self._run)
        self._local = LocalLimiter()

    async def acquire(self, step: Acquire) -> Verdict:
        verdict = await self._group.submit(step)
        assert verdict is not None
        return verdict

    async def peek(self, step: Peek) -> Verdict:
        verdict = await self._group.submit(step)
        assert verdict is not None
        return verdict

    def release(self, step: Release) -> None:
        self._group.submit(step, linger=LINGER_SECONDS)

    async def close(self) -> None:
        await self._script.close()

    async def _run(self, steps: Sequence[Step]) -> list[Verdict | Exception | None]:
        answers = await self._script.run([_pack(step) for step in steps])
        if answers is None:
            return [self._alone(step) for step in steps]
        return [_unpack(step, answer) for step, answer in zip(steps, answers, strict=True)]

    def _alone(self, step: Step) -> Verdict | None:
        if isinstance(step, Acquire):
            return self._local.take(step)
        if isinstance(step, Peek):
            return self._local.look(step)
        self._local.release(step)
        return None


def _pack(step: Step) -> list[Any]:
    if isinstance(step, Release):
        return ["release", step.subject, step.request_id, step.correction]
    if isinstance(step, Peek):
        return ["peek", step.subject]
    limits = step.limits
    return [
        "acquire", step.subject, step.request_id, step.tokens,
        limits.requests_per_minute, limits.tokens_per_minute, limits.concurrency,
    ]  # fmt: skip


def _unpack(step: Step, answer: list[Any]) -> Verdict | None:
    if isinstance(step, Release):
        return None
    (
        exceeded,
        used_requests,
        used_tokens,
        elapsed_ms,
        requests,
        last_requests,
        tokens,
        last_tokens,
    ) = answer
    limits, elapsed, retry = step.limits, elapsed_ms / 1000, 0
    if exceeded == "requests":
        retry = _retry_after(requests, last_requests, 1, limits.requests_per_minute, elapsed)
    elif exceeded == "tokens" and isinstance(step, Acquire):
        retry = _retry_after(tokens, last_tokens, step.tokens, limits.tokens_per_minute, elapsed)
    elif exceeded:
        retry = 1000
    return Verdict(
        exceeded=exceeded,
        remaining_requests=max(0, limits.requests_per_minute - used_requests),
        remaining_tokens=max(0, limits.tokens_per_minute - used_tokens),
        reset_ms=max(0, WINDOW_SECONDS * 1000 - elapsed_ms),
        retry_after_ms=retry,
    )


def make_limiter(url: str, *, prefix: str) -> Limiter:
    """Redis at ``url``, under keys that begin with ``prefix``; within the process when there is no address."""
    return RedisLimiter(url, prefix=prefix) if url else LocalLimiter()
