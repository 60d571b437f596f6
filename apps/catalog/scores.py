"""Scores: how good, dear and quick a model is, as far as the catalogue tells. Pure; made once for a snapshot.

The automatic routers choose by them. What no published result tells is inferred from the price, the size and generation
in the name, the context and what it can do, and is marked so. Guesses of this kind order models; they do not measure them.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from math import log10, sqrt
from statistics import median

from apps.catalog.benchmarks import BENCHMARKS, Benchmarks, Result, results_in
from apps.catalog.capabilities import REASONING, TOOLS
from apps.catalog.categories import CODE
from apps.catalog.providers.canonical import VARIANT, same_model_key
from apps.catalog.snapshots import ModelSnapshot
from apps.common.money import NANO_PER_USD

NOT_GENERAL = re.compile(
    # Made for one purpose, and wrong for whoever asks for "a model": classifiers, readers of scans, translators,
    # searchers, appliers of edits, players of roles, trades …
    r"(?<![a-z])(?:guard|safeguard|llamaguard|safety|moderation|ocr|olmocr|paddleocr|translate|mt|hy-mt2|indictrans2"
    r"|search|online|deep-research|apply|edit|intent|phone|asr|math|prover|character|role-?play|rp|her|cyber|cybersecurity"
    r"|rosalind|fin|sante|ui-tars|sonar|fugu|multi-agent|v0|morph"
    # … squeezed into fewer bits under a name of its own, not taught to answer, or taught never to decline; and trials that
    # may be gone tomorrow.
    r"|int4|int8|awq|gptq|fp8|base|pt|uncensored|abliterated|obliterated|derestricted|unhinged|heretic|unslop"
    r"|experimental|exp|nightly)(?![a-z])"
)
SPED_UP = re.compile(r"-(?:fast|turbo|highspeed|ultraspeed|prime|priority)$")
"""The same model sooner, at a price that says nothing of its quality."""
QUICK = re.compile(
    r"(?<![a-z])(?:fast|flash|flashx|turbo|instant|mini|nano|lite|micro|haiku|small|tiny|spark|lightning"
    r"|highspeed|ultraspeed|edge)(?![a-z])"
)
THINKS_ALWAYS = re.compile(
    r"(?<![a-z])(?:think|thinking|reasoner|reasoning|r1|qwq|o[1-9]|pro)(?![a-z])"
)
SIZE = re.compile(r"(?<![a-z\d.])(?:(\d+)x)?(\d+(?:\.\d+)?)([bt])(?![a-z\d])")
"""``70b``, ``8x22b``, ``2.4t``: parameters."""
ACTIVE = re.compile(r"(?<![a-z])a(\d+(?:\.\d+)?)b(?![a-z\d])")
"""``a22b``: those of them that work on each token."""
GENERATION = re.compile(r"([a-z]*?)-?(\d{1,2}(?:[.-]\d{1,2}(?![\dbk]))?)(?![\dbk])")
"""``gpt-5.5``, ``claude-opus-4-7``, ``kimi-k3``: a letter before the number is a line of its own, but for ``v``."""
RELEASED = re.compile(r"(?<!\d)20(2\d)-?(0[1-9]|1[0-2])|-(2[3-9])(0[1-9]|1[0-2])(?!\d)")
"""``2025-08-07``, ``20250929``, ``2512``: the year and the month of a release."""

DEAREST, CHEAPEST = 50, 0.05
"""Dollars for a million tokens of output. What is asked beyond is for names and speed, not for quality."""
MOST_BEHIND = 20
"""Points that a model of the past loses."""
UNKNOWN_AGE = 8


class ScoreSource(StrEnum):
    BENCHMARK = "benchmark"
    INFERRED = "inferred"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Scored:
    """A model that a router may choose. Points are 0 to 100 and compare models of one snapshot."""

    model: ModelSnapshot
    quality: float
    code: float
    """Its quality when it writes code."""
    speed: float
    """Always inferred."""
    price: int
    """Nano-USD for a million tokens at the host asked first, three of input to one of output."""
    source: ScoreSource
    code_source: ScoreSource
    can: frozenset[str]
    """In the catalogue's words: the modalities that it takes, ``tools``, ``structured_outputs``, ``response_format``,
    ``reasoning``. What is not known of it is not there."""


def score(
    models: Iterable[ModelSnapshot], *, benchmarks: Benchmarks = BENCHMARKS
) -> tuple[Scored, ...]:
    """Those that a router may choose, by id: priced, at a host that can be asked, made to converse, of known context."""
    fitting = [model for model in models if is_general(model)]
    prices = {same_model_key(model.id): _output_price(model) for model in fitting}
    newest = _newest(fitting)
    inferred = [_infer(model, prices, newest) for model in fitting]
    found = _rank_by(inferred, results_in("general", benchmarks), "quality", "source")
    found = _rank_by(found, results_in("code", benchmarks), "code", "code_source")
    return tuple(sorted(found, key=lambda scored: scored.model.id))


def is_general(model: ModelSnapshot) -> bool:
    """A special way of offering a model, ``:free`` for one, is for those who name it."""
    _, colon, variant = model.id.rpartition(":")
    return (
        any(offering.context_length for offering in model.offerings)
        and set(model.output_modalities) == {"text"}
        and "text" in model.input_modalities
        and not (colon and VARIANT.match(variant))
        and not NOT_GENERAL.search(model.id.lower())
    )


def _infer(
    model: ModelSnapshot, prices: Mapping[str, float], newest: Mapping[str, float]
) -> Scored:
    name = model.id.lower().rpartition("/")[2]
    can = _abilities(model)
    price = _output_price(model)
    plain = prices.get(same_model_key(SPED_UP.sub("", model.id)), price)
    quality = _by_price_and_size(min(price, plain), name) - _behind(model, newest)
    quality += 4 * ("reasoning" in can) + 2 * ("tools" in can) - 6 * ("distill" in name)
    context = max(offering.context_length or 0 for offering in model.offerings)
    quality += (context >= 128_000) + (context >= 200_000)
    # What many companies think worth hosting is worth asking, and with a second host there is failover.
    hosts = len({offering.provider.slug for offering in model.offerings})
    quality += min(6, 1.5 * hosts.bit_length() * (hosts > 1))
    writes_code = bool(CODE.search(name))
    rates = model.offerings[0].rates
    return Scored(
        model=model,
        quality=_clamp(quality - 5 * writes_code),
        code=_clamp(quality + 5 * writes_code),
        speed=_speed(name, price, thinks="reasoning" in can),
        # A fee for each request, as if requests had a thousand tokens.
        price=(3 * rates.input + rates.output) // 4 + 1000 * rates.request,
        source=ScoreSource.INFERRED,
        code_source=ScoreSource.INFERRED,
        can=can,
    )


def _abilities(model: ModelSnapshot) -> frozenset[str]:
    parameters = set(model.supported_parameters)
    can = set(model.input_modalities) | (parameters & {"structured_outputs", "response_format"})
    if parameters & TOOLS:
        can.add("tools")
    if parameters & REASONING:
        can.add("reasoning")
    return frozenset(can)


def _output_price(model: ModelSnapshot) -> float:
    """Dollars for a million tokens of output at the middle one of its hosts."""
    return median(offering.rates.output for offering in model.offerings) / NANO_PER_USD


def _by_price_and_size(price: float, name: str) -> float:
    """By ten times the price, or ten times the parameters, 15 points: $1 is worth 50, eight billion are 54."""
    by_price = 50 + 15 * log10(min(max(price, CHEAPEST), DEAREST))
    billions = _billions(name)
    return by_price if billions is None else (by_price + 40 + 15 * log10(max(billions, 0.1))) / 2


def _billions(name: str) -> float | None:
    """Parameters that count: of a mixture of experts the geometric mean of all and of those that work on a token.

    Without the number of those, what is larger than a hundred is taken for a mixture of which a twentieth works.
    """
    sizes = [
        float(number) * int(experts or 1) * (1000 if unit == "t" else 1)
        for experts, number, unit in SIZE.findall(name)
    ]
    if not sizes:
        return None
    active = ACTIVE.search(name)
    whole = max(sizes)
    working = float(active.group(1)) if active else whole / 20 if whole > 100 else whole
    return sqrt(whole * working)


def _newest(models: Iterable[ModelSnapshot]) -> dict[str, float]:
    """The highest generation of each line of models, and under an empty name the latest release of all, in years."""
    newest: dict[str, float] = defaultdict(float)
    for model in models:
        if found := _generation(model):
            line, generation = found
            newest[line] = max(newest[line], generation)
        if released := _released(model):
            newest[""] = max(newest[""], released)
    return newest


def _behind(model: ModelSnapshot, newest: Mapping[str, float]) -> float:
    """Points that it loses for its age: half a generation's number or three years of release cost all of them."""
    behind: list[float] = []
    if found := _generation(model):
        line, generation = found
        behind.append(40 * (1 - generation / newest[line]))
    if released := _released(model):
        behind.append(7 * (newest[""] - released))
    return min(max(behind, default=UNKNOWN_AGE), MOST_BEHIND)


def _generation(model: ModelSnapshot) -> tuple[str, float] | None:
    owner, _, name = model.id.lower().rpartition("/")
    found = GENERATION.search(name)
    if found is None:
        return None
    generation = float(found.group(2).replace("-", "."))
    letter = found.group(1) if len(found.group(1)) == 1 and found.group(1) != "v" else ""
    family = re.match(r"[a-z]*", name)
    return (
        (f"{owner}/{family.group() if family else ''} {letter}", generation) if generation else None
    )


def _released(model: ModelSnapshot) -> float | None:
    found = RELEASED.search(model.id)
    if found is None:
        return None
    year, month, short_year, short_month = found.groups()
    return float(year or short_year) + float(month or short_month) / 12


def _speed(name: str, price: float, *, thinks: bool) -> float:
    """What is cheap is small, and what is small is quick; thinking takes time."""
    points = 65 - 15 * log10(min(max(price, CHEAPEST), DEAREST))
    points += 12 * bool(QUICK.search(name))
    return _clamp(points - (25 if THINKS_ALWAYS.search(name) else 5 * thinks))


def _rank_by(
    found: list[Scored], results: Mapping[str, Result], points: str, source: str
) -> list[Scored]:
    """Models with a published result exchange their inferred points among each other until they stand in its order.

    So a benchmark decides between those that it has measured, on the scale of those that it has not.
    """
    measured = [scored for scored in found if scored.model.id in results]
    ranks = sorted(measured, key=lambda scored: (results[scored.model.id].value, scored.model.id))
    given = sorted(getattr(scored, points) for scored in measured)
    changed = {
        scored.model.id: replace(scored, **{points: value, source: ScoreSource.BENCHMARK})
        for scored, value in zip(ranks, given, strict=True)
    }
    return [changed.get(scored.model.id, scored) for scored in found]


def _clamp(points: float) -> float:
    return round(min(max(points, 0.0), 100.0), 2)
