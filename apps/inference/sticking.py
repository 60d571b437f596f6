"""Sticking: whether a key stays with the host that has just served it, where its prompts are cached. Pure.

It stays with a host that led by its own merits. One that served because another had failed, was passed by or ails, or because
it was its turn, keeps nobody: the other would not be asked again by this key when it is well.
"""

from collections.abc import Sequence

from apps.inference.planner import Considered, Reason, Rejection, Target, Why, are_equals

BY_MERIT = frozenset({Reason.RANK, Reason.STICKY})


def keeps(
    host: Target,
    asked: Sequence[Target],
    considered: Sequence[Considered],
    rejected: Sequence[Rejection],
) -> bool:
    """Whether ``host``, which has served a request that could ask these, keeps its key."""
    if len(asked) < 2 or host is not asked[0]:
        return False
    if not any(one.target is host and one.reason in BY_MERIT for one in considered):
        return False
    waiting = [one.target for one in considered if one.is_ailing]
    waiting += [one.target for one in rejected if one.why is Why.BREAKER_OPEN]
    return not any(_is_no_worse(other, host) for other in waiting)


def _is_no_worse(other: Target, host: Target) -> bool:
    """Whether it would be asked first, or might be, if both were well."""
    same_model = other.offering.model_id == host.offering.model_id
    return same_model and are_equals(other, host) and other.price <= host.price
