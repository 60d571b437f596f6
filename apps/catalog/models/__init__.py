"""The catalogue's tables: who serves what, at which price."""

from apps.catalog.models.epoch import CatalogEpoch
from apps.catalog.models.feed import Feed
from apps.catalog.models.model import Model, ModelAlias
from apps.catalog.models.offering import Offering
from apps.catalog.models.price import AMOUNTS, TOKEN_PRICES, Price, PriceSource
from apps.catalog.models.proposal import PriceProposal, ProposalState
from apps.catalog.models.provider import Provider

__all__ = [
    "AMOUNTS",
    "TOKEN_PRICES",
    "CatalogEpoch",
    "Feed",
    "Model",
    "ModelAlias",
    "Offering",
    "Price",
    "PriceProposal",
    "PriceSource",
    "ProposalState",
    "Provider",
]
