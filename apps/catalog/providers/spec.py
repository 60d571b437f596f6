"""ProviderSpec: what a provider is, as frozen data.

A row says *who* (slug, base URL, authentication), *which wires* it speaks for which operation, how to read its model
list, which quirks the outgoing body needs and where its usage meters live. It holds no behaviour and imports nothing
from Django, an HTTP client or the inference app. *How* to speak a wire is in ``apps.inference.protocols``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, assert_never

Json = dict[str, Any]


class Operation(StrEnum):
    """What a client asks a provider to do."""

    CHAT = "chat"


class Wire(StrEnum):
    """A request and response format that some provider or client speaks."""

    OPENAI_CHAT = "openai_chat"
    ANTHROPIC_MESSAGES = "anthropic_messages"
    GEMINI = "gemini"
    BEDROCK_CONVERSE = "bedrock_converse"


class UsageConvention(StrEnum):
    """Whether a provider's input token count already contains the tokens served from its prompt cache."""

    CACHE_INSIDE_INPUT = "cache_inside_input"
    CACHE_BESIDE_INPUT = "cache_beside_input"


class Tier(StrEnum):
    """How sure we are of a row: VERIFIED rows run against the provider or a recorded exchange in CI."""

    VERIFIED = "verified"
    COMMUNITY = "community"


@dataclass(frozen=True, slots=True)
class Endpoint:
    wire: Wire
    path: str
    """Appended to the provider's base URL; ``{model}`` stands for the upstream model id."""


@dataclass(frozen=True, slots=True)
class Bearer:
    """``Authorization: Bearer <secret>``; the secret is in the named environment variable."""

    env: str


@dataclass(frozen=True, slots=True)
class HeaderKey:
    """The secret alone in a header of the provider's own, as Anthropic's ``x-api-key``."""

    header: str
    env: str


@dataclass(frozen=True, slots=True)
class NoAuth:
    """The provider asks for no secret: the sandbox, or a server in the operator's own network."""


Auth = Bearer | HeaderKey | NoAuth


def auth_headers(auth: Auth, secret: str) -> dict[str, str]:
    """The headers that carry ``secret``, which may also be a user's own key instead of the house's."""
    match auth:
        case Bearer():
            return {"authorization": f"Bearer {secret}"}
        case HeaderKey(header=header):
            return {header: secret}
        case NoAuth():
            return {}
        case _:
            assert_never(auth)


def auth_env(auth: Auth) -> str:
    """The environment variable that holds the house's secret; empty when none is needed."""
    return "" if isinstance(auth, NoAuth) else auth.env


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
    """At least this for first content and between chunks when the request asks for reasoning: models think in silence."""
    total: float = 600.0


@dataclass(frozen=True, slots=True)
class Quirk:
    """One change of the outgoing body. ``apply`` returns the body to send and must not mutate its argument.

    ``drops`` names the parameters that it takes away from the client without putting anything in their place.
    ``reason`` says why, with the date and the link where that was read.
    """

    name: str
    apply: Callable[[Json], Json]
    drops: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderSpec:
    slug: str
    name: str
    base_url: str
    """Without a trailing slash; ``{SANDBOX_URL}`` stands for the setting of that name."""
    auth: Auth
    endpoints: Mapping[Operation, Endpoint]
    headers: Mapping[str, str] = field(default_factory=dict)
    """Sent with every request, for example a fixed API version."""
    quirks: tuple[Quirk, ...] = ()
    usage: UsageConvention = UsageConvention.CACHE_INSIDE_INPUT
    timeouts: Timeouts = Timeouts()
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
    docs: str = ""
    """The page that was read to write this row."""
