"""Bills of a provider "acme" in tests: its prices, what was asked of it, and the exports that tell of it."""

import io
from typing import Any

from apps.accounts.models import Membership
from apps.accounts.services import create_user
from apps.catalog.models import Price
from apps.catalog.services import offers, providers
from apps.common.money import usd_to_nano
from apps.monitoring.models import UsageExportMapping
from apps.monitoring.services import exports
from tests.monitoring.recording import at, write

HEAD = "day,model,requests,input_tokens,cache_read_tokens,output_tokens,cost,currency"
NOON = at("2026-11-10T12:00:00")


def make_organization() -> int:
    user = create_user(email="alice@example.com", password="pw")
    return int(Membership.objects.get(user=user).organization_id)


def make_price(model: str = "large-v1", provider: str = "acme") -> int:
    """$1 a million tokens, in or out: a thousand nano-dollars each."""
    offering = providers.add_provider(
        provider,
        model=f"vendor/{model}",
        upstream_model=model,
        amounts=offers.Amounts.of(input=usd_to_nano("1"), output=usd_to_nano("1")),
        base_url="https://acme.test/v1",
        wire="openai_chat",
    )
    return Price.objects.filter(offering=offering).latest("valid_from").pk


def ask(organization_id: int, *, price_id: int, model: str = "large-v1", **fields: Any) -> None:
    """A request that the provider answered, at noon of the tenth unless told."""
    attempts = [{"provider": "acme", "model": model, "fault": "", "status": None, "ms": 1}]
    asked = {
        "model": f"vendor/{model}",
        "price_id": price_id,
        "attempts": attempts,
        "created_at": NOON,
    }
    write(organization_id, asked | fields)  # fmt: skip


def line(day="2026-11-10", model="large-v1", requests=1, tokens=0, cached=0, output=0, cost="0"):
    return f"{day},{model},{requests},{tokens},{cached},{output},{cost},USD"


def take(*lines: str, **options: Any) -> Any:
    """Import a file with these lines."""
    options = {"provider": "acme", "file_name": "acme.csv"} | options
    head = options.pop("head", HEAD)
    return exports.import_export(io.BytesIO("\n".join([head, *lines, ""]).encode()), **options)


def map_columns(slug: str, *, cost: str = "usd", day: str = "day", model: str = "model") -> Any:
    """A mapping of the provider's own, of bills that tell the cost alone."""
    return UsageExportMapping.objects.create(
        slug=slug, name=slug, provider="acme", day_column=day, model_column=model, measures={"cost": [cost]}
    )  # fmt: skip
