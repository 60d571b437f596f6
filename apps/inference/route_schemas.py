"""JSON of a route: which hosts are asked for a request, in which order, and which are not."""

from ninja import Schema

from apps.inference.quote_schemas import Refusal, RouterChoice


class PricePerMillion(Schema):
    """Dollars for a million tokens."""

    prompt: str
    completion: str


class RouteCandidate(Schema):
    """A host of the plan, in the order in which they are asked, with what this process knew of it then."""

    provider: str
    model: str
    is_byok: bool = False
    """It is asked with the customer's own key: the price is the provider's to bill, and the routing fee ours."""
    reason: str
    """Why it stands there: rank, split, sticky, explored, own_key or fallback (docs/routing.md)."""
    score: list[float | None]
    """What the hosts of a model were sorted by: compared from the left, smaller first, null last (docs/routing.md)."""
    priority: list[int]
    """The offering's and the provider's; lower goes first."""
    pricing: PricePerMillion
    requests: int
    """What the rest rests on: how many this process has sent there."""
    error_rate: float | None
    first_token_ms: float | None
    latency_ms: float | None
    tokens_per_second: float | None
    ailing: bool
    """So many requests fail there now that others go first."""


class RouteRejection(Schema):
    provider: str
    model: str
    is_byok: bool = False
    why: str
    detail: str | None = None


class Route(Schema):
    sort: str
    """``default``, or what the request sorts by: price, latency, throughput."""
    key_policy: bool = False
    """The key has a policy, which the request's ``provider`` object was joined with."""
    candidates: list[RouteCandidate]
    rejected: list[RouteRejection]
    left_out: int
    """How many more there were; a record keeps the first few."""
    router: RouterChoice | None = None
    """When ``model`` named a router."""


class PlannedRoute(Route):
    path: str
    model: str
    """The model that is meant, or that the router has chosen."""
    refusal: Refusal | None = None
    """What the request would get when no host is left; ``rejected`` says why of each."""


class RouteBody(Schema):
    data: PlannedRoute
