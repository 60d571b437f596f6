"""Choosing: which model a request means, and which hosts are asked for it. The order itself is planner.py's."""

import random
from collections.abc import Iterable, Sequence

from django.conf import settings
from msgspec.structs import replace

from apps.catalog import terms
from apps.catalog.providers.spec import Operation, Wire
from apps.catalog.routers import is_router
from apps.catalog.selectors import CatalogSnapshot, ModelSnapshot, catalog
from apps.common import clock
from apps.common.errors import (
    AllProvidersFailed,
    ContextTooLong,
    GatewayzError,
    InvalidRequest,
    ModelNotFound,
    ModelNotPriced,
    PermissionDenied,
)
from apps.common.preferences import Sort
from apps.inference import cost_limit, own_keys, tokens
from apps.inference.context import RequestContext
from apps.inference.extras import extras_of
from apps.inference.features import auto_router
from apps.inference.needs import needs_of, parameters_of
from apps.inference.planner import Rejection, Target, Wants, Why, consider, plan
from apps.inference.preferences import (
    DEFAULT,
    Routing,
    constraints_of,
    narrow,
    nobody_allowed,
    read_routing,
    split_variant,
)
from apps.inference.relay import Body
from apps.inference.requests.common import RequestFacts
from apps.inference.runtime import Runtime
from apps.inference.wishes import FIELDS, NONE, prepare
from apps.keys.selectors import KeySnapshot

Known = CatalogSnapshot | own_keys.OwnCatalog
USUAL_MODERATOR = "omni-moderation-latest"
"""https://platform.openai.com/docs/api-reference/moderations/create#moderations_create-model"""
SCHEMA_FIELDS = {
    Wire.ANTHROPIC_MESSAGES: "output_config",
    Wire.OPENAI_RESPONSES: "text",
    Wire.GEMINI: "generationConfig",
}
"""Where a client names the schema of the answer; ``response_format`` elsewhere."""


async def choose(context: RequestContext, body: Body, runtime: Runtime) -> None:
    """Model, targets and estimates.

    Raises ModelNotFound, ModelNotPriced, PermissionDenied, ContextTooLong, AllProvidersFailed, and InvalidRequest
    naming the field that no host satisfies.
    """
    assert context.key is not None
    assert context.facts is not None
    surface, snapshot = context.surface, await catalog.fresh()
    if not context.facts.model:
        moderator = usual_moderator(snapshot, is_test_key=context.key.is_test)
        context.facts = replace(context.facts, model=moderator)
    facts = context.facts
    own = await own_keys.catalog_of(context.key, snapshot, runtime.whole_catalog)
    routing = read_routing(body) if isinstance(body, dict) else DEFAULT
    models, sorts = _models_of(context, body, routing, snapshot, own)
    if snapshot.terms and (agreed := snapshot.terms.get(context.key.organization_id)):
        valid = terms.in_force(agreed, clock.now())
        models = [terms.see(model, valid) for model in models]
    model = context.model = models[0]
    routing = _whole(routing, sorts[model.id], context.key)
    context.constraints = constraints_of(routing)
    context.recover = routing.recover or context.key.recover
    context.hedges = routing.hedge
    context.deadlines = routing.deadlines
    context.extras = extras_of(body) if isinstance(body, dict) and surface.is_billed else ()
    asked = routing.max_cost if isinstance(body, dict) else cost_limit.read(body)
    context.max_cost = cost_limit.lower(asked, context.key.max_cost)
    doing = [model for model in models if model.does(surface.operation)]
    if doing:
        is_conversation = surface.operation is Operation.CHAT
        wants = Wants(
            operation=surface.operation,
            wire=surface.wire,
            is_test_key=context.key.is_test,
            needs=needs_of(facts, body) if isinstance(body, dict) else frozenset(),
            parameters=_parameters(facts, body, routing),
            extras=context.extras,
            # Of many texts each must fit (embeddings, rerank), and a count has no bound.
            least_input=tokens.least_input(facts) if is_conversation else 0,
            routing=routing,
            sorts=sorts,
            own_only=own.without_ours if own else frozenset(),
            sticky=runtime.health.stuck_to(
                context.key.id, model.id, within=settings.STICKY_SECONDS
            ),
            sticky_margin=settings.STICKY_MARGIN,
            draw=random.random(),  # noqa: S311 - a share, no secret
            explores=random.random() < settings.EXPLORATION_SHARE,  # noqa: S311 - a sample, no secret
        )
        found = plan(doing, wants, runtime)
        context.targets, context.rejected = found.targets, found.rejected
        context.sorted_by = routing.provider.sort or routing.sort or "default"
        context.considered = consider(found, wants, runtime)
    if not context.targets and (surface.is_billed or not doing):
        raise _nobody_can(context, model, runtime)
    context.estimated_input = tokens.estimate_input(facts)
    if context.targets:
        if context.max_cost is not None and surface.is_billed:
            cost_limit.apply(context, body, most=context.max_cost)
        context.estimated_tokens = context.estimated_input + _expected_output(context)


def usual_moderator(snapshot: CatalogSnapshot, *, is_test_key: bool) -> str:
    """The model of a moderation that names none: the one that OpenAI takes then, else the cheapest, a sandbox's last.

    Raises ModelNotFound when nobody offers one.
    """
    usual = snapshot.resolve(USUAL_MODERATOR)
    if usual is not None and usual.offerings and not is_test_key:
        return usual.id
    offered = [
        model
        for model in snapshot.listed()
        if model.does(Operation.MODERATION) and (model.is_sandbox or not is_test_key)
    ]
    if not offered:
        raise ModelNotFound("No model that moderates is offered; name one.", param="model")
    cheapest = min(offered, key=lambda model: (model.is_sandbox, _price(model), model.id))
    return cheapest.id


def _price(model: ModelSnapshot) -> int:
    return min(
        host.rates.input + host.rates.output + host.rates.request for host in model.offerings
    )


def _models_of(
    context: RequestContext,
    body: Body,
    routing: Routing,
    snapshot: CatalogSnapshot,
    own: own_keys.OwnCatalog | None,
) -> tuple[list[ModelSnapshot], dict[str, Sort | None]]:
    """The models to ask, first the one that is meant, and what the ends of their names sort by."""
    assert context.facts is not None
    known, name = own or snapshot, context.facts.model
    models = [
        own.see(model) if own else model for model in routed(context, body, routing, snapshot)
    ]
    sort: Sort | None = None
    if not models:
        model, sort = _find(known, name)
        models = [_require_priced(model, name, param="model")]
    sorts = {models[0].id: sort}
    for at, name in enumerate(routing.models):
        model, sort = _find(known, name)
        models.append(_require_priced(model, name, param=f"models[{at}]"))
        sorts.setdefault(models[-1].id, sort)
    return models, sorts


def _whole(routing: Routing, sort: Sort | None, key: KeySnapshot) -> Routing:
    """With the end of the model's name and the policy of the key."""
    if sort:
        routing = replace(routing, sort=sort)
    return routing if key.provider_policy is None else narrow(routing, key.provider_policy)


def routed(
    context: RequestContext, body: Body, routing: Routing, snapshot: CatalogSnapshot
) -> tuple[ModelSnapshot, ...]:
    """What a router chooses; nothing when the client named a model. Raises what ``auto_router.choose`` raises."""
    assert context.key is not None
    assert context.facts is not None
    if not is_router(context.facts.model):
        return ()
    routing = _whole(routing, None, context.key)
    is_alone = bool(routing.models) or routing.provider.allow_fallbacks is False
    chosen = auto_router.choose(
        context.facts,
        context.body,
        snapshot,
        surface=context.surface,
        is_test_key=context.key.is_test,
        wishes=NONE if routing.provider is DEFAULT.provider else prepare(routing.provider),
        parameters=_parameters(context.facts, body, routing),
        runners_up=0 if is_alone else auto_router.RUNNERS_UP,
    )
    if chosen is None:
        return ()
    models, context.choice = chosen
    return models


def _require_priced(model: ModelSnapshot | None, name: str, *, param: str) -> ModelSnapshot:
    if model is None:
        raise ModelNotFound(f"There is no model '{name[:200]}'.", param=param)
    if not model.is_priced:
        raise ModelNotPriced(f"'{model.id}' has no price, so it cannot be served.", param=param)
    return model


def _find(known: Known, name: str) -> tuple[ModelSnapshot | None, Sort | None]:
    """With the sort that the end of the name means, where that is no part of it."""
    if (model := known.resolve(name)) is not None:
        return model, None
    base, sort = split_variant(name)
    return (known.resolve(base), sort) if sort else (None, None)


def _parameters(facts: RequestFacts, body: Body, routing: Routing) -> frozenset[str]:
    """With ``require_parameters`` what the model must be known to take: fields, formats of the answer, kinds of input."""
    if not routing.provider.require_parameters or not isinstance(body, dict):
        return frozenset()
    return parameters_of(body) | facts.needs


def _nobody_can(context: RequestContext, model: ModelSnapshot, runtime: Runtime) -> GatewayzError:
    """Why no host is asked: the model is not for this, the key is not, the request's own wishes, or nobody is there now."""
    surface = context.surface
    hosts = [host.endpoint(surface.operation, surface.wire) for host in model.offerings]
    if not model.does(surface.operation) or (hosts and not any(hosts)):
        return InvalidRequest(
            f"'{model.id}' cannot be asked at {surface.paths[0]}.",
            param="model",
            code="model_not_supported",
        )
    assert context.key is not None
    if context.rejected:
        return _refusal(context, context.rejected, runtime)
    if context.key.is_test and model.offerings:
        return PermissionDenied("A test key reaches only the sandbox's models.", param="model")
    return AllProvidersFailed("No provider can serve this model now.")


def _refusal(
    context: RequestContext, rejected: Sequence[Rejection], runtime: Runtime
) -> GatewayzError:
    """The reason of the host that came nearest."""
    by_why = {rejection.why: rejection for rejection in rejected}
    if Why.BREAKER_OPEN in by_why:
        return AllProvidersFailed(
            "Every provider of this model has just failed. Nothing was charged.",
            retry_after_ms=runtime.retry_after_ms(
                rejection.target.key for rejection in rejected if rejection.why is Why.BREAKER_OPEN
            ),
        )
    if Why.NO_ROOM in by_why:
        return too_long(context, [r.target for r in rejected if r.why is Why.NO_ROOM])
    if lacking := by_why.get(Why.LACKS):
        return InvalidRequest(
            f"'{lacking.target.offering.model_id}' takes no '{lacking.detail}' where it may be asked.",
            param=_field_of(context, lacking.detail),
            code="model_not_supported",
        )
    if unpriced := by_why.get(Why.UNPRICED):
        return ModelNotPriced(
            f"'{unpriced.detail}' is sold apart, at a price that this gateway does not have. Leave it out, or use your own key.",
            param=unpriced.detail,
        )
    if not (unwanted := [why for why in FIELDS if why in by_why]):
        only = rejected[0].target.offering.provider.slug
        return AllProvidersFailed(
            f"Your own key at '{only}' cannot be used now, and it does not fall back to ours. Nothing was charged."
        )
    param = FIELDS[unwanted[-1]]
    model = context.model.id if context.model else ""
    return nobody_allowed(param, f"'{param}'{_beside(context)} leaves no provider of '{model}'.")


def _field_of(context: RequestContext, ability: str) -> str:
    """Where a request of this wire asks for what a model lacks."""
    if ability == "structured_outputs":
        return SCHEMA_FIELDS.get(context.surface.wire, "response_format")
    return "messages" if ability == "image" else ability


def _beside(context: RequestContext) -> str:
    has_policy = context.key is not None and context.key.provider_policy is not None
    return ", with the policy of this key," if has_policy else ""


def too_long(context: RequestContext, targets: Iterable[Target]) -> ContextTooLong:
    """That the input has no room at any of these targets."""
    assert context.facts is not None
    return ContextTooLong(
        f"The input has at least {tokens.least_input(context.facts):,} tokens; "
        f"the context of '{context.facts.model[:200]}' "
        f"holds {max(t.offering.context_length or 0 for t in targets):,}.",
        param="messages",
    )


def _expected_output(context: RequestContext) -> int:
    return max(
        tokens.expected_output(
            context.facts_at(target),
            model_maximum=target.offering.max_output_tokens,
            usual=settings.EXPECTED_OUTPUT_TOKENS,
        )
        for target in context.targets
    )
