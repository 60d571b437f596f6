"""Tiers and price terms from the quote to the record: one price wherever it is told."""

import asyncio
from typing import Any

import pytest

from apps.billing.models import JournalEntry
from apps.billing.services.rating import quote as rate_quote
from apps.catalog.client_rates import house_rates
from apps.catalog.models import AMOUNTS, TIER_PRICES, Offering, PriceSource, PriceTerms
from apps.catalog.services import offers
from apps.common import clock
from apps.common.usage import Usage
from apps.inference.cover import Cover
from apps.inference.planner import Target
from apps.inference.relay import Tally
from apps.inference.rerating import usage_of
from tests.hosting import Host, publish, slug_of
from tests.surfaces import Surface, ask

CHAT = Surface.CHAT
WORDS = "word " * 400
"""About 500 tokens by their size, and some hundred by the host's count."""


@pytest.fixture
def tiered(make_model):
    """$1.01 and $2 for a million; above twenty input tokens $4 and $6."""
    model = make_model(Host("echo", input_usd="1.01"))
    tier = offers.TierAmounts.of(above=20, input=4 * 10**9, output=6 * 10**9)
    amounts = offers.Amounts.of(input=1_010_000_000, output=2 * 10**9).with_tiers([tier])
    offers.post_price(Offering.objects.get(model=model), amounts, source=PriceSource.STAFF)
    publish()
    return model


def agree(customer, basis_points, **where):
    PriceTerms.objects.create(
        organization_id=customer.organization_id, basis_points=basis_points, **where
    )
    publish()


def body_of(model, text=WORDS, **fields):
    return CHAT.body(model, text, **fields)


@pytest.mark.parametrize("basis_points", [0, -2_500, 1_000])
@pytest.mark.parametrize("text", ["Hi", WORDS], ids=["base", "tier"])
def test_quote_record_and_explanation_have_one_price(gateway, customer, tiered, basis_points, text):
    if basis_points:
        agree(customer, basis_points)
    client = gateway.client(customer)
    quoted = client.post("/v1/quote", json={"request": body_of(tiered, text)}).json()["data"]
    (candidate,) = quoted["candidates"]

    answer = ask(client, CHAT, body_of(tiered, text))

    (record,) = customer.settled(requests=1)
    usage = usage_of(record)
    prices = (4 * 10**9, 6 * 10**9) if usage.total_input > 20 else (1_010_000_000, 2 * 10**9)
    own = [price * (10_000 + basis_points) // 10_000 for price in prices]
    product = usage.total_input * own[0] + usage.total_output * own[1]
    assert record.charged == record.cost == (2 * product + 10**6) // (2 * 10**6)
    assert round(answer.usage["cost"] * 1e9) == record.cost
    assert (record.terms_bp, record.markup_ppm, record.share_bp) == (basis_points, 0, 10_000)
    assert JournalEntry.objects.get(reference=f"settle:{record.id}").price_id == record.price_id
    assert float(candidate["rates"]["prompt"]) == pytest.approx(own[0] / 10**15)
    output = quoted["output_tokens"]
    expected = quoted["input_tokens"] * own[0] + output * own[1]
    assert quoted["hold"]["nano_usd"] == (2 * expected + 10**6) // (2 * 10**6)


def test_terms_are_of_one_organisation_and_count_with_max_price(gateway, make_customer, make_model):
    model = make_model(Host("echo", input_usd="1.02"), Host("echo", input_usd="1.03"))
    ours, others = make_customer(), make_customer()
    agree(ours, -5_000, provider_id=slug_of(1), model_pattern=model.rpartition("-")[0] + "-*")
    asked = {"request": body_of(model, provider={"max_price": {"prompt": 1}})}

    found = gateway.client(ours).post("/v1/quote", json=asked).json()["data"]["candidates"]
    refused = gateway.client(others).post("/v1/quote", json=asked)

    assert [(c["provider"], c["rates"]["prompt"]) for c in found] == [(slug_of(1), "0.000000515")]
    assert refused.status_code >= 400
    assert refused.json()["error"]["param"] == "request.provider.max_price"
    route = gateway.client(ours).post("/v1/route", json={"request": body_of(model)}).json()["data"]
    shown = {c["provider"]: c["pricing"]["prompt"] for c in route["candidates"]}
    assert shown == {slug_of(0): "1.02", slug_of(1): "0.515"}


def test_terms_of_the_past_and_of_the_future_change_nothing(gateway, customer, tiered):
    agree(customer, -5_000, valid_from=clock.now().replace(year=2999))
    ask(gateway.client(customer), CHAT, body_of(tiered, "Hi"))

    assert customer.settled(requests=1)[0].terms_bp == 0


class Granting:
    def __init__(self):
        self.asked = []

    async def extend(self, _request_id, _organization_id, amount):
        self.asked.append(amount)
        return True


@pytest.mark.parametrize(
    ("estimated", "reported", "nano"),
    [(200, None, 2_000), (201, None, 6_000), (10, Usage(input=201), 6_000)],
    ids=["base", "tier", "told by the host"],
)
def test_stream_goes_on_at_the_rates_of_its_tier(estimated, reported, nano):
    numbers = {"input": 10**9, "output": 2 * 10**9}
    rates = house_rates(1, [numbers.get(n, 0) for n in AMOUNTS], [{"above": 200, **dict.fromkeys(TIER_PRICES, 0), "output": 6 * 10**9}])  # fmt: skip
    ledger = Granting()
    nothing: Any = None
    told = Target(offering=nothing, endpoint=nothing, rates=rates, key="", is_byok=False, price=0)
    cover = Cover(
        ledger, request_id="x", organization_id=1, output_tokens=1_000, input_tokens=estimated
    )

    asyncio.run(cover.grow(Tally(usage=reported, output_bytes=4_000), told))

    assert ledger.asked == [1_000 * nano]
    assert ledger.asked == [
        rate_quote(Usage(output=1_000), rates.at(max(estimated, 201 if reported else 0)))
    ]
