"""Billing portal sessions: a page's address. What a customer does there, a test does through the API."""

from tests.fakes.stripe.errors import Json
from tests.fakes.stripe.reading import Required, Spec, group, one_of, text
from tests.fakes.stripe.routing import Route
from tests.fakes.stripe.world import World, nulls

CREATE: Spec = {
    "customer": Required(text),
    "return_url": text,
    "configuration": text,
    "locale": text,
    "flow_data": group(
        {
            "type": Required(
                one_of(
                    "payment_method_update",
                    "subscription_cancel",
                    "subscription_update",
                )
            ),
            "subscription_cancel": group({"subscription": Required(text)}),
            "subscription_update": group({"subscription": Required(text)}),
        }
    ),
}


def create(world: World, params: Json) -> Json:
    world.get("customer", params["customer"], param="customer")
    identifier = world.new_id("bps")
    session = world.add(
        {
            "id": identifier,
            "object": "billing_portal.session",
            "configuration": params.get("configuration", "bpc_fake"),
            "created": world.now(),
            "customer": params["customer"],
            "customer_account": None,
            "flow": _flow(world, params.get("flow_data")),
            "livemode": False,
            "locale": params.get("locale"),
            "on_behalf_of": None,
            "return_url": params.get("return_url"),
            "url": f"https://billing.stripe.com/p/session/{identifier}",
        }
    )
    world.emit("billing_portal.session.created", session)
    return session


def _flow(world: World, asked: Json | None) -> Json | None:
    if asked is None:
        return None
    flow = {
        "after_completion": {**nulls("hosted_confirmation", "redirect"), "type": "portal_homepage"},
        **nulls("subscription_cancel", "subscription_update", "subscription_update_confirm"),
        "type": asked["type"],
    }
    for name in ("subscription_cancel", "subscription_update"):
        if name in asked:
            world.get("subscription", asked[name]["subscription"], param=f"flow_data[{name}]")
            flow[name] = dict(asked[name])
    if flow["subscription_cancel"]:
        flow["subscription_cancel"]["retention"] = None
    return flow


ROUTES = (Route("POST", "/v1/billing_portal/sessions", create, CREATE),)
