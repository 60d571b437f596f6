"""A catalogue to test with: one provider of an operator's own, and a reset of the process-wide snapshot."""

import pytest

from apps.catalog.selectors import catalog
from apps.catalog.services import offers, providers
from apps.common.money import usd_to_nano


@pytest.fixture(autouse=True)
def fresh_snapshot():
    """A snapshot must not outlive the transaction that a test rolls back."""
    catalog.reset()
    yield
    catalog.reset()


@pytest.fixture
def add_model(db):
    """Offers a model at a provider that needs no key: ``add_model("acme/large", host="acme")``."""

    def add(model, *, host="acme", input_usd="1", output_usd="2", **options):
        return providers.add_provider(
            host,
            model=model,
            amounts=offers.Amounts.of(input=usd_to_nano(input_usd), output=usd_to_nano(output_usd)),
            **{"base_url": f"https://{host}.test/v1", "wire": "openai_chat"} | options,
        )

    return add
