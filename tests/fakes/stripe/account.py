"""The account that the keys belong to: who asks for it wants to know whose objects these are."""

from tests.fakes.stripe.errors import Json
from tests.fakes.stripe.routing import Route
from tests.fakes.stripe.world import World

IDENTIFIER = "acct_fake00000000"


def retrieve(world: World, params: Json, *identifier: str) -> Json:
    if identifier and identifier[0] != IDENTIFIER:
        return world.get("account", identifier[0])
    return {
        "id": IDENTIFIER,
        "object": "account",
        "business_type": "company",
        "charges_enabled": True,
        "country": "US",
        "created": 1_600_000_000,
        "default_currency": "usd",
        "details_submitted": True,
        "email": "billing@example.com",
        "metadata": {},
        "payouts_enabled": True,
        "type": "standard",
    }


ROUTES = (
    Route("GET", "/v1/account", retrieve),
    Route("GET", "/v1/accounts/{id}", retrieve),
)
