"""Models of a test's own in the committed catalogue, each at hosts that behave, or misbehave, as they are told.

A host is a provider row in front of the sandbox; its upstream model carries the sandbox's options
(``echo+status=503``). Models that differ have different ids, so tests never meet. No name here says "sandbox": what a
client is told must not come from upstream.
"""

import itertools
from dataclasses import dataclass, fields
from typing import Any

from apps.catalog.models import Provider
from apps.catalog.providers.spec import Timeouts, Wire
from apps.catalog.selectors import catalog
from apps.catalog.services import offers, providers
from apps.common.money import usd_to_nano
from tests.sandbox.process import SandboxProcess

BASES = {Wire.GEMINI: "/v1beta", Wire.BEDROCK_CONVERSE: ""}
"""Where the sandbox speaks a wire; ``/v1`` elsewhere."""
COMPANIES = {
    Wire.OPENAI_CHAT: "openai",
    Wire.OPENAI_RESPONSES: "responses",
    Wire.ANTHROPIC_MESSAGES: "anthropic",
    Wire.GEMINI: "google",
    Wire.BEDROCK_CONVERSE: "amazon",
}
NOBODY = "http://127.0.0.1:9"
"""The discard port, where nothing listens."""
_numbers = itertools.count(1)
DEADLINES = tuple(deadline.name for deadline in fields(Timeouts))


@dataclass(frozen=True, slots=True)
class Host:
    """One place where a model is served. Prices are dollars per million tokens."""

    upstream: str = "echo"
    wire: Wire = Wire.OPENAI_CHAT
    input_usd: str = "1"
    output_usd: str = "2"
    cache_read_usd: str | None = None
    context_length: int | None = None
    max_output_tokens: int | None = None
    priority: int | None = None
    """Its place among the hosts of the model, unless said."""
    weight: int | None = None
    is_refusing: bool = False
    """Nobody listens at its address."""
    prefill: str = ""
    """The row's; only the last host's of a place and wire counts."""
    seconds: tuple[tuple[str, float], ...] = ()
    """Deadlines that differ from the defaults, by the names of ``spec.Timeouts``; see ``seconds``."""


def seconds(**deadlines: float) -> tuple[tuple[str, float], ...]:
    return tuple(deadlines.items())


_offered: dict[tuple[str, tuple[Host, ...]], str] = {}


def offer_model(sandbox: SandboxProcess, *hosts: Host | str) -> str:
    """The id of a model that is to be asked at these hosts in this order: ``first-…-host``, ``second-…-host``, …

    Asked for again, the same hosts are the same model.
    """
    told = tuple(Host(host) if isinstance(host, str) else host for host in hosts)
    model = _offered.get((sandbox.base_url, told))
    if model is None:
        model = _offered[sandbox.base_url, told] = f"acme/model-{next(_numbers)}"
        for position, host in enumerate(told):
            _offer(sandbox, model, position, host)
    for position, host in enumerate(told):
        _set_row(slug_for(position, host), host)
    publish()
    return model


def _offer(sandbox: SandboxProcess, model: str, position: int, host: Host) -> None:
    address = NOBODY if host.is_refusing else sandbox.base_url
    offering = providers.add_provider(
        slug_for(position, host),
        model=model,
        amounts=offers.Amounts.of(
            input=usd_to_nano(host.input_usd),
            output=usd_to_nano(host.output_usd),
            cache_read=usd_to_nano(host.cache_read_usd) if host.cache_read_usd else None,
        ),
        base_url=address + BASES.get(host.wire, "/v1"),
        wire=host.wire.value,
        upstream_model=host.upstream,
        context_length=host.context_length,
        max_output_tokens=host.max_output_tokens,
        priority=position if host.priority is None else host.priority,
    )
    if host.weight is not None:
        offering.weight = host.weight
        offering.save()
    if not offering.provider.api_key_ciphertext:
        providers.set_api_key(offering.provider, "a-key-that-the-host-takes")


def slug_of(position: int, wire: Wire = Wire.OPENAI_CHAT) -> str:
    names = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")
    return f"{names[position]}-{COMPANIES[wire]}-host"


def slug_for(position: int, host: Host) -> str:
    slug = slug_of(position, host.wire)
    return f"refusing-{slug}" if host.is_refusing else slug


def publish() -> None:
    """Let the gateway in this process see the catalogue as it is now."""
    catalog.check()


def _set_row(slug: str, host: Host) -> None:
    """The row is shared with the models of other tests, so deadlines and abilities are set for each."""
    row = Provider.objects.get(pk=slug)
    wanted: dict[str, Any] = {f"{name}_seconds": dict(host.seconds).get(name) for name in DEADLINES}
    wanted["prefill"] = host.prefill
    if wanted != {name: getattr(row, name) for name in wanted}:
        for name, value in wanted.items():
            setattr(row, name, value)
        row.save()
