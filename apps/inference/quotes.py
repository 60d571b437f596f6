"""Quotes: what a request would cost, found by the steps of the pipeline up to the hold, which is not placed.

Nothing is charged, held, counted against limits, recorded or sent.
"""

import msgspec
import orjson

from apps.billing.selectors import credit_of, trial_that_ended
from apps.catalog.cards import exact_usd, per_token
from apps.catalog.providers.spec import Operation
from apps.catalog.routers import is_router
from apps.catalog.selectors import catalog
from apps.common.db import run_db
from apps.common.errors import GatewayzError, InvalidRequest
from apps.common.ids import new_id
from apps.common.usage import Rates
from apps.inference import admission, bounds, choosing, conversations
from apps.inference.context import RequestContext
from apps.inference.explaining import describe
from apps.inference.lanes import lane_for
from apps.inference.operations import (
    CHAT_COMPLETIONS,
    COMPLETIONS,
    EMBEDDINGS,
    IMAGES,
    MESSAGES,
    MODERATIONS,
    RERANK,
    RESPONSES,
    SPEECH,
    Surface,
    find_surface,
)
from apps.inference.planner import FREE, Target, Why
from apps.inference.quote_schemas import (
    Amount,
    Candidate,
    ContextFit,
    Quote,
    QuotedCost,
    QuotedRates,
    Refusal,
    RouterChoice,
)
from apps.inference.relay import Body
from apps.inference.requests.common import check
from apps.inference.route_schemas import PlannedRoute
from apps.inference.runtime import current
from apps.keys.selectors import KeySnapshot

SHAPES: tuple[tuple[frozenset[str], tuple[Surface, ...]], ...] = (
    (frozenset({"messages", "system"}), (MESSAGES,)),
    (frozenset({"messages", "stop_sequences"}), (MESSAGES,)),
    (frozenset({"messages", "thinking"}), (MESSAGES,)),
    (frozenset({"query", "documents"}), (RERANK,)),
    (frozenset({"input", "voice"}), (SPEECH,)),
    (frozenset({"input"}), (EMBEDDINGS, MODERATIONS, RESPONSES)),
    (frozenset({"prompt"}), (IMAGES, COMPLETIONS)),
)
"""Fields that tell a body's surface; where they leave several, it is the first that the model is made for."""


class Asked(msgspec.Struct, forbid_unknown_fields=True):
    """The body of a quote. The request inside is read as its own bytes, as it would be if it were sent."""

    request: msgspec.Raw
    path: str | None = None


async def quote(raw: bytes, key: KeySnapshot) -> Quote:
    """Raises what the request itself would be refused with, its fields named from ``request`` on."""
    asked = check(raw, Asked)
    context = await _context_of(asked, key)
    try:
        body = admission.read_body(context)
        if context.surface.is_kept:
            assert isinstance(body, dict)
            body = await conversations.expand(context, body)
        await choosing.choose(context, body, current())
        hold = admission.hold_amount(context) if _is_held(context) else 0
        credit = await run_db(credit_of, key.organization_id)
        refused = await _refused(context, hold, available=credit.available)
        candidates = [_candidate(context, target, body, refused) for target in _hosts(context)]
    except GatewayzError as error:
        raise _inside(error) from None
    assert context.model is not None
    return Quote(
        path=asked.path or context.surface.paths[0],
        model=context.model.id,
        router=_router(context),
        input_tokens=context.estimated_input,
        output_tokens=max(0, context.estimated_tokens - context.estimated_input),
        hold=_amount(hold),
        available=_amount(credit.available),
        affordable=hold <= credit.available,
        refusal=_tell(refused),
        candidates=candidates,
    )


async def route(raw: bytes, key: KeySnapshot) -> PlannedRoute:
    """The hosts that the request would be sent to, in order. Raises what the request itself would be refused
    with, unless that is for want of a host: then ``rejected`` says why of each."""
    asked = check(raw, Asked)
    context = await _context_of(asked, key)
    refused: GatewayzError | None = None
    try:
        body = admission.read_body(context)
        if context.surface.is_kept:
            assert isinstance(body, dict)
            body = await conversations.expand(context, body)
        await choosing.choose(context, body, current())
    except GatewayzError as error:
        refused = _inside(error)
        if not context.rejected:
            raise refused from None
    assert context.model is not None
    return PlannedRoute(
        path=asked.path or context.surface.paths[0],
        model=context.model.id,
        router=_router(context),
        refusal=_tell(refused),
        **describe(context),
    )


def _inside(error: GatewayzError) -> GatewayzError:
    """The error with its field named from ``request`` on."""
    if error.param is not None or isinstance(error, InvalidRequest):
        error.param = f"request.{error.param}" if error.param else "request"
    return error


async def _context_of(asked: Asked, key: KeySnapshot) -> RequestContext:
    body = bytes(asked.request)
    found = find_surface(asked.path) if asked.path else (await _surface_of(body), {})
    if found is None:
        raise InvalidRequest(
            "'path' is none that spends at a provider.", param="path", code="invalid_value"
        )
    surface, path_fields = found
    if surface.read_form is not None:
        raise InvalidRequest(
            "'path' takes a form with files; only JSON bodies can be quoted.",
            param="path",
            code="invalid_value",
        )
    return RequestContext(
        id=new_id("quote"), surface=surface, body=body, headers={}, path_fields=path_fields, key=key
    )


async def _surface_of(raw: bytes) -> Surface:
    """Chat completions unless the fields say otherwise; what is no object is refused when it is read."""
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError:
        return CHAT_COMPLETIONS
    if not isinstance(body, dict):
        return CHAT_COMPLETIONS
    surfaces = next((found for fields, found in SHAPES if fields <= body.keys()), ())
    name = str(body.get("model") or "")
    if is_router(name):
        fitting = [found for found in surfaces if found.operation is Operation.CHAT]
    else:
        model = (await catalog.fresh()).resolve(name)
        fitting = [found for found in surfaces if model is not None and model.does(found.operation)]
    return next(iter(fitting or surfaces), CHAT_COMPLETIONS)


def _router(context: RequestContext) -> RouterChoice | None:
    choice = context.choice
    return None if choice is None else RouterChoice(**msgspec.structs.asdict(choice))


def _is_held(context: RequestContext) -> bool:
    return context.surface.is_billed and bool(context.targets)


async def _refused(context: RequestContext, hold: int, *, available: int) -> GatewayzError | None:
    """What the request would be refused with before any host is asked, by the order of the pipeline."""
    if beyond := admission.beyond_limit(context):
        return beyond
    if hold and context.key is not None and context.key.is_frozen:
        return admission.spending_frozen()
    if hold <= available:
        return None
    assert context.key is not None
    ended = await run_db(trial_that_ended, context.key.organization_id)
    return admission.too_dear(hold, available=available, trial_ended=ended)


def _hosts(context: RequestContext) -> tuple[Target, ...]:
    """The targets, and behind them the hosts that are left out because their context is too short."""
    short = tuple(r.target for r in context.rejected if r.why is Why.NO_ROOM)
    return context.targets + short if context.targets else ()


def _candidate(
    context: RequestContext, target: Target, body: Body, refused: GatewayzError | None
) -> Candidate:
    dropped: list[str] = []
    if target not in context.targets:
        refused = choosing.too_long(context, [target])
    else:
        try:
            dropped = _dropped(context, target, body)
        except InvalidRequest as unwritable:
            # The request itself meets that of the first host, unless it is refused earlier.
            if refused is None and target == context.targets[0]:
                raise
            refused = refused or unwritable
    return Candidate(
        provider=target.offering.provider.slug,
        model=target.offering.model_id,
        wire=target.endpoint.wire.value,
        is_byok=target.is_byok,
        rates=_rates(
            target.rates.at(context.estimated_input) if context.surface.is_billed else FREE
        ),
        input_tokens=context.estimated_input,
        cost=_cost(context, target),
        context=_fit(context, target),
        dropped_parameters=dropped,
        refusal=_tell(refused),
    )


def _dropped(context: RequestContext, target: Target, body: Body) -> list[str]:
    """What ``x-gatewayz-dropped-params`` would name. Raises InvalidRequest when the host's format has no words for it."""
    quirks = (*target.offering.provider.quirks, *target.endpoint.quirks)
    most = target.offering.max_output_tokens
    lane = lane_for(context.surface, target.endpoint.wire, body, most_output=most)
    outgoing = lane.outgoing(target.offering.upstream_model, target.endpoint, quirks)
    return [*lane.dropped, *outgoing.dropped]


def _tell(error: GatewayzError | None) -> Refusal | None:
    if error is None:
        return None
    return Refusal(status=error.status, code=error.code, message=error.message, param=error.param)


def _cost(context: RequestContext, target: Target) -> QuotedCost:
    facts, offering = context.facts_at(target), target.offering
    if not context.surface.is_billed:
        return QuotedCost(minimum=_amount(0), expected=_amount(0), maximum=_amount(0))
    expected = admission.expected_cost(context, target)
    output = bounds.most_output(facts, model_maximum=offering.max_output_tokens)
    maximum = None
    # Nobody bounds how often the model searches.
    if output is not None and not context.extras:
        most = bounds.most_input(
            facts, body_bytes=len(context.body), context_length=offering.context_length
        )
        worst = bounds.most_cost(facts, target.rates, input_tokens=most, output_tokens=output)
        # The expected cost takes the longest output that any of the targets may give.
        maximum = _amount(max(worst, expected))
    return QuotedCost(
        minimum=_amount(bounds.least_cost(facts, target.rates)),
        expected=_amount(expected),
        maximum=maximum,
    )


def _fit(context: RequestContext, target: Target) -> ContextFit:
    length = target.offering.context_length
    return ContextFit(
        length=length, fits=None if length is None else context.estimated_tokens <= length
    )


def _rates(rates: Rates) -> QuotedRates:
    return QuotedRates(
        prompt=per_token(rates.input),
        completion=per_token(rates.output),
        input_cache_read=per_token(rates.cache_read),
        input_cache_write=per_token(rates.cache_write_5m),
        input_cache_write_1h=per_token(rates.cache_write_1h),
        internal_reasoning=per_token(rates.reasoning),
        input_audio=per_token(rates.audio_input),
        output_audio=per_token(rates.audio_output),
        character=per_token(rates.characters),
        image=_usd(rates.images),
        second=_usd(rates.seconds),
        search=_usd(rates.searches),
        request=_usd(rates.request),
    )


def _amount(nano: int) -> Amount:
    return Amount(nano_usd=nano, usd=_usd(nano))


def _usd(nano: int) -> str:
    return exact_usd(nano, digits=9)
