"""Models of a test's own in the committed catalogue, each at hosts that behave, or misbehave, as they are told.

A host is a provider row in front of the sandbox; its upstream model carries the sandbox's options
(``echo+status=503``). Every model gets an id of its own, so tests never meet. No name here says "sandbox": what a
client is told must not come from upstream.
"""

import itertools
from dataclasses import dataclass, field

from apps.catalog.models import Provider
from apps.catalog.providers.spec import Wire
from apps.catalog.selectors import catalog
from apps.catalog.services import offers, providers
from apps.common.money import usd_to_nano
from tests.sandbox.process import SandboxProcess

_numbers = itertools.count(1)


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
    seconds: dict[str, float] = field(default_factory=dict)
    """Deadlines that differ from the defaults, by the names of ``spec.Timeouts``."""


def offer_model(sandbox: SandboxProcess, *hosts: Host | str) -> str:
    """The id of a new model, to be asked at these hosts in this order: ``first-host``, ``second-host``, …"""
    model = f"acme/model-{next(_numbers)}"
    for position, host in enumerate(hosts):
        told = Host(host) if isinstance(host, str) else host
        providers.add_provider(
            slug_of(position, told.wire),
            model=model,
            amounts=offers.Amounts.of(
                input=usd_to_nano(told.input_usd),
                output=usd_to_nano(told.output_usd),
                cache_read=usd_to_nano(told.cache_read_usd) if told.cache_read_usd else None,
            ),
            base_url=f"{sandbox.base_url}/v1",
            wire=told.wire.value,
            upstream_model=told.upstream,
            context_length=told.context_length,
            max_output_tokens=told.max_output_tokens,
            priority=position,
        )
        _set_up(slug_of(position, told.wire), told)
    publish()
    return model


def slug_of(position: int, wire: Wire = Wire.OPENAI_CHAT) -> str:
    names = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth")
    return f"{names[position]}-{'openai' if wire is Wire.OPENAI_CHAT else 'anthropic'}-host"


def publish() -> None:
    """Let the gateway in this process see the catalogue as it is now."""
    catalog.check()


def _set_up(slug: str, host: Host) -> None:
    row = Provider.objects.get(pk=slug)
    for name in ("connect", "first_content", "first_content_last", "idle", "total"):
        setattr(row, f"{name}_seconds", host.seconds.get(name))
    row.save()
    if not row.api_key_ciphertext:
        providers.set_api_key(row, "a-key-that-the-host-takes")
