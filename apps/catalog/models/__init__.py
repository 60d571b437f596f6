"""The catalogue's tables: who serves what, at which price."""

from apps.catalog.models.balance import UpstreamBalance
from apps.catalog.models.epoch import CatalogEpoch
from apps.catalog.models.feed import Feed
from apps.catalog.models.model import ABILITIES, Model, ModelAlias
from apps.catalog.models.offering import Offering
from apps.catalog.models.price import (
    AMOUNTS,
    OVERRIDE,
    RANKS,
    TIER_PRICES,
    TOKEN_PRICES,
    WORDS,
    Price,
    PriceSource,
    in_words,
    tier_words,
)
from apps.catalog.models.proposal import PriceProposal, ProposalState
from apps.catalog.models.provider import Provider
from apps.catalog.models.terms import LEAST_BP, MOST_BP, PriceTerms

__all__ = [
    "ABILITIES",
    "AMOUNTS",
    "LEAST_BP",
    "MOST_BP",
    "OVERRIDE",
    "RANKS",
    "TIER_PRICES",
    "TOKEN_PRICES",
    "WORDS",
    "CatalogEpoch",
    "Feed",
    "Model",
    "ModelAlias",
    "Offering",
    "Price",
    "PriceProposal",
    "PriceSource",
    "PriceTerms",
    "ProposalState",
    "Provider",
    "UpstreamBalance",
    "in_words",
    "tier_words",
]
