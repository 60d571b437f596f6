"""``/_control/``: what in life a human, a bank, time or a bad day does. JSON in, JSON out; no key is asked for.

=======================================  ========================================================================
POST checkout/{id}/complete              card, email, name, country, tax_ids, delayed → {"declined": …} or null
POST checkout/{id}/abandon               the session expires now
POST checkout/{id}/settle                paid: what a ``delayed`` payment became
POST payment_intents/{id}/authenticate   agreed; also setup_intents/{id}/authenticate
POST decline                             code, decline_code, count: the next payments, whatever the card
POST disputes                            charge or payment_intent, amount, reason
POST disputes/{id}/decide                won
POST refunds/{id}/fail                   the bank sends a refund back
POST clock                               stop: at a moment; advance: seconds; to: a moment. → {"now": …}
POST drafts                              seconds: how long a renewal's invoice stays a draft
POST webhook                             url, secret, events (types; all when none are named)
POST deliver                             events (ids in this order; all that wait when none are named), times,
                                         age, bad_signature → {"deliveries": […]}
POST fail                                kind, count, path, method, milliseconds (faults.py)
POST mend                                forget the failures that have not come yet
GET events, requests, objects            all events, oldest first; requests received; tables by kind
POST reset                               forget everything
=======================================  ========================================================================
"""

import json
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from tests.fakes.stripe import (
    checkout,
    checkout_pages,
    disputes,
    paying,
    refunds,
    renewals,
    setup_intents,
)
from tests.fakes.stripe.checkout_pages import Typed
from tests.fakes.stripe.deliveries import Endpoint, How
from tests.fakes.stripe.errors import Json, Refused, invalid
from tests.fakes.stripe.fake import Fake
from tests.fakes.stripe.faults import KINDS, LONGEST_SILENCE, Fault
from tests.fakes.stripe.world import Decline, World

Control = Callable[..., Any]


def add_routes(app: web.Application, fake: Fake) -> None:
    for method, path, control in TABLE:
        app.router.add_route(method, f"/_control/{path}", _serving(fake, control))


def _serving(fake: Fake, control: Control) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def serve(request: web.Request) -> web.Response:
        body = await request.read()
        given: Json = json.loads(body) if body else {}
        try:
            answer = control(fake, given, *request.match_info.values())
            if isinstance(answer, Awaitable):
                answer = await answer
        except Refused as refused:
            return web.json_response({"error": refused.error}, status=refused.status)
        except (KeyError, TypeError, ValueError) as error:
            # What was told was wrong, or the fake is: the trace says which.
            traceback.print_exc()
            problem = {"message": f"{type(error).__name__}: {error}"}
            return web.json_response({"error": problem}, status=400)
        return web.json_response(answer)

    return serve


def complete(fake: Fake, given: Json, identifier: str) -> Json:
    world = fake.world
    session = world.get("checkout.session", identifier)
    refused = checkout_pages.complete(world, session, Typed(**given))
    # A refusal may have put the tables back: look the session up again.
    found = world.get("checkout.session", identifier)
    return {"session": found, "declined": refused and refused.error}


def abandon(fake: Fake, given: Json, identifier: str) -> Json:
    return checkout.expire(fake.world, {}, identifier)


def settle(fake: Fake, given: Json, identifier: str) -> Json:
    session = fake.world.get("checkout.session", identifier)
    checkout_pages.settle_delayed(fake.world, session, paid=given["paid"])
    return session


def authenticate(fake: Fake, given: Json, identifier: str) -> Json:
    return paying.authenticate(fake.world, identifier, agreed=given["agreed"])


def authenticate_setup(fake: Fake, given: Json, identifier: str) -> Json:
    return setup_intents.authenticate(fake.world, identifier, agreed=given["agreed"])


def decline(fake: Fake, given: Json) -> Json:
    code = given.get("code", "card_declined")
    plain = "generic_decline" if code == "card_declined" else code
    said = Decline(code, given.get("decline_code", plain))
    fake.world.declines += [said] * given.get("count", 1)
    return {"waiting": len(fake.world.declines)}


def dispute(fake: Fake, given: Json) -> Json:
    charge = _charge(fake.world, given)
    return disputes.open_dispute(
        fake.world,
        charge,
        amount=given.get("amount", charge["amount_captured"] - charge["amount_refunded"]),
        reason=given.get("reason", "fraudulent"),
    )


def _charge(world: World, given: Json) -> Json:
    if "charge" in given:
        return world.get("charge", given["charge"], param="charge")
    intent = world.get("payment_intent", given["payment_intent"], param="payment_intent")
    return world.get("charge", intent["latest_charge"])


def decide(fake: Fake, given: Json, identifier: str) -> Json:
    return disputes.decide(fake.world, fake.world.get("dispute", identifier), won=given["won"])


def fail_refund(fake: Fake, given: Json, identifier: str) -> Json:
    return refunds.fail(fake.world, identifier)


def clock(fake: Fake, given: Json) -> Json:
    world = fake.world
    if "stop" in given:
        world.clock.stop(given["stop"])
    if "advance" in given:
        renewals.advance(world, world.now() + given["advance"])
    if "to" in given:
        renewals.advance(world, given["to"])
    return {"now": world.now()}


def drafts(fake: Fake, given: Json) -> Json:
    fake.world.draft_seconds = given["seconds"]
    return given


def webhook(fake: Fake, given: Json) -> Json:
    kinds = frozenset(given.get("events", ()))
    fake.deliveries.endpoint = Endpoint(given["url"], given["secret"], kinds)
    return {"url": given["url"]}


async def deliver(fake: Fake, given: Json) -> Json:
    if fake.deliveries.endpoint is None:
        raise invalid("No webhook endpoint is set.")
    world = fake.world
    named = given.get("events")
    wanted = (
        list(world.pending.values())
        if named is None
        else [world.get("event", identifier) for identifier in named]
    )
    how = How(given.get("times", 1), given.get("age", 0), given.get("bad_signature", False))
    told: list[Json] = []
    for event in wanted:
        answers = await fake.deliveries.send(event, how)
        told += answers
        if not answers or any(_taken(answer) for answer in answers):
            event["pending_webhooks"] = 0
            world.pending.pop(event["id"], None)
    return {"deliveries": told}


def _taken(answer: Json) -> bool:
    return answer["status"] is not None and 200 <= answer["status"] < 300


def fail(fake: Fake, given: Json) -> Json:
    kind = str(given["kind"])
    if kind not in KINDS:
        raise invalid(f"kind must be one of {', '.join(KINDS)}")
    fault = Fault(
        kind=kind,
        count=given.get("count", 1),
        path=given.get("path", "/v1/"),
        method=given.get("method"),
        milliseconds=given.get("milliseconds", LONGEST_SILENCE if kind == "timeout" else 0),
    )
    fake.faults.plan(fault)
    return {"kind": kind, "count": fault.count}


def mend(fake: Fake, given: Json) -> Json:
    fake.faults.clear()
    return {}


def events(fake: Fake, given: Json) -> Json:
    return {"events": list(fake.world.all("event")), "pending": list(fake.world.pending)}


def requests(fake: Fake, given: Json) -> Json:
    return {"requests": fake.requests}


def objects(fake: Fake, given: Json) -> Json:
    return {kind: list(table.values()) for kind, table in fake.world.tables.items()}


def reset(fake: Fake, given: Json) -> Json:
    fake.reset()
    return {}


TABLE: tuple[tuple[str, str, Control], ...] = (
    ("POST", "checkout/{id}/complete", complete),
    ("POST", "checkout/{id}/abandon", abandon),
    ("POST", "checkout/{id}/settle", settle),
    ("POST", "payment_intents/{id}/authenticate", authenticate),
    ("POST", "setup_intents/{id}/authenticate", authenticate_setup),
    ("POST", "decline", decline),
    ("POST", "disputes", dispute),
    ("POST", "disputes/{id}/decide", decide),
    ("POST", "refunds/{id}/fail", fail_refund),
    ("POST", "clock", clock),
    ("POST", "drafts", drafts),
    ("POST", "webhook", webhook),
    ("POST", "deliver", deliver),
    ("POST", "fail", fail),
    ("POST", "mend", mend),
    ("GET", "events", events),
    ("GET", "requests", requests),
    ("GET", "objects", objects),
    ("POST", "reset", reset),
)
