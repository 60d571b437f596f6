"""Looking a model up when the test knows that it is there."""

from apps.catalog.providers.spec import Operation, Wire
from apps.catalog.selectors import CatalogSnapshot, ModelSnapshot, OfferingSnapshot, load_catalog


def find(name: str, snapshot: CatalogSnapshot | None = None) -> ModelSnapshot:
    """From a snapshot loaded now unless one is given."""
    model = (snapshot or load_catalog()).resolve(name)
    assert model is not None, f"{name} is not in the catalogue"
    return model


def url_of(offering: OfferingSnapshot) -> str:
    """Where a chat request of a client goes that speaks OpenAI's wire."""
    endpoint = offering.endpoint(Operation.CHAT, Wire.OPENAI_CHAT)
    assert endpoint is not None
    return offering.url(endpoint, stream=False)
