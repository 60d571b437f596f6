"""The breaker in Redis: one circuit for all processes, moved by a script, so that no two see it in different places.

Verdicts are sent together, twenty times a second, off the path of requests. Each process remembers which circuits are
not closed and looks for others' news every half second; only a host that is half open costs a question. While Redis is
away each process goes by what it sees itself.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

from apps.common import clock
from apps.common.groupcommit import GroupCommit
from apps.common.redis_script import RedisScript
from apps.inference.breaker import SLICES, LocalBreaker, Rules, Standing

FLUSH_SECONDS = 0.05
NEWS_SECONDS = 0.5
KEPT_SECONDS = 3600

# The same circuit as breaker.Circuit; a step is [kind, key, whose call it is] or
# ["record", key, whose call, its verdict ("1" or "0"), whose call, …].
_SCRIPT = """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1e6
local prefix = ARGV[2] .. ':breaker'
local most, share, least, width = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local cool_down, enough, probe = tonumber(ARGV[7]), tonumber(ARGV[8]), tonumber(ARGV[9])
local slices_kept, kept = tonumber(ARGV[10]), tonumber(ARGV[11])
local function fresh() return {opened = 0, failures = 0, successes = 0, probe = 0, by = '', slices = {}} end
local function standing(c)
  if c.opened == 0 then return 'closed' end
  if now < c.opened + cool_down then return 'open' end
  return 'half_open'
end
local function record(c, by, ok)
  local stands = standing(c)
  if stands == 'open' then return c end
  if stands == 'half_open' then
    if c.by ~= by then return c end
    c.probe, c.by = 0, ''
    if not ok then c = fresh(); c.opened = now; return c end
    c.successes = c.successes + 1
    if c.successes >= enough then return fresh() end
    return c
  end
  if ok then c.failures = 0 else c.failures = c.failures + 1 end
  local this, slices, found = math.floor(now / width), {}, false
  local requests, failures = 0, 0
  for _, slice in ipairs(c.slices) do
    if slice[1] > this - slices_kept then
      if slice[1] == this then
        found = true
        slice[2] = slice[2] + 1
        if not ok then slice[3] = slice[3] + 1 end
      end
      slices[#slices + 1] = slice
      requests, failures = requests + slice[2], failures + slice[3]
    end
  end
  if not found then
    local bad = ok and 0 or 1
    slices[#slices + 1] = {this, 1, bad}
    requests, failures = requests + 1, failures + bad
  end
  c.slices = slices
  if not ok and (c.failures >= most or (requests >= least and failures >= share * requests)) then
    c = fresh(); c.opened = now
  end
  return c
end
local answers = {}
for i, step in ipairs(cjson.decode(ARGV[1])) do
  if step[1] == 'news' then
    local news, all = {}, redis.call('HGETALL', prefix .. ':open')
    for n = 1, #all, 2 do
      -- A circuit that nobody has touched for long is forgotten, and closed like any that is not known.
      if redis.call('EXISTS', prefix .. ':{' .. all[n] .. '}') == 1 then
        news[#news + 1] = {all[n], tonumber(all[n + 1]) + cool_down - now}
      else redis.call('HDEL', prefix .. ':open', all[n]) end
    end
    answers[i] = {'news', news, 0}
  else
    local name = prefix .. ':{' .. step[2] .. '}'
    local found = redis.call('GET', name)
    local c = found and cjson.decode(found) or fresh()
    local was, claimed = c.opened, 0
    if step[1] == 'claim' then
      local stands = standing(c)
      if stands == 'closed' then claimed = 1
      elseif stands == 'half_open' and now >= c.probe then claimed = 1; c.probe, c.by = now + probe, step[3] end
    elseif step[1] == 'renew' then
      if c.by == step[3] then c.probe = now + probe end
    elseif step[1] == 'back' then
      if c.by == step[3] then c.probe, c.by = 0, '' end
    else
      for n = 3, #step, 2 do c = record(c, step[n], step[n + 1] == '1') end
    end
    if found or step[1] == 'record' then
      redis.call('SET', name, cjson.encode(c), 'EX', kept)
      if c.opened ~= was then
        if c.opened == 0 then redis.call('HDEL', prefix .. ':open', step[2])
        else redis.call('HSET', prefix .. ':open', step[2], c.opened) end
      end
    end
    answers[i] = {standing(c), c.opened + cool_down - now, claimed}
  end
end
return cjson.encode(answers)
"""

Step = tuple[str, ...]


class RedisBreaker:
    """Belongs to one event loop."""

    def __init__(self, url: str, rules: Rules, *, prefix: str) -> None:
        self._script = RedisScript(
            url, _SCRIPT, prefix, rules.failures, rules.share, rules.least, rules.window / SLICES,
            rules.cool_down, rules.successes, rules.claim, SLICES, KEPT_SECONDS,
        )  # fmt: skip
        self._group: GroupCommit[Step, list[Any] | None] = GroupCommit(self._run)
        self._local = LocalBreaker(rules)
        self._verdicts: dict[str, list[str]] = {}
        """Key → whose call, its verdict, whose call, …"""
        self._not_closed: dict[str, float] = {}
        """Key → when its cool-down ends, by this process's clock."""
        self._is_away = False
        self._loop = asyncio.get_running_loop()

    def standing(self, key: str) -> Standing:
        if self._is_away:
            return self._local.standing(key)
        cool_until = self._not_closed.get(key)
        if cool_until is None:
            return Standing.CLOSED
        return Standing.OPEN if clock.monotonic() < cool_until else Standing.HALF_OPEN

    def seconds_left(self, key: str) -> float:
        if self._is_away:
            return self._local.seconds_left(key)
        return max(0.0, self._not_closed.get(key, 0.0) - clock.monotonic())

    async def claim(self, key: str, *, by: str) -> bool:
        if key not in self._not_closed and not self._is_away:
            return True
        answer = await self._group.submit(("claim", key, by))
        if answer is None:
            return await self._local.claim(key, by=by)
        return bool(answer[2])

    def renew(self, key: str, *, by: str) -> None:
        self._local.renew(key, by=by)
        self._group.submit(("renew", key, by))

    def record(self, key: str, *, by: str, succeeded: bool) -> None:
        if self._is_away:
            self._local.record(key, by=by, succeeded=succeeded)
        if not self._verdicts:
            self._loop.call_later(FLUSH_SECONDS, self._flush)
        self._verdicts.setdefault(key, []).extend((by, "1" if succeeded else "0"))

    def give_back(self, key: str, *, by: str) -> None:
        self._local.give_back(key, by=by)
        self._group.submit(("back", key, by))

    async def watch(self) -> None:
        """Learn what other processes found, until cancelled."""
        while True:
            await asyncio.sleep(NEWS_SECONDS)
            await self.learn()

    async def learn(self) -> None:
        """Ask once for what other processes found."""
        answer = await self._group.submit(("news",))
        if answer is not None:
            now = clock.monotonic()
            self._not_closed = {key: now + left for key, left in answer[1]}

    async def settle(self) -> None:
        """Until everything that was said so far has reached Redis, or Redis is known to be away."""
        self._flush()
        await self.learn()  # steps go in the order in which they were said

    async def close(self) -> None:
        """The verdicts of the last moment are not sent: nobody would be there to see that through."""
        await self._script.close()

    def _flush(self) -> None:
        verdicts, self._verdicts = self._verdicts, {}
        for key, told in verdicts.items():
            self._group.submit(("record", key, *told))

    async def _run(self, steps: Sequence[Step]) -> Sequence[list[Any] | None]:
        answers = await self._script.run(steps)
        self._is_away = answers is None
        if answers is None:
            return [None] * len(steps)
        for step, (standing, left, _) in zip(steps, answers, strict=True):
            if standing == Standing.CLOSED:
                self._not_closed.pop(step[1], None)
            elif standing != "news":
                self._not_closed[step[1]] = clock.monotonic() + left
        return cast("list[list[Any] | None]", answers)
