"""The catalogue's tables: who serves what, at which price."""

from apps.catalog.models.balance import UpstreamBalance
from apps.catalog.models.epoch import CatalogEpoch
from apps.catalog.models.feed import Feed
from apps.catalog.models.model import ABILITIES, Model, ModelAlias
from apps.catalog.models.offering import Offering
from apps.catalog.models.price import AMOUNTS, TOKEN_PRICES, Price, PriceSource, in_words
from apps.catalog.models.proposal import PriceProposal, ProposalState
from apps.catalog.models.provider import Provider

__all__ = [
    "ABILITIES",
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
    "UpstreamBalance",
    "in_words",
]
