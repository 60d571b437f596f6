"""How much to think, for wires whose only word for it is an effort: OpenAI's two."""

from apps.inference.canonical.request import ChatRequest, ReasoningConfig, ReasoningMode


def encode_effort(request: ChatRequest, dropped: list[str], *, knows_none: bool) -> str | None:
    """The effort to ask for; None leaves it to the model. What an effort cannot say is named as dropped.

    ``knows_none``: the client said ``none`` itself. It is refused by every model that cannot reason, and other dialects
    say "off" to those as well.
    """
    wanted = request.reasoning
    if wanted is None:
        return None
    dropped.extend(request.hidden_thoughts)
    if wanted.mode is ReasoningMode.OFF:
        return _encode_off(request, dropped, knows_none=knows_none)
    is_adaptive, is_budget = (
        wanted.mode is mode for mode in (ReasoningMode.ADAPTIVE, ReasoningMode.BUDGET)
    )
    if (is_adaptive and not wanted.effort) or (is_budget and wanted.effort):
        dropped.append(request.name_of("reasoning"))
    return wanted.effort or _effort_of_budget(wanted)


def _encode_off(request: ChatRequest, dropped: list[str], *, knows_none: bool) -> str | None:
    if knows_none:
        return "none"
    dropped.append(request.name_of("reasoning"))
    if request.reasoning and request.reasoning.effort:
        dropped.append(request.name_of("effort"))
    return None


def _effort_of_budget(wanted: ReasoningConfig) -> str | None:
    if wanted.budget_tokens is None:
        return None
    if wanted.budget_tokens <= 2048:
        return "low"
    return "medium" if wanted.budget_tokens <= 8192 else "high"
