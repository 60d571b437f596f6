"""Routers: names that stand for a choice of a model, what each of their modes weighs, and the models in that order.

    router:general    auto, gatewayz/auto, openrouter/auto       modes quality, cost, latency, balanced
    router:code                                                  modes auto, price, quality, agentic

Which of the ordered models can do what a request needs is looked at in apps.inference.features.auto_router. Pure.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from functools import lru_cache
from typing import Any

from apps.catalog.scores import Scored, score
from apps.catalog.snapshots import CatalogSnapshot
from apps.common.errors import InvalidRequest


class Area(StrEnum):
    GENERAL = "general"
    CODE = "code"


class Demand(IntEnum):
    """How much a request asks of a model."""

    SIMPLE = 0
    ORDINARY = 1
    HARD = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Mode:
    """What decides between the models that are good enough for a request.

    Each weight is for a place among all models, from 0 to 100, so that a dollar need not be compared with a point. A mode
    that weighs one thing alone takes the best there is in it.
    """

    name: str
    description: str
    quality: float = 0
    price: float = 0
    speed: float = 0
    floors: tuple[int, int, int] = (0, 0, 0)
    """By demand: the percentage of models that are not good enough. They are chosen when nothing better can do it."""
    wants: frozenset[str] = frozenset()
    """What a model must be able to do to count as good enough, whether or not this request needs it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Router:
    id: str
    description: str
    area: Area | None
    """What the model is for; None when the request tells."""
    modes: tuple[Mode, ...]
    default: str
    aliases: tuple[str, ...] = ()


# Floors: a greeting is answered well by the better two thirds of all models, a proof by few. Prices differ a thousandfold
# and quality by little at the top, so a balanced mode that did not hold the floor would always take what is cheapest.
EASY = (35, 60, 80)
ROUTERS: tuple[Router, ...] = (
    Router(
        id="router:general",
        description="Chooses a model for anything; for code, as the router for code does.",
        area=None,
        default="balanced",
        aliases=("auto", "gatewayz/auto", "openrouter/auto"),
        modes=(
            Mode(name="quality", description="The best model, whatever it costs.", quality=1),
            Mode(name="cost", description="The cheapest that is good enough.", price=1, floors=EASY),
            Mode(name="latency", description="The quickest that is good enough.", speed=1, floors=EASY),
            Mode(
                name="balanced", description="Good answers at a fair price, and soon.",
                quality=0.6, price=0.3, speed=0.1, floors=(60, 75, 88),
            ),
        ),
    ),
    Router(
        id="router:code",
        description="Chooses a model that writes and reads code.",
        area=Area.CODE,
        default="auto",
        modes=(
            Mode(
                name="auto", description="Good code at a fair price.",
                quality=0.65, price=0.3, speed=0.05, floors=(65, 80, 90),
            ),
            Mode(name="price", description="The cheapest that is good enough.", price=1, floors=(45, 65, 80)),
            Mode(name="quality", description="The best model, whatever it costs.", quality=1),
            # An agent's mistakes add up over dozens of turns, and it is of no use without tools.
            Mode(
                name="agentic", description="For agents: among the best of those that call tools.",
                quality=0.8, price=0.15, speed=0.05, floors=(88, 92, 95), wants=frozenset({"tools"}),
            ),
        ),
    ),
)  # fmt: skip
PREFIX = "router:"


@dataclass(frozen=True, slots=True)
class Named:
    """What a name asks for."""

    router: Router
    mode: Mode

    @property
    def id(self) -> str:
        return f"{self.router.id}:{self.mode.name}"


def _names() -> dict[str, Named]:
    found: dict[str, Named] = {}
    for router in ROUTERS:
        modes = {mode.name: Named(router, mode) for mode in router.modes}
        found |= {f"{router.id}:{name}": named for name, named in modes.items()}
        found |= dict.fromkeys((router.id, *router.aliases), modes[router.default])
    return found


NAMES: Mapping[str, Named] = _names()
"""In lower case."""


def find_router(name: str) -> Named | None:
    """What a model's name asks for when it is a router's; None for a model. Raises InvalidRequest for a mode that is not there."""
    lowered = name.lower()
    named = NAMES.get(lowered)
    if named is None and is_router(name):
        valid = ", ".join(known for known in sorted(NAMES) if known.startswith(PREFIX))
        raise InvalidRequest(
            f"There is no router '{name[:60]}'; there are {valid}.",
            param="model",
            code="invalid_value",
        )
    return named


def is_router(name: str) -> bool:
    """Whether it is meant to be one, in whatever mode."""
    lowered = name.lower()
    base = lowered.rpartition(":")[0]
    return lowered in NAMES or lowered.startswith(PREFIX) or base in NAMES


@dataclass(frozen=True, slots=True, eq=False)
class Pool:
    """Models among which a choice is made, with their orders; places are among these."""

    models: tuple[Scored, ...]
    is_sandbox: bool
    """They answer at the sandbox, else at the hosts that are none."""
    orders: dict[tuple[str, Area, Demand], tuple[Scored, ...]] = field(
        default_factory=dict, init=False, repr=False
    )

    def __post_init__(self) -> None:
        """All orders at once: each is asked for again and again, and together they take milliseconds."""
        speed = _places([scored.speed for scored in self.models])
        price = _places([-scored.price for scored in self.models])
        for area in Area:
            qualities = [quality_in(scored, area) for scored in self.models]
            quality = _places(qualities)
            for named in set(NAMES.values()):
                if named.router.area in (None, area):
                    points = [
                        named.mode.quality * q + named.mode.price * p + named.mode.speed * s
                        for q, p, s in zip(quality, price, speed, strict=True)
                    ]
                    for demand in Demand:
                        order = self._order(named.mode, area, points, quality, demand)
                        self.orders[named.id, area, demand] = order

    def _order(
        self, mode: Mode, area: Area, points: list[float], places: list[float], demand: Demand
    ) -> tuple[Scored, ...]:
        """Good enough before not, then by points, or by quality what is not. Of equals the better, the cheaper, the plainer name."""
        floor = mode.floors[demand]
        keys = [
            (
                not good,
                -point if good else 0,
                -quality_in(scored, area),
                scored.price,
                len(scored.model.id),
                scored.model.id,
            )
            for scored, point, place in zip(self.models, points, places, strict=True)
            for good in (place >= floor and mode.wants <= scored.can,)
        ]
        return tuple(self.models[index] for index in sorted(range(len(keys)), key=keys.__getitem__))


def quality_in(scored: Scored, area: Area) -> float:
    return scored.code if area is Area.CODE else scored.quality


def _places(values: list[float]) -> list[float]:
    """For each the percentage of values that are smaller."""
    ordered = sorted(values)
    return [100 * bisect_left(ordered, value) / len(ordered) for value in values]


@dataclass(frozen=True, slots=True, eq=False)
class Pools:
    real: Pool
    sandbox: Pool
    """What answers without a model behind it, for test keys and where there is nothing else."""


@lru_cache(maxsize=2)
def pools_of(snapshot: CatalogSnapshot) -> Pools:
    """Two are kept: requests that are under way may still have the former one."""
    scored = score(snapshot.models.values())
    return Pools(real=_pool(scored, is_sandbox=False), sandbox=_pool(scored, is_sandbox=True))


def _pool(scored: Iterable[Scored], *, is_sandbox: bool) -> Pool:
    served = (
        found
        for found in scored
        if any(offering.provider.is_sandbox is is_sandbox for offering in found.model.offerings)
    )
    return Pool(tuple(served), is_sandbox)


def _sources(models: Iterable[Scored], area: Area | None) -> dict[str, int]:
    sources = Counter(
        str(scored.code_source if area is Area.CODE else scored.source) for scored in models
    )
    return dict(sorted(sources.items()))


def router_cards(snapshot: CatalogSnapshot) -> list[dict[str, Any]]:
    """What GET /v1/routers says of them."""
    pools = pools_of(snapshot)
    models = (pools.real if pools.real.models else pools.sandbox).models
    return [
        {
            "id": router.id,
            "description": router.description,
            "aliases": list(router.aliases),
            "default_mode": router.default,
            "modes": [
                {
                    "id": f"{router.id}:{mode.name}",
                    "description": mode.description,
                    "weights": {
                        "quality": mode.quality,
                        "price": mode.price,
                        "speed": mode.speed,
                    },
                }
                for mode in router.modes
            ],
            "models": len(models),
            "score_sources": _sources(models, router.area),
        }
        for router in ROUTERS
    ]
