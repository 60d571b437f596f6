"""Planner: which offerings to ask, in which order, and why not the others. Pure.

The order, first difference first:

    the models as the client named them: ``model``, then ``models``
    ``provider.order``, as far as it names hosts
    ``provider.sort`` (or ``:floor``, ``:nitro``) when there is one, else
    whether it is asked with the customer's own key, whether it fails often now, the operator's priorities, the price, the time to the first token

A host whose provider tells that the house's account is empty comes after all others, whatever the order.

Hosts with a weight share a model's requests by it. Two more things move a host up in the default order, never past a higher priority: the host that served this key last, while
it is not much dearer (its prompts are cached there), and now and then the second best beside the one that is
asked usually, so that what is known of it stays true. Hosts whose breaker is open are passed by. A test key reaches the sandbox alone and pays nothing.
"""

from collections.abc import Mapping, Sequence
from copy import copy
from enum import StrEnum
from functools import lru_cache
from typing import Protocol

import msgspec

from apps.catalog.capabilities import SCHEMAS
from apps.catalog.providers.spec import Endpoint, Operation, Wire
from apps.catalog.selectors import ModelSnapshot, OfferingSnapshot
from apps.common.preferences import Sort
from apps.common.usage import Rates
from apps.inference.breaker import Standing
from apps.inference.extras import Extra
from apps.inference.health import Health
from apps.inference.preferences import DEFAULT, Routing
from apps.inference.wishes import NONE, Wishes, prepare
from apps.inference.wishes import Why as Why

FREE = Rates(input=0, output=0, cache_read=0, cache_write_5m=0, cache_write_1h=0, reasoning=0)
NEVER = float("inf")


class Target(msgspec.Struct, frozen=True):
    """An offering to ask, where to ask it, and the price that this client pays."""

    offering: OfferingSnapshot
    endpoint: Endpoint
    rates: Rates
    key: str
    """Of its breaker and its health: what the sandbox is told to do is a host of its own, and so is a customer's own key."""
    is_byok: bool
    """Whether it is asked with the customer's own key, which its provider bills itself."""
    price: int
    """What ranks it: nano-dollars for a million tokens of input and a million of output."""


class Rejection(msgspec.Struct, frozen=True):
    target: Target
    why: Why
    detail: str = ""
    """What is lacking."""


class Reason(StrEnum):
    """Why a host stands where it stands."""

    RANK = "rank"
    SPLIT = "split"
    """Its turn among the hosts that share the model's requests by weight."""
    STICKY = "sticky"
    """It served this key last, so the prompts are cached there."""
    EXPLORED = "explored"
    """Now and then the second best goes first, so that what is known of it stays true."""
    OWN_KEY = "own_key"
    """It is asked with the customer's own key, and those go first."""
    FALLBACK = "fallback"
    """Of a model of ``models``, or of a runner-up of the router."""


Score = tuple[float, ...]
"""What the hosts of a model are sorted by: compared from the left, smaller first."""


class Considered(msgspec.Struct, frozen=True):
    """A target with what was known of it when the plan was made."""

    target: Target
    reason: Reason
    score: Score
    health: Health
    is_ailing: bool


class Plan(msgspec.Struct, frozen=True):
    targets: tuple[Target, ...]
    """Best first."""
    rejected: tuple[Rejection, ...] = ()
    moved: Reason = Reason.RANK
    """Why the first is the first."""


class Wants(msgspec.Struct, frozen=True):
    """What one request asks of its hosts."""

    operation: Operation
    wire: Wire
    is_test_key: bool = False
    needs: frozenset[str] = frozenset()
    """Capabilities without which the answer would be another one: ``tools``, ``structured_outputs``, ``image``, …"""
    parameters: frozenset[str] = frozenset()
    """All that the request sets, by the catalogue's names; they count with ``require_parameters``."""
    extras: tuple[Extra, ...] = ()
    """What it buys beside tokens."""
    least_input: int = 0
    """Tokens that the input has for certain."""
    routing: Routing = Routing()
    sorts: Mapping[str, Sort | None] = {}
    """By a model's id what the end of its own name says; ``routing.sort`` is for those that say nothing."""
    own_only: frozenset[str] = frozenset()
    """Providers that are asked with the customer's own key or not at all."""
    sticky: int | None = None
    """The offering that served this key last."""
    sticky_margin: float = 0.0
    draw: float = 0.0
    """Whose turn it is among hosts that share requests by weight: from 0 up to 1, another each time."""
    explores: bool = False
    """This request is one of the few that go to the second best."""


class Knowledge(Protocol):
    """What is known of a host now."""

    def standing(self, key: str) -> Standing: ...

    def of(self, key: str) -> Health: ...

    def is_ailing(self, key: str) -> bool: ...


@lru_cache(maxsize=1024)
def candidates(
    model: ModelSnapshot, operation: Operation, wire: Wire, *, is_test_key: bool = False
) -> tuple[Target, ...]:
    """Every host that does this operation with this model for this key, in the catalogue's order.

    Found once for each: a snapshot never changes.
    """
    return tuple(
        _target(offering, endpoint, FREE if is_test_key else offering.rates)
        for offering in model.offerings
        if (offering.provider.is_sandbox or not is_test_key)
        and (endpoint := offering.endpoint(operation, wire)) is not None
    )


def _target(offering: OfferingSnapshot, endpoint: Endpoint, rates: Rates) -> Target:
    own, key = offering.provider.own_key, f"{offering.id}:{offering.upstream_model}"
    return Target(
        offering,
        endpoint,
        rates,
        f"{key}@{own}" if own else key,
        is_byok=bool(own),
        price=rates.input + rates.output,
    )


def plan(models: Sequence[ModelSnapshot], wants: Wants, knowledge: Knowledge) -> Plan:
    """The first of ``models`` is asked first. Without targets the rejections say why.

    What ships with the release leaves out much of what hosts take: one of which it is not known whether it takes what is
    needed is asked only when nobody else is left, and never with ``require_parameters``.
    """
    found = _plan(models, wants, knowledge, guesses=False)
    if found.targets or not _may_guess(found, wants):
        return found
    return _plan(models, wants, knowledge, guesses=True)


def _may_guess(found: Plan, wants: Wants) -> bool:
    return not wants.routing.provider.require_parameters and any(
        rejection.why is Why.LACKS and _is_guess(rejection) for rejection in found.rejected
    )


def _is_guess(rejection: Rejection) -> bool:
    """Whether its list may have left out what it lacks."""
    known = rejection.target.offering.capabilities
    return rejection.detail == SCHEMAS if known is None else not known.is_whole


def _plan(
    models: Sequence[ModelSnapshot], wants: Wants, knowledge: Knowledge, *, guesses: bool
) -> Plan:
    targets: list[Target] = []
    rejected: list[Rejection] = []
    moved = Reason.RANK
    asked, wishes = wants.routing.provider, _wishes_of(wants)
    required = wants.parameters if asked.require_parameters else frozenset[str]()
    for model in models:
        fit: list[Target] = []
        of_model = model.capabilities
        for target in candidates(model, wants.operation, wants.wire, is_test_key=wants.is_test_key):
            known = target.offering.capabilities or of_model
            beside = of_model if guesses else None
            if lacking := known.lacking(wants.needs, required, beside=beside):
                rejected.append(Rejection(target, Why.LACKS, lacking))
            elif rejection := _objection(target, wants, wishes, knowledge):
                rejected.append(rejection)
            else:
                fit.append(target)
        if len(fit) > 1:
            fit, why = _in_order(fit, wants, wishes, knowledge)
            moved = moved if targets else why
        targets += fit
    if asked.allow_fallbacks is False and not asked.order:
        rejected += [Rejection(target, Why.NO_FALLBACK) for target in targets[1:]]
        del targets[1:]
    return Plan(tuple(targets), tuple(rejected), moved)


def consider(found: Plan, wants: Wants, knowledge: Knowledge) -> tuple[Considered, ...]:
    """The plan's targets with what is known of them now."""
    wishes = _wishes_of(wants)
    first = found.targets[0].offering.model_id if found.targets else ""
    return tuple(
        Considered(
            target,
            _reason_of(target, found, place=place, first=first),
            _score(target, _sort_of(target, wants), wishes, knowledge),
            copy(knowledge.of(target.key)),
            knowledge.is_ailing(target.key),
        )
        for place, target in enumerate(found.targets)
    )


def _reason_of(target: Target, found: Plan, *, place: int, first: str) -> Reason:
    if target.offering.model_id != first:
        return Reason.FALLBACK
    if target.is_byok:
        return Reason.OWN_KEY
    return Reason.RANK if place else found.moved


def _objection(
    target: Target, wants: Wants, wishes: Wishes, knowledge: Knowledge
) -> Rejection | None:
    if wishes is not NONE and (
        why := wishes.objection(target.offering, target.rates.at(wants.least_input))
    ):
        return Rejection(target, why)
    if wants.own_only and not target.is_byok and target.offering.provider.slug in wants.own_only:
        return Rejection(target, Why.OWN_KEY_ONLY)
    if wants.extras and (unpriced := _unpriced(target, wants)):
        return Rejection(target, Why.UNPRICED, unpriced)
    room = target.offering.context_length
    if room is not None and wants.least_input > room:
        return Rejection(target, Why.NO_ROOM)
    if knowledge.standing(target.key) is Standing.OPEN:
        return Rejection(target, Why.BREAKER_OPEN)
    return None


def _unpriced(target: Target, wants: Wants) -> str:
    """The first extra that nobody could bill. A test key pays nothing, and an own key's provider bills its customer."""
    if wants.is_test_key or target.is_byok:
        return ""
    wire = target.endpoint.wire
    return next((e.param for e in wants.extras if not e.is_priced(target.rates, wire)), "")


def _in_order(
    targets: list[Target], wants: Wants, wishes: Wishes, knowledge: Knowledge
) -> tuple[list[Target], Reason]:
    sort = _sort_of(targets[0], wants)
    ranked = sorted(targets, key=lambda target: _score(target, sort, wishes, knowledge))
    if wishes.places or sort:
        return ranked, Reason.RANK
    own = [target for target in ranked if target.is_byok]
    if not own:
        return _moved(ranked, wants, knowledge)
    ours = ranked[len(own) :]
    return own + (_moved(ours, wants, knowledge)[0] if len(ours) > 1 else ours), Reason.OWN_KEY


def _moved(ranked: list[Target], wants: Wants, knowledge: Knowledge) -> tuple[list[Target], Reason]:
    """The default order, with the one in front that is to have this request."""
    if (turn := _whose_turn(ranked, wants.draw, knowledge)) is not None:
        ranked.remove(turn)
        return [turn, *ranked], Reason.SPLIT
    why = Reason.RANK
    if wants.sticky is not None and (at := _kept(ranked, wants, knowledge)):
        ranked.insert(0, ranked.pop(at))
        why = Reason.STICKY
    if wants.explores and are_equals(ranked[0], ranked[1]) and not _is_spent(ranked[1]):
        ranked[0], ranked[1] = ranked[1], ranked[0]
        why = Reason.EXPLORED
    return ranked, why


def _kept(ranked: list[Target], wants: Wants, knowledge: Knowledge) -> int:
    """The place of the host that the key stays with; 0 where that is the first, or nobody."""
    for at, target in enumerate(ranked):
        if target.offering.id == wants.sticky and not _waits(target, knowledge):
            return at if _is_near(target, ranked[0], wants.sticky_margin) else 0
    return 0


def _whose_turn(ranked: list[Target], draw: float, knowledge: Knowledge) -> Target | None:
    """Of the hosts with a weight, when there are several; one that ails or is spent waits."""
    sharing = [t for t in ranked if t.offering.weight and not _waits(t, knowledge)]
    if len(sharing) < 2:
        return None
    left = draw * sum(target.offering.weight or 0 for target in sharing)
    for target in sharing:
        left -= target.offering.weight or 0
        if left < 0:
            return target
    return sharing[-1]


def _wishes_of(wants: Wants) -> Wishes:
    asked = wants.routing.provider
    return NONE if asked is DEFAULT.provider else prepare(asked)


def _sort_of(target: Target, wants: Wants) -> Sort | None:
    routing = wants.routing
    return routing.provider.sort or wants.sorts.get(target.offering.model_id) or routing.sort


def _score(target: Target, sort: Sort | None, wishes: Wishes, knowledge: Knowledge) -> Score:
    rank = _rank(target, sort, knowledge)
    if not wishes.places:
        return rank
    return (_is_spent(target), wishes.place(target.offering), *rank)


def _rank(target: Target, sort: Sort | None, knowledge: Knowledge) -> Score:
    """Smaller is better. What is not known comes last; equal ones stay in the catalogue's order, own keys first.

    The price is the listed one also of an own key, whose provider bills the customer itself.
    """
    offering = target.offering
    provider = offering.provider
    if sort == "price":
        return (provider.is_spent, target.price)
    health = knowledge.of(target.key)
    first = NEVER if health.first_content_ms is None else health.first_content_ms
    if sort == "latency":
        return (provider.is_spent, first, target.price)
    if sort == "throughput":
        return (provider.is_spent, -(health.tokens_per_second or 0.0), target.price)
    return (
        not target.is_byok,
        provider.is_spent,
        knowledge.is_ailing(target.key),
        offering.priority,
        provider.priority,
        target.price,
        first,
    )


def _is_spent(target: Target) -> bool:
    return target.offering.provider.is_spent


def _waits(target: Target, knowledge: Knowledge) -> bool:
    """Whether nothing moves it up."""
    return _is_spent(target) or knowledge.is_ailing(target.key)


def are_equals(one: Target, other: Target) -> bool:
    """Whether the operator has no wish which of them comes first."""
    return (one.offering.priority, one.offering.provider.priority) == (
        other.offering.priority,
        other.offering.provider.priority,
    )


def _is_near(target: Target, best: Target, margin: float) -> bool:
    """Whether staying with this one costs little."""
    return are_equals(target, best) and target.price <= best.price * (1 + margin)
