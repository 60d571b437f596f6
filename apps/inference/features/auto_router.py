"""The automatic routers: from a router's name and what a request looks like to a model that can do it. Pure, no call, no clock.

    name ──► router, mode          catalog/routers.py
    request ──► area, demand       here, from a few of its bytes
    orders ──► the first model that can do what is needed, at hosts with room for it that the request allows; and the next ones

The orders are made once for each state of the catalogue, so that a choice is a walk to the first model that fits: microseconds.
"""

from collections.abc import Container, Iterable
from dataclasses import replace
from typing import Any

import msgspec
from django.conf import settings

from apps.catalog.benchmarks import tell_result
from apps.catalog.providers.spec import Operation, Wire
from apps.catalog.routers import Area, Demand, Named, Pool, find_router, pools_of, quality_in
from apps.catalog.scores import Scored, ScoreSource
from apps.catalog.selectors import CatalogSnapshot, ModelSnapshot, OfferingSnapshot
from apps.common.errors import AllProvidersFailed, ContextTooLong, InvalidRequest
from apps.inference import tokens
from apps.inference.operations import Surface
from apps.inference.planner import FREE
from apps.inference.preferences import nobody_allowed
from apps.inference.requests.common import RequestFacts
from apps.inference.wishes import FIELDS, NONE, Why, Wishes

CONVERSATIONS = frozenset({Operation.CHAT, Operation.COUNT_TOKENS})

SAMPLE = 4096
"""Bytes of the body that are looked at, at its beginning and at its end: the system's words, and the latest turn."""
SHORT = 1500
"""Bytes of text up to which a request may be a simple one."""
LONG = 60_000
"""From here on there is much to keep in mind."""

# Looked for in the body's own JSON, in lower case, where a new line is \n; plain searches for bytes, a tenth of what a pattern
# costs. What needs a blank before it may stand in quotation marks in any schema: a tool is a "function" whatever it does.
CODE: tuple[bytes, ...] = (
    b"```", b"\\ndef ", b"\\nclass ", b"\\nimport ", b"\\nfrom ", b"\\nfunc ", b"\\nfn ", b"\\nconst ", b"\\nlet ", b"\\nvar ",
    b"\\nreturn ", b"\\n    return", b"\\n#include", b"\\n@@ ", b"def __", b"function(", b");\\n", b") {\\n", b"){\\n", b"=> {", b"=>{",
    b"select * from", b" inner join ", b"traceback (most recent", b"typeerror", b"syntaxerror", b"nullpointerexception",
    b"segmentation fault", b"stack trace", b".py", b".tsx", b".cpp", b"c++", b" sql", b" python", b" javascript", b" typescript",
    b" rust ", b" django", b" react ", b" regex", b" refactor", b"unit test", b" function", b" compiler", b" bug ", b" script ",
    b" algorithm", b"pull request", b"code review", b"codebase",
)  # fmt: skip
LEAST_CODE = 2
"""Signs that make it code; one alone may stand in any text."""
HARD: tuple[bytes, ...] = (
    b"\\\\frac", b"\\\\sum", b"\\\\int", b"\\\\sqrt", b"\\\\lim", b"\\\\mathbb", b"\\\\begin{", b"prove ", b" proof", b"theorem",
    b" lemma", b"by induction", b" integral", b"derivative", b"eigenvalue", b"step by step", b"olympiad", b" deduce",
    b"trade-off",
)  # fmt: skip
ASCII = bytes(range(128))
ESCAPED = b"\\u"
"""Begins the six bytes of a character that a client escaped."""
FOREIGN = 0.2
"""The share of bytes outside ASCII beyond which a text is in no Latin script, where small models are weak."""

RUNNERS_UP = 2
"""Models that are asked, one after the other, when no host of the chosen one can answer."""
DEARER = 2
"""Times the chosen one's price that a runner-up may cost: credit is set aside for the dearest of them."""
NO_BOUND = float("inf")

ROOM = 1.5
"""An estimate of four bytes a token is short by so much at most, for code and for scripts of East Asia."""


class Features(msgspec.Struct, frozen=True):
    """What of a request decides between models, beside what they must be able to do."""

    area: Area
    demand: Demand
    reasons: tuple[str, ...]


class Choice(msgspec.Struct, frozen=True):
    """Which model a router has chosen, and why."""

    router: str
    """With its mode, whichever name was asked for."""
    model: str
    area: str
    demand: str
    needs: tuple[str, ...]
    reasons: tuple[str, ...]
    """What in the request made it of this area and demand."""
    score: float
    """The model's quality in the area, 0 to 100."""
    score_source: str
    benchmark: dict[str, Any] | None
    """The result that the score comes from, with its source; None of one that is inferred."""
    passed_over: int
    """Models that the mode prefers and that cannot do it, or have no host with room for it that the request allows."""
    runners_up: tuple[str, ...] = ()
    """Models that are asked when no host of the chosen one can answer."""


Chosen = tuple[tuple[ModelSnapshot, ...], Choice]
"""The models to ask, the chosen one first."""


class Asked(msgspec.Struct, frozen=True):
    """What the request wants of the hosts, and how many models beside the chosen one."""

    wire: Wire
    wishes: Wishes = NONE
    parameters: frozenset[str] = frozenset()
    """That a model must be known to take."""
    is_free: bool = False
    runners_up: int = 0

    def is_taken_by(self, model: ModelSnapshot) -> bool:
        taken = (model.supported_parameters, model.input_modalities)
        return not self.parameters or self.parameters <= set().union(*taken)

    def objection(self, offering: OfferingSnapshot) -> Why | None:
        if self.wishes is NONE:
            return None
        return self.wishes.objection(offering, FREE if self.is_free else offering.rates)


def choose(
    facts: RequestFacts,
    body: bytes,
    snapshot: CatalogSnapshot,
    *,
    surface: Surface,
    is_test_key: bool,
    wishes: Wishes = NONE,
    parameters: frozenset[str] = frozenset(),
    runners_up: int = 0,
) -> Chosen | None:
    """The models that a router chooses, each with the hosts that have room; None when the name asked for is no router's.

    Raises InvalidRequest for a mode that is not there, for what is no conversation, and for what no model can do or no host may; ContextTooLong
    when the room is what lacks; AllProvidersFailed when there is nothing to choose from.
    """
    named = find_router(facts.model)
    if named is None:
        return None
    if surface.operation not in CONVERSATIONS:
        raise InvalidRequest(
            f"'{facts.model}' chooses among models that converse; name a model here.",
            param="model",
            code="model_not_supported",
        )
    pools = pools_of(snapshot)
    pool = pools.sandbox if is_test_key or not pools.real.models else pools.real
    if not pool.models:
        raise AllProvidersFailed("There is no model to choose from now.")
    asked = Asked(surface.wire, wishes, parameters, is_free=is_test_key, runners_up=runners_up)
    return pick(named, pool, facts, read(named, facts, body), asked)


def pick(named: Named, pool: Pool, facts: RequestFacts, features: Features, asked: Asked) -> Chosen:
    """The first in the mode's order that can do it, and the next ones. Raises InvalidRequest or ContextTooLong."""
    needs = facts.needs | {"reasoning"} if facts.reasoning else facts.needs
    room, output = _room(facts)
    lacks_room, unwanted = False, set[Why]()
    found: list[tuple[ModelSnapshot, Scored]] = []
    passed_over, most = 0, NO_BOUND
    for position, scored in enumerate(pool.orders[named.id, features.area, features.demand]):
        if scored.price > most or not needs <= scored.can or not asked.is_taken_by(scored.model):
            continue
        askable = [
            offering
            for offering in scored.model.offerings
            if offering.provider.is_sandbox is pool.is_sandbox
            and offering.endpoint(Operation.CHAT, asked.wire) is not None
            and (
                offering.capabilities is None
                or not offering.capabilities.lacking(
                    needs, asked.parameters, beside=scored.model.capabilities
                )
            )
        ]
        hosts = tuple(offering for offering in askable if _holds(offering, room, output))
        objections = [asked.objection(host) for host in hosts]
        if None not in objections:
            lacks_room = lacks_room or bool(askable)
            unwanted.update(why for why in objections if why is not None)
            continue
        model = scored.model
        found.append(
            (model if hosts == model.offerings else replace(model, offerings=hosts), scored)
        )
        if len(found) == 1:
            passed_over, most = position, DEARER * scored.price
        if len(found) > asked.runners_up:
            break
    if not found:
        raise _nothing(
            facts, needs | asked.parameters, room, lacks_room=lacks_room, unwanted=unwanted
        )
    models = tuple(model for model, _ in found)
    choice = _tell(named, found[0][1], features, needs, passed_over=passed_over)
    runners_up = tuple(model.id for model in models[1:])
    return models, msgspec.structs.replace(choice, runners_up=runners_up)


def _room(facts: RequestFacts) -> tuple[int, int]:
    """Tokens of context that an answer takes with its input, and the longest answer that was allowed (0 when none was named)."""
    allowed = facts.max_output_tokens or 0
    estimate = int(tokens.estimate_input(facts) * ROOM)
    return estimate + (allowed or settings.EXPECTED_OUTPUT_TOKENS), allowed


def _holds(offering: OfferingSnapshot, room: int, output: int) -> bool:
    """Whether it certainly has room: a host that does not tell its context is not asked."""
    most = offering.max_output_tokens
    return (offering.context_length or 0) >= room and (most is None or most >= output)


def _tell(
    named: Named, scored: Scored, features: Features, needs: Iterable[str], *, passed_over: int
) -> Choice:
    source = scored.code_source if features.area is Area.CODE else scored.source
    return Choice(
        router=named.id,
        model=scored.model.id,
        area=features.area.value,
        demand=features.demand.name.lower(),
        needs=tuple(sorted(needs)),
        reasons=features.reasons,
        score=quality_in(scored, features.area),
        score_source=source.value,
        benchmark=tell_result(features.area.value, scored.model.id)
        if source is ScoreSource.BENCHMARK
        else None,
        passed_over=passed_over,
    )


def _nothing(
    facts: RequestFacts,
    needs: Iterable[str],
    room: int,
    *,
    lacks_room: bool,
    unwanted: Container[Why],
) -> InvalidRequest:
    if fields := [field for why, field in FIELDS.items() if why in unwanted]:
        return nobody_allowed(
            fields[-1],
            f"'{fields[-1]}' leaves no provider of any model that '{facts.model}' may choose for this.",
        )
    if lacks_room:
        return ContextTooLong(
            f"No model that can do this has room for about {room:,} tokens of input and output.",
            param="messages",
        )
    wanted = ", ".join(sorted(needs)) or "a conversation"
    return InvalidRequest(
        f"No model that '{facts.model}' may choose now is known to be able to do what is asked: {wanted}.",
        param="model",
        code="model_not_supported",
    )


def read(named: Named, facts: RequestFacts, body: bytes) -> Features:
    """The area and the demand of a request, by signs that cost microseconds to see, however long it is."""
    sample = body if len(body) <= 2 * SAMPLE else body[:SAMPLE] + body[-SAMPLE:]
    code, hard, is_foreign = _signs(sample)
    reasons: list[str] = []
    if code >= LEAST_CODE:
        reasons.append("code")
    if facts.reasoning:
        reasons.append("reasoning asked for")
    if hard:
        reasons.append("mathematics or deduction")
    if is_foreign:
        reasons.append("no Latin script")
    if facts.text_bytes > LONG:
        reasons.append("long input")
    elif facts.text_bytes > SHORT:
        reasons.append("more than a few sentences")
    if facts.needs:
        reasons.append("more than text")
    if facts.reasoning or hard >= 2 or facts.text_bytes > LONG:
        demand = Demand.HARD
    else:
        demand = Demand.ORDINARY if reasons else Demand.SIMPLE
    area = named.router.area or (Area.CODE if code >= LEAST_CODE else Area.GENERAL)
    return Features(area, demand, tuple(reasons))


def _signs(sample: bytes) -> tuple[int, int, bool]:
    """How many different signs of code and of deduction there are, and whether most of it is in another script."""
    foreign = len(sample.translate(None, ASCII)) + 6 * sample.count(ESCAPED)
    lowered = sample.lower()
    code = sum(sign in lowered for sign in CODE)
    hard = sum(sign in lowered for sign in HARD)
    return code, hard, foreign > FOREIGN * len(sample)
