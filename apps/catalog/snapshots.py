"""The catalogue as the hot path sees it: frozen values without a database behind them.

    CatalogSnapshot ── resolve(name) ──► ModelSnapshot ── offerings, best first ──► OfferingSnapshot ──► ProviderSnapshot

Compared by identity, like the rows that they were read from.
"""

import calendar
import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from apps.catalog.capabilities import Capabilities, capabilities
from apps.catalog.providers.spec import (
    Auth,
    Endpoint,
    Endpoints,
    Operation,
    ProviderSpec,
    Quirk,
    Rest,
    Timeouts,
    UsageConvention,
    Wire,
    auth_headers,
    endpoint_of,
)
from apps.common.prepared import Prepared
from apps.common.usage import Rates

# "-20250929" or "-2024-08-06" at the end of a name pins a dated release.
DATED = re.compile(r"-20\d{2}(?:-\d{2}-\d{2}|\d{4})$")


MODALITIES: Mapping[Operation, frozenset[str]] = {
    Operation.CHAT: frozenset({"text"}),
    Operation.COUNT_TOKENS: frozenset({"text"}),
    Operation.COMPLETIONS: frozenset({"text"}),
    Operation.EMBEDDINGS: frozenset({"embeddings"}),
    Operation.IMAGES: frozenset({"image"}),
    Operation.IMAGE_EDITS: frozenset({"image"}),
    Operation.TRANSCRIPTION: frozenset({"transcription"}),
    Operation.SPEECH: frozenset({"speech"}),
    Operation.RERANK: frozenset({"rerank"}),
    Operation.MODERATION: frozenset({"moderation"}),
}
"""What a model must give (``output_modalities``, in OpenRouter's words) for an operation to make sense."""


@dataclass(frozen=True, slots=True)
class Template:
    """What a provider is asked by with somebody else's key: how its addresses and headers are made (own_keys.py)."""

    spec: ProviderSpec
    address: str
    """Staff's own, in place of the one that ships with the release."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ProviderSnapshot:
    """A provider that can be asked: enabled, with an address and, when it wants one, a secret."""

    slug: str
    name: str
    base_url: str
    endpoints: Endpoints
    auth: Auth
    secret: str = field(repr=False)
    headers: Mapping[str, str]
    quirks: tuple[Quirk, ...]
    usage: UsageConvention
    timeouts: Timeouts
    priority: int
    is_sandbox: bool
    collects_data: bool | None = None
    """Whether it may use prompts for its own ends; None when nobody knows."""
    keeps_nothing: bool = False
    region: str = ""
    """Where prompts are processed, in lower case; empty when unknown."""
    rests: tuple[Rest, ...] = ()
    """Refusals after which a host is left alone for a while."""
    prefill: tuple[str, ...] = ()
    """Globs over its names of the models that go on from a message of the assistant at the end."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """The values of the row's variables, such as the region that a signature names."""
    template: Template | None = field(default=None, repr=False)
    """None when it asks for no key, so that nobody can bring one."""
    own_key: str = ""
    """Which customer's key it is asked with, for its breaker and its health; empty for the house's."""
    is_spent: bool = False
    """The house's account there is known to be empty."""

    def request_headers(self, *, secret: str | None = None) -> dict[str, str]:
        """Fixed headers and authentication, with the house's secret unless another one is given."""
        return {
            **self.headers,
            **auth_headers(self.auth, self.secret if secret is None else secret),
        }


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OfferingSnapshot:
    id: int
    model_id: str
    provider: ProviderSnapshot
    upstream_model: str
    rates: Rates
    """What the client pays: the price in force plus the provider's mark-up, at the organisation's terms where it has any."""
    context_length: int | None
    max_output_tokens: int | None
    priority: int
    quantization: str = ""
    """Empty when unknown."""
    weight: int | None = None
    """Its part of the model's requests, beside other hosts with one."""
    capabilities: Capabilities | None = field(default=None, repr=False)
    """What is told of this host; None where it is the model's."""
    tag: str = field(init=False)
    """How a request names exactly this host: ``deepinfra/fp8``."""
    _endpoints: dict[tuple[Operation, Wire], Endpoint | None] = field(
        default_factory=dict, init=False, repr=False
    )
    """Found once for each: the same every time, and asked for with every request."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "tag", f"{self.provider.slug}/{self.quantization.lower()}")

    def endpoint(self, operation: Operation, wire: Wire) -> Endpoint | None:
        """Where this operation is asked for, best on ``wire``; None when the provider does not do it with this model."""
        try:
            return self._endpoints[operation, wire]
        except KeyError:
            found = endpoint_of(self.provider.endpoints, operation, self.upstream_model, wire)
            self._endpoints[operation, wire] = found
            return found

    @property
    def takes_prefill(self) -> bool:
        """Whether it goes on from a message of the assistant at the end, instead of refusing it or beginning anew."""
        return any(fnmatchcase(self.upstream_model, glob) for glob in self.provider.prefill)

    def url(self, endpoint: Endpoint, *, stream: bool) -> str:
        base_url = endpoint.base_url or self.provider.base_url
        return base_url + endpoint.path_for(self.upstream_model, stream=stream)

    @property
    def preference(self) -> tuple[int, int, int, str]:
        """Sorts the offerings of one model: the operator's order first, then the cheaper one."""
        price = self.rates.input + self.rates.output
        return (self.priority, self.provider.priority, price, self.provider.slug)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ModelSnapshot:
    id: str
    name: str
    description: str
    released_on: datetime.date | None
    """When it came out; None when unknown."""
    context_length: int | None
    """None when unknown, like ``max_output_tokens``."""
    max_output_tokens: int | None
    input_modalities: tuple[str, ...]
    output_modalities: tuple[str, ...]
    supported_parameters: tuple[str, ...]
    """What some host of it takes, unless its vendor or an operator says; empty when unknown."""
    offerings: tuple[OfferingSnapshot, ...]
    """Best first, and only those that can serve a request now: priced, active, at a provider that can be asked."""
    is_priced: bool
    """False when no host that could serve it has a price: refuse with ModelNotPriced before dispatch.
    True without offerings means that it has a price but no provider that can be asked now."""
    names_all: bool = False
    """Whether ``supported_parameters`` is an operator's word, so that what it does not name is not taken."""

    @property
    def capabilities(self) -> Capabilities:
        """At the hosts of which nothing else is told."""
        return capabilities(
            self.supported_parameters, self.input_modalities, is_whole=self.names_all
        )

    def capabilities_at(self, offering: OfferingSnapshot) -> Capabilities:
        return offering.capabilities or self.capabilities

    def does(self, operation: Operation) -> bool:
        """Whether it is a model for this, whoever hosts it."""
        return not MODALITIES[operation].isdisjoint(self.output_modalities)

    @property
    def created(self) -> int:
        """The start of the day on which it came out, in Unix seconds; 0 when unknown, for clients want a whole number."""
        day = self.released_on
        return calendar.timegm(day.timetuple()) if day else 0

    @property
    def is_sandbox(self) -> bool:
        """Whether nobody but the sandbox serves it."""
        return bool(self.offerings) and all(
            offering.provider.is_sandbox for offering in self.offerings
        )

    @property
    def owner(self) -> str:
        """The organisation in the id; empty for an id without one."""
        organization, slash, _ = self.id.partition("/")
        return organization if slash else ""

    def with_options(self, options: str) -> "ModelSnapshot | None":
        """The model at the sandbox alone, with ``options`` appended to the upstream name; None when it is not there."""
        offerings = tuple(
            replace(offering, upstream_model=f"{offering.upstream_model}+{options}")
            for offering in self.offerings
            if offering.provider.is_sandbox
        )
        return replace(self, offerings=offerings) if offerings else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What an organisation pays over or under the price, where and when."""

    id: int
    provider: str
    """Empty for all of them."""
    model_pattern: str
    """In lower case; empty for every model."""
    basis_points: int
    valid_from: datetime.datetime
    valid_until: datetime.datetime | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class CatalogSnapshot:
    models: Mapping[str, ModelSnapshot]
    """Every active model by its id, priced or not."""
    names: Mapping[str, str]
    """Lower-cased other names (id in any case, alias, bare name) to ids."""
    providers: Mapping[str, ProviderSnapshot]
    """The providers that can be asked, by slug."""
    listing: Prepared = field(repr=False)
    """The body of GET /v1/models."""
    terms: Mapping[int, tuple[Terms, ...]] = field(default_factory=dict)
    """By organisation: those that are agreed on, past and to come."""

    def resolve(self, name: str) -> ModelSnapshot | None:
        """The model that a client means, or None.

        In this order: its id, its id in another case, an alias, the name at its provider or the id without the
        organisation when that is unambiguous, sandbox options after a ``+``, and the name without a release date.
        """
        model = self.models.get(name) or self.models.get(self.names.get(name.lower(), ""))
        if model is not None:
            return model
        base, plus, options = name.partition("+")
        if plus:
            model = self.resolve(base)
            return model.with_options(options) if model else None
        undated = DATED.sub("", name)
        return self.resolve(undated) if undated != name else None

    def listed(self) -> tuple[ModelSnapshot, ...]:
        """The models that can be served now, by id."""
        return tuple(model for model in self.models.values() if model.offerings)
