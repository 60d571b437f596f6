"""Attempts: ask one host after another until one answers.

Before the first content event a failure moves on to the next host, unseen by the client; the first content event
commits. After it a failure is recovered from when that can be done truthfully (recovery.py), else it ends the answer
with an in-band error: a stream never pretends to be complete.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import ceil, inf

from django.conf import settings

from apps.common import clock
from apps.common.errors import (
    AllProvidersFailed,
    ContextTooLong,
    GatewayzError,
    PermissionDenied,
    UpstreamInvalid,
)
from apps.inference import credentials, metrics, recovery
from apps.inference.breaker import Standing, kept_claim
from apps.inference.context import Attempt, RequestContext, Sent
from apps.inference.delivery import Client, Delivery, Lanes, Race
from apps.inference.faults import NO_FAILURES, SILENT, FaultKind, UpstreamFault
from apps.inference.planner import Target
from apps.inference.relay import Body
from apps.inference.resting import rest_for
from apps.inference.runtime import Runtime
from apps.inference.sticking import keeps

HEDGE_AFTER_SECONDS = 2.0
"""Where it is not known yet how long a host usually takes."""
LEAST_PATIENCE_SECONDS = 0.25
"""A second call for less gains nothing that anybody would see."""
KEY_REFUSED = frozenset({401, 402, 403})
"""Asking again with the same key is of no use."""


class AnswerBroken(Exception):
    """The host failed after content had reached the client. ``fault`` says how."""

    def __init__(self, fault: UpstreamFault) -> None:
        super().__init__(str(fault))
        self.fault = fault
        self.client_error = UpstreamInvalid(
            "The provider failed while it was answering. Nothing was charged."
        )


@dataclass(slots=True)
class Attempts:
    """The failover loop of one request."""

    context: RequestContext
    client: Client
    body: Body
    runtime: Runtime
    lanes: Lanes = field(default_factory=dict)
    _calls: int = 0
    """Begun, whether they have ended or not."""
    _retried: set[str] = field(default_factory=set)
    """Keys of the hosts that were asked again."""
    _told: dict[str, float | None] = field(default_factory=dict)
    """By the key of a host that has failed, for how many seconds it wants to be left alone."""

    async def run(self) -> None:
        """Answer the client. Raises GatewayzError when nothing was sent, AnswerBroken when something was."""
        targets = list(self.context.targets)
        last: UpstreamFault | None = None
        if recovery.is_possible(self.context, self.body):
            self.context.sent = Sent()
        while targets and self._may_ask():
            target = targets[0]
            if not await self._claim(target):
                # Its breaker has opened since the plan, or somebody else is the probe.
                targets.pop(0)
                continue
            delivery = self._delivery(target, is_last=_is_last(targets, target))
            try:
                if self.context.hedges or (
                    self._is_probe(delivery) and self._may_take_long(delivery)
                ):
                    await self._attempt_hedged(targets, delivery)
                else:
                    await self._attempt(delivery)
                return
            except UpstreamFault as fault:
                last = fault
                if self.context.progress.delivered:
                    await self._recover(targets, fault)
                    return
                if fault.client_error is not None:
                    targets = _roomier(targets, fault.client_error)
                    if not targets:
                        raise fault.client_error from fault
                    continue
                if fault.kind in SILENT:
                    # Whatever key it is asked with, it is the same host that is silent.
                    targets = [other for other in targets if not _is_same_host(other, target)]
                elif not await self._is_due_again(target, fault):
                    targets.pop(0)
        if last is None:
            raise AllProvidersFailed(
                "Every provider of this model has just failed. Nothing was charged.",
                retry_after_ms=self.runtime.retry_after_ms(t.key for t in self.context.targets),
            )
        raise self._all_failed(last)

    async def _is_due_again(self, target: Target, fault: UpstreamFault) -> bool:
        """Whether this host is asked once more, when it has had its pause."""
        pause = fault.pause
        provider = target.offering.provider
        if fault.status == 401 and credentials.forget(provider.auth, provider.secret):
            pause = 0.0
        if (
            pause is None
            or target.key in self._retried
            or not self.runtime.retries.spend(target.key)
        ):
            return False
        self._retried.add(target.key)
        await asyncio.sleep(pause)
        return True

    def _delivery(self, target: Target, *, is_last: bool) -> Delivery:
        return Delivery(self.context, self.client, self.body, self.lanes, target, is_last=is_last)

    def _is_probe(self, delivery: Delivery) -> bool:
        """Whether the host was down and others are left: one that is silent still is left alone again soon."""
        standing = self.runtime.breaker.standing(delivery.target.key)
        return not delivery.is_last and standing is Standing.HALF_OPEN

    def _probe_wait(self, delivery: Delivery) -> float:
        """Seconds for a host that was down to show something."""
        return max(settings.BREAKER_PROBE_SECONDS, self._usual(delivery) or 0.0)

    def _may_take_long(self, delivery: Delivery) -> bool:
        """Whether a host that is well may be silent for longer: then it is not given up, but another one asked beside it."""
        facts = self.context.facts
        assert facts is not None
        is_unsure = self._usual(delivery) is None and (delivery.may_think or not facts.stream)
        return facts.reasoning or facts.is_slow or is_unsure

    def _usual(self, delivery: Delivery) -> float | None:
        assert self.context.facts is not None
        health = self.runtime.health.of(delivery.target.key)
        return health.usual_wait if self.context.facts.stream else health.usual_whole

    def _patience(self, delivery: Delivery) -> float:
        """Seconds until another host is asked beside this one."""
        if not self.context.hedges:
            return self._probe_wait(delivery)
        usual = self.runtime.health.of(delivery.target.key).usual_wait
        return HEDGE_AFTER_SECONDS if usual is None else max(usual, LEAST_PATIENCE_SECONDS)

    async def _attempt_hedged(self, targets: list[Target], delivery: Delivery) -> None:
        """Ask the first host and, when it takes longer than it usually does, another one beside it.

        The loser is ended and forgotten. Raises UpstreamFault where none has begun to answer: that of a host that has told
        the client's mistake, which is then the first of the targets, else the first host's. The other one is no target any more.
        """
        race = Race()
        first = race.start(delivery, self._attempt)
        beside: Target | None = None
        second = first
        try:
            await asyncio.wait([first], timeout=self._patience(delivery))
            if not first.done() and race.winner is None:
                beside = self._spare(targets) if self._may_ask() else None
            if beside is not None:
                is_last = _is_last(targets, targets[0], beside)
                second = race.start(self._delivery(beside, is_last=is_last), self._attempt)
            await race.finish()
        finally:
            await race.end()
        if race.winner is not None:
            race.tasks[race.winner].result()
            return
        if beside is not None:
            targets.remove(beside)
            if _told_the_client(second) and not _told_the_client(first):
                targets[0], first = beside, second
        first.result()

    def _spare(self, targets: Sequence[Target]) -> Target | None:
        """Who can be asked beside the first of these, its call paid for: nobody who is only just coming back."""
        others = _others_of(targets[0], targets)
        elsewhere = [other for other in others if not _is_at_home(other, targets[0])]
        for target in elsewhere or others:
            is_up = self.runtime.breaker.standing(target.key) is Standing.CLOSED
            if is_up and self.runtime.retries.spend(target.key):
                return target
        return None

    async def _claim(self, target: Target) -> bool:
        return await self.runtime.breaker.claim(target.key, by=self.context.id)

    def _may_ask(self) -> bool:
        return self._calls < settings.MAX_ATTEMPTS

    async def _recover(self, targets: Sequence[Target], fault: UpstreamFault) -> None:
        """Go on with another host of the same model. Raises AnswerBroken when none can."""
        begun = recovery.begin(self.context, self.body)
        if begun is None:
            raise AnswerBroken(fault) from fault
        others = _others_of(begun.by, targets)
        for target in others:
            is_last = target is others[-1]
            ways = list(begun.ways(self.client, self.lanes, target, is_last=is_last))
            while ways and self._may_ask() and await self._claim(target):
                delivery = ways[0]
                try:
                    await self._attempt(delivery)
                except UpstreamFault as next_fault:
                    if delivery.has_switched:
                        raise self._broken(next_fault) from next_fault
                    if next_fault.client_error is not None:
                        ways.pop(0)
                    elif not await self._is_due_again(target, next_fault):
                        break
                else:
                    metrics.recoveries.labels(delivery.mode.value, "recovered").inc()
                    return
        raise self._broken(fault) from fault

    def _all_failed(self, last: UpstreamFault) -> GatewayzError:
        attempts = self.context.progress.attempts
        if all(attempt.is_byok and attempt.status in KEY_REFUSED for attempt in attempts):
            places = ", ".join(sorted({f"'{attempt.provider}'" for attempt in attempts}))
            return PermissionDenied(
                f"Your own key was refused at {places} (status {last.status}). Nothing was charged."
            )
        return AllProvidersFailed(
            "No provider could answer. Nothing was charged.", retry_after_ms=self._retry_after_ms()
        )

    def _retry_after_ms(self) -> int:
        """The shortest wait that the hosts ask for, where each of them asks for one; else a second."""
        waits = [self._told.get(target.key) for target in self.context.targets]
        known = [wait for wait in waits if wait is not None]
        if len(known) < len(waits):
            return 1000
        return max(1000, ceil(1000 * min(*known, settings.MOST_RETRY_AFTER_SECONDS)))

    def _broken(self, fault: UpstreamFault) -> AnswerBroken:
        metrics.recoveries.labels(self.context.recover.value, "broken").inc()
        return AnswerBroken(fault)

    async def _attempt(self, delivery: Delivery) -> None:
        progress = self.context.progress
        key = delivery.target.key
        self._calls += 1
        if key not in self._retried:
            self.runtime.retries.earn(key)
        probe_wait = self._probe_wait(delivery) if self._is_probe(delivery) else inf
        if probe_wait < inf and not self._may_take_long(delivery):
            delivery.most_wait = probe_wait
        started = clock.monotonic()
        fault: UpstreamFault | None = None
        verdict: bool | None = None
        try:
            async with kept_claim(self.runtime.breaker, key, by=self.context.id):
                await delivery.run()
            verdict = True
        except UpstreamFault as error:
            fault = error
            self._told[key] = error.wait
            target = delivery.target
            if rest := rest_for(target.offering.provider.rests, error):
                # The account's trouble, and not the client's, whatever status it comes with.
                error.client_error = error.pause = None
                self.runtime.resting.rest(target.key, rest.seconds)
            if error.client_error is None and error.kind not in NO_FAILURES:
                verdict = False
            raise
        except asyncio.CancelledError:
            if delivery.is_outrun:
                fault = UpstreamFault(FaultKind.OUTRUN)
                if clock.monotonic() - started >= probe_wait:
                    # It was down, and is silent still where another one has answered.
                    verdict = False
            raise
        finally:
            self._learn(delivery, verdict, started, fault)
            target = delivery.target
            progress.attempts.append(
                Attempt(
                    provider=target.offering.provider.slug,
                    model=target.offering.upstream_model,
                    fault=fault.kind if fault else "",
                    status=fault.status if fault else None,
                    milliseconds=round((clock.monotonic() - started) * 1000),
                    is_byok=target.is_byok,
                )
            )

    def _learn(
        self, delivery: Delivery, verdict: bool | None, started: float, fault: UpstreamFault | None
    ) -> None:
        """What this call tells of the host; None is no verdict: the client left, or caused the failure."""
        breaker, health, target = self.runtime.breaker, self.runtime.health, delivery.target
        key = target.key
        if verdict is None:
            if breaker.standing(key) is not Standing.CLOSED:
                breaker.give_back(key, by=self.context.id)
            return
        breaker.record(key, by=self.context.id, succeeded=verdict)
        if not verdict:
            health.failed(key, was_empty=fault is not None and fault.kind is FaultKind.EMPTY)
            return
        progress = self.context.progress
        first = delivery.first_content_at
        health.answered(
            key,
            first_content=None if first is None else first - started,
            whole=clock.monotonic() - started,
            output_tokens=progress.usage.total_output if progress.usage else 0,
        )
        context = self.context
        assert context.key is not None
        if context.model is not None and keeps(
            target, context.targets, context.considered, context.rejected
        ):
            health.stick(context.key.id, context.model.id, target.offering.id)


def _is_last(targets: Sequence[Target], *asked: Target) -> bool:
    """Whether nobody is left behind these who may be asked after a silent one."""
    return all(any(_is_same_host(other, one) for one in asked) for other in targets)


def _is_same_host(target: Target, other: Target) -> bool:
    """Whether both are one offering, perhaps with two keys: the customer's own and the house's."""
    return target.offering.id == other.offering.id


def _told_the_client(call: asyncio.Task[None]) -> bool:
    """Whether this host has failed for a mistake of the client's."""
    fault = call.exception() if call.done() and not call.cancelled() else None
    return isinstance(fault, UpstreamFault) and fault.client_error is not None


def _others_of(host: Target, targets: Sequence[Target]) -> list[Target]:
    """Who else has its model: first other providers, then the same one with another key."""
    others = [
        target
        for target in targets
        if target is not host and target.offering.model_id == host.offering.model_id
    ]
    return sorted(others, key=lambda other: _is_at_home(other, host))


def _is_at_home(target: Target, host: Target) -> bool:
    """Whether both are of one provider."""
    return target.offering.provider.slug == host.offering.provider.slug


def _roomier(targets: Sequence[Target], error: GatewayzError) -> list[Target]:
    """Who else may be asked after a mistake of the client's: a model with more room, when its input was too long."""
    if not isinstance(error, ContextTooLong):
        return []
    room = targets[0].offering.context_length
    return [
        target
        for target in targets[1:]
        if room is not None and (target.offering.context_length or 0) > room
    ]
