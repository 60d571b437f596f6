"""Looking a model up when the test knows that it is there."""

from apps.catalog.selectors import CatalogSnapshot, ModelSnapshot, load_catalog


def find(name: str, snapshot: CatalogSnapshot | None = None) -> ModelSnapshot:
    """From a snapshot loaded now unless one is given."""
    model = (snapshot or load_catalog()).resolve(name)
    assert model is not None, f"{name} is not in the catalogue"
    return model
