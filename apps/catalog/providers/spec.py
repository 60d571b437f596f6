"""ProviderSpec: what a provider is, as frozen data.

A row says *who* (slug, base URL, authentication), *which wires* it speaks for which operation, how to read its model
list, which quirks the outgoing body needs and where its usage meters live. It holds no behaviour and imports nothing
from Django, an HTTP client or the inference app. *How* to speak a wire is in ``apps.inference.protocols``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, assert_never
from urllib.parse import quote

Json = dict[str, Any]


class Operation(StrEnum):
    """What a client asks a provider to do."""

    CHAT = "chat"
    """A conversation, whatever wire it is held on: chat completions, messages, responses, generateContent, converse."""
    COUNT_TOKENS = "count_tokens"
    COMPLETIONS = "completions"
    EMBEDDINGS = "embeddings"
    IMAGES = "images"
    IMAGE_EDITS = "image_edits"
    TRANSCRIPTION = "transcription"
    SPEECH = "speech"
    RERANK = "rerank"
    MODERATION = "moderation"


class Wire(StrEnum):
    """A request and response format that some provider or client speaks."""

    OPENAI_CHAT = "openai_chat"
    OPENAI_RESPONSES = "openai_responses"
    ANTHROPIC_MESSAGES = "anthropic_messages"
    GEMINI = "gemini"
    BEDROCK_CONVERSE = "bedrock_converse"
    OPENAI_JSON = "openai_json"
    """OpenAI's other endpoints and rerank: passed on as they are, never translated."""


class UsageConvention(StrEnum):
    """Where a host of OpenAI's formats counts the tokens of its prompt cache. The other formats say it themselves."""

    CACHE_INSIDE_INPUT = "cache_inside_input"
    """As OpenAI does: they are part of the input that is reported."""
    CACHE_BESIDE_INPUT = "cache_beside_input"
    """The input that is reported is what was not cached: see ``inference.cached_input``."""


class Tier(StrEnum):
    """How sure we are of a row."""

    VERIFIED = "verified"
    """It runs against the provider or a recorded exchange in CI."""
    DOCUMENTED = "documented"
    """Its address, authentication and endpoints stand in what the provider, or software that calls it, publishes."""
    COMMUNITY = "community"
    """Something in it rests on hearsay; a comment says what."""


@dataclass(frozen=True, slots=True)
class Quirk:
    """One change of the outgoing body. ``apply`` returns the body to send and must not mutate its argument.

    ``drops`` names the parameters that it takes away from the client without putting anything in their place, those inside
    an object by a dotted path; ``"*"`` alone stands for all.
    ``reason`` says why, with the date and the link where that was read.
    """

    name: str
    apply: Callable[[Json], Json]
    drops: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Endpoint:
    wire: Wire
    path: str
    """Appended to the provider's base URL. ``{model}`` stands for the upstream model id, which the body then does not name."""
    stream_path: str = ""
    """Where streams are asked for, when that is another place."""
    models: tuple[str, ...] = ("*",)
    """Globs over upstream ids, in lower case: what this endpoint serves."""
    except_models: tuple[str, ...] = ()
    """The same: what it does not serve all the same."""
    base_url: str = ""
    """In place of the provider's: for an API beside the main one, or models that live at another location."""
    quirks: tuple[Quirk, ...] = ()
    """After the provider's: what only bodies of this endpoint need."""

    def serves(self, upstream_model: str) -> bool:
        name = upstream_model.lower()
        return any(glob == "*" or fnmatchcase(name, glob) for glob in self.models) and not any(
            fnmatchcase(name, glob) for glob in self.except_models
        )

    def path_for(self, upstream_model: str, *, stream: bool) -> str:
        path = self.stream_path if stream and self.stream_path else self.path
        return (
            # A slash would end the segment: Bedrock's names may be ARNs, which have some.
            path.replace("{model}", quote(upstream_model, safe=":@.-_"))
            if "{model}" in path
            else path
        )


Endpoints = Mapping[Operation, tuple[Endpoint, ...]]
"""What a provider does, and where. The first endpoint that serves a model is used, unless a later one speaks the client's wire."""


def endpoint_of(
    endpoints: Endpoints, operation: Operation, upstream_model: str, wire: Wire
) -> Endpoint | None:
    """The endpoint to ask for a client that speaks ``wire``; None when the provider does not do this.

    Conversations are translated when no endpoint speaks it; everything else is passed on as it is or not at all.
    """
    serving = [e for e in endpoints.get(operation, ()) if e.serves(upstream_model)]
    for endpoint in serving:
        if endpoint.wire is wire:
            return endpoint
    return serving[0] if serving and operation is Operation.CHAT else None


@dataclass(frozen=True, slots=True)
class Bearer:
    """``Authorization: Bearer <secret>``; the secret is in the named environment variable."""

    env: str
    optional: bool = False
    """Without a secret the header is left out: a server of one's own may want none."""


@dataclass(frozen=True, slots=True)
class HeaderKey:
    """The secret in a header of the provider's own, as Anthropic's ``x-api-key``; ``scheme`` and a space before it if given."""

    header: str
    env: str
    scheme: str = ""
    also: str = ""
    """Another header that carries the same: for an API beside the main one."""


@dataclass(frozen=True, slots=True)
class GoogleServiceAccount:
    """A short-lived bearer token, fetched with the service account's key: its JSON, or a path to it, is the secret."""

    env: str


@dataclass(frozen=True, slots=True)
class AwsSignature:
    """AWS Signature Version 4. The secret is ``<access key id>:<secret access key>`` with an optional ``:<session token>``,
    or a Bedrock API key, which is sent as a bearer token."""

    env: str
    service: str
    region_env: str


@dataclass(frozen=True, slots=True)
class NoAuth:
    """The provider asks for no secret: the sandbox, or a server in the operator's own network."""


Auth = Bearer | HeaderKey | GoogleServiceAccount | AwsSignature | NoAuth


def auth_headers(auth: Auth, secret: str) -> dict[str, str]:
    """The headers that carry ``secret``, which may also be a user's own key instead of the house's.

    None for a secret that is never sent as it is: what it signs or fetches is ``apps.inference.credentials``'.
    """
    match auth:
        case Bearer():
            return {"authorization": f"Bearer {secret}"}
        case HeaderKey(header=header, scheme=scheme, also=also):
            value = f"{scheme} {secret}" if scheme else secret
            return {header: value, **({also: value} if also else {})}
        case NoAuth() | GoogleServiceAccount() | AwsSignature():
            return {}
        case _:
            assert_never(auth)


def auth_env(auth: Auth) -> str:
    """The environment variable that holds the house's secret; empty when there is none."""
    return "" if isinstance(auth, NoAuth) else auth.env


def is_secret_needed(auth: Auth) -> bool:
    return bool(auth_env(auth)) and not (isinstance(auth, Bearer) and auth.optional)


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Deadlines in seconds (docs/routing.md)."""

    connect: float = 5.0
    first_content: float = 10.0
    """While another host is left to try."""
    first_content_last: float = 120.0
    """When no other host is left."""
    idle: float = 15.0
    """Between two chunks."""
    reasoning: float = 60.0
    """At least this for first content and between chunks when the request asks for reasoning, or the model can reason and is not told not to: models think in silence."""
    total: float = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """What a provider says when it is of no use to ask again soon."""

    says: tuple[str, ...]
    """Parts of its error's code or message, in lower case."""
    seconds: float
    """For how long that host of the model is left alone."""
    reason: str
    """With the date and the link where it was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataPolicy:
    """What a provider's published policy says of every model that it serves here, for a customer who has agreed on nothing
    else. None where it says nothing, or not the same of all."""

    page: str
    """Where that was read."""
    collects: bool | None = None
    """Whether it may use prompts for its own ends, such as training."""
    keeps_nothing: bool | None = None
    """Whether it stores neither prompts nor answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceFeed:
    """Where a provider tells what is left in the house's account, and how its answer is read (``balances.read``).

    Places in the answer are JSON pointers (RFC 6901).
    """

    path: str
    """Appended to the provider's base URL, or a whole address."""
    amount: str
    less: str = ""
    """Taken from the amount: where a provider tells what was bought and what was used."""
    each: str = ""
    """A list of accounts, in each of which the other places are: the first with something left counts."""
    currency: str = "USD"
    """Or a unit of the provider's own, such as ``points``."""
    currency_at: str = ""
    """Where the answer itself names the currency."""
    parts: int = 1
    """So many of the answer's units are one of the currency."""
    usable: str = ""
    """The field in which the answer says, if it does, whether requests are served; that goes before the amount."""
    method: str = "GET"
    auth: Auth | None = None
    """In place of the provider's, with the same secret."""
    docs: str
    """The page where that was read, and when."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSpec:
    slug: str
    name: str
    base_url: str
    """Without a trailing slash; ``{NAME}`` stands for the environment variable of that name (``settings``)."""
    auth: Auth
    endpoints: Endpoints
    settings: Mapping[str, str] = field(default_factory=dict)
    """Variables of addresses and headers with their defaults; one without a default must be set before the provider is asked."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Sent with every request, for example a fixed API version; ``{NAME}`` as in the base URL."""
    quirks: tuple[Quirk, ...] = ()
    """For the bodies of every endpoint, whatever its wire."""
    usage: UsageConvention = UsageConvention.CACHE_INSIDE_INPUT
    timeouts: Timeouts = Timeouts()
    rests: tuple[Rest, ...] = ()
    """Refusals after which it is left alone for a while; another host is asked, whatever the status says."""
    prefill: tuple[str, ...] = ()
    """Globs over its names of the models that go on from a message of the assistant at the end of a request."""
    tier: Tier = Tier.COMMUNITY
    priority: int = 50
    """Lower is asked first; becomes the row's priority when the row is created, and is the operator's from then on."""
    is_sandbox: bool = False
    """Stands in for a provider: test keys may use it, and what follows a ``+`` in a model's name is passed on to it."""
    price_book: str = ""
    """The provider's id in genai-prices; empty when that book does not know it."""
    price_book_skip: tuple[str, ...] = ()
    """Globs over that book's ids: what it prices but the chat endpoint does not serve."""
    namespace: str = ""
    """Put before a model's name that has no organisation; empty when the provider's own names always have one."""
    data_policy: DataPolicy | None = None
    """None: nobody has read it, so it may collect and keep."""
    balance: BalanceFeed | None = None
    """None: it documents no such place, or none that a key for requests may ask."""
    docs: str = ""
    """The page that was read to write this row."""

    @property
    def wire(self) -> Wire:
        """The one it is known by: that of its first endpoint."""
        return next(iter(self.endpoints.values()))[0].wire
