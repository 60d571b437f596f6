"""The catalogue's epoch."""

from apps.common.db import Epoch


class CatalogEpoch(Epoch):
    """Rises with every change of a provider, model, alias, offering or price."""
