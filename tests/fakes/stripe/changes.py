"""A subscription's items: how they change, and what the change costs.

The period goes on, and the difference is prorated; unless the interval changes, a free plan becomes a paid one, or the
caller asks for it: then a new period begins now and is billed at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tests.fakes.stripe import invoices, paying, periods, prorations
from tests.fakes.stripe.catalogue import price_named
from tests.fakes.stripe.errors import Json, bad_parameter, invalid
from tests.fakes.stripe.invoices import Line
from tests.fakes.stripe.prorations import Part, ProratedLine
from tests.fakes.stripe.reading import merged
from tests.fakes.stripe.world import World


@dataclass(frozen=True, slots=True)
class Wanted:
    """An item as it is to be; ``item`` None is a new one."""

    item: Json | None
    price: Json
    quantity: int


@dataclass(frozen=True, slots=True)
class Change:
    wanted: tuple[Wanted, ...]
    lines: tuple[ProratedLine, ...]
    new_period: bool


def make_item(world: World, subscription: str, wanted: Wanted, *, start: int, end: int) -> Json:
    return {
        "id": world.new_id("si"),
        "object": "subscription_item",
        "billing_thresholds": None,
        "created": world.now(),
        "current_period_end": end,
        "current_period_start": start,
        "discounts": [],
        "metadata": {},
        "plan": _plan_of(wanted.price),
        "price": dict(wanted.price),
        "quantity": wanted.quantity,
        "subscription": subscription,
        "tax_rates": [],
    }


def _plan_of(price: Json) -> Json:
    recurring = price["recurring"]
    return {
        "id": price["id"],
        "object": "plan",
        "active": price["active"],
        "amount": price["unit_amount"],
        "amount_decimal": price["unit_amount_decimal"],
        "billing_scheme": price["billing_scheme"],
        "created": price["created"],
        "currency": price["currency"],
        "interval": recurring["interval"],
        "interval_count": recurring["interval_count"],
        "livemode": False,
        "metadata": dict(price["metadata"]),
        "meter": None,
        "nickname": price["nickname"],
        "product": price["product"],
        "tiers_mode": None,
        "transform_usage": None,
        "trial_period_days": None,
        "usage_type": "licensed",
    }


def name_of(world: World, price: Json) -> str:
    return str(world.get("product", price["product"])["name"])


def lines_of_period(world: World, items: Sequence[Json], *, trial: bool = False) -> list[Line]:
    """The full price of each item for the period it is in; nothing for a trial."""
    lines = []
    for item in items:
        price, quantity = item["price"], item["quantity"]
        name = name_of(world, price)
        unit, interval = price["unit_amount"], price["recurring"]["interval"]
        text = f"{quantity} × {name} (at ${unit // 100}.{unit % 100:02} / {interval})"
        lines.append(
            Line(
                amount=0 if trial else unit * quantity,
                description=f"Trial period for {name}" if trial else text,
                price=price,
                quantity=quantity,
                start=item["current_period_start"],
                end=item["current_period_end"],
                item=item["id"],
            )
        )
    return lines


def plan(world: World, subscription: Json, params: Json) -> Change | None:
    """What an update asks for; None when it leaves items and period alone."""
    restart = params.get("billing_cycle_anchor") == "now"
    if "items" not in params and not restart:
        return None
    wanted = _wanted_items(world, subscription, params.get("items", []))
    items = subscription["items"]["data"]
    old = [_part(world, item["id"], item["price"], item["quantity"]) for item in items]
    new = [
        _part(world, one.item["id"] if one.item else f"new {number}", one.price, one.quantity)
        for number, one in enumerate(wanted)
    ]
    restart = restart or _recurring(old) != _recurring(new) or (_total(old) == 0 < _total(new))
    start, end = items[0]["current_period_start"], items[0]["current_period_end"]
    at = params.get("proration_date", world.now())
    if not start <= at <= end:
        raise bad_parameter(
            "Invalid `proration_date`: it must be within the current period.",
            param="proration_date",
        )
    lines: list[ProratedLine] = []
    if subscription["status"] != "trialing":
        # In a new period only the old one's rest is given back: the new items are billed in full.
        lines = prorations.lines_of_change(old, [] if restart else new, at=at, start=start, end=end)
    return Change(tuple(wanted), tuple(lines), restart and subscription["status"] != "trialing")


def _part(world: World, item: str, price: Json, quantity: int) -> Part:
    return Part(item, price, quantity, name_of(world, price))


def _recurring(parts: Sequence[Part]) -> tuple[str, int]:
    recurring = parts[0].price["recurring"]
    return recurring["interval"], recurring["interval_count"]


def _total(parts: Sequence[Part]) -> int:
    return sum(part.amount for part in parts)


def _wanted_items(world: World, subscription: Json, given: Sequence[Json]) -> list[Wanted]:
    known = {item["id"]: item for item in subscription["items"]["data"]}
    wanted = {
        identifier: Wanted(item, item["price"], item["quantity"])
        for identifier, item in known.items()
    }
    for number, one in enumerate(given):
        name = f"items[{number}]"
        identifier = one.get("id")
        if identifier is None:
            wanted[f"new {number}"] = Wanted(
                None, price_named(world, one, name), one.get("quantity", 1)
            )
            continue
        if identifier not in known:
            raise bad_parameter(
                f"No such subscription item: '{identifier}'",
                code="resource_missing",
                param=f"{name}[id]",
            )
        if one.get("deleted"):
            del wanted[identifier]
            continue
        item = known[identifier]
        price = (
            price_named(world, one, name) if one.keys() & {"price", "price_data"} else item["price"]
        )
        if "metadata" in one:
            item["metadata"] = merged(item["metadata"], one["metadata"])
        wanted[identifier] = Wanted(item, price, one.get("quantity", item["quantity"]))
    if not wanted:
        raise invalid("A subscription must have at least one active plan.")
    prices = [one.price["id"] for one in wanted.values()]
    if len(set(prices)) < len(prices):
        raise invalid(
            f"Cannot add multiple subscription items with the same plan: {max(prices, key=prices.count)}"
        )
    if any(one.price["recurring"] is None for one in wanted.values()):
        raise invalid(
            "The price specified is set to `type=one_time`; subscriptions need recurring prices."
        )
    return list(wanted.values())


def apply(world: World, subscription: Json, change: Change, behaviour: str | None) -> None:
    """Put the wanted items in place; prorations that nobody bills now become pending invoice items."""
    items = subscription["items"]["data"]
    start, end = items[0]["current_period_start"], items[0]["current_period_end"]
    made = []
    for one in change.wanted:
        if one.item is None:
            made.append(make_item(world, subscription["id"], one, start=start, end=end))
            continue
        one.item.update(price=dict(one.price), plan=_plan_of(one.price), quantity=one.quantity)
        made.append(one.item)
    old_ids = {item["id"] for item in items}
    subscription["items"]["data"] = made
    if behaviour != "none":
        for line in change.lines:
            invoices.add_pending(
                world,
                subscription,
                _as_line(line, old_ids, made),
                currency=subscription["currency"],
            )
    if change.new_period:
        begin_period(world, subscription, world.now())


def _as_line(line: ProratedLine, old_ids: set[str], made: Sequence[Json]) -> Line:
    item = line.part.item
    if item not in old_ids:
        item = next(one["id"] for one in made if one["price"]["id"] == line.part.price["id"])
    return Line(
        amount=line.amount,
        description=line.description,
        price=line.part.price,
        quantity=line.part.quantity,
        start=line.start,
        end=line.end,
        item=item,
        proration=True,
    )


def begin_period(world: World, subscription: Json, at: int) -> None:
    """A new row of periods, anchored here."""
    subscription["billing_cycle_anchor"] = at
    for item in subscription["items"]["data"]:
        item["current_period_start"] = at
        item["current_period_end"] = periods.step(at, item["price"]["recurring"], 1)
    if subscription["cancel_at_period_end"]:
        subscription["cancel_at"] = subscription["items"]["data"][0]["current_period_end"]


def bill(
    world: World, subscription: Json, before: Json, change: Change | None, params: Json
) -> Json | None:
    """The invoice of an update, when it makes one."""
    trial_ended = before["status"] == "trialing" and subscription["status"] == "active"
    if trial_ended or (change is not None and change.new_period):
        return invoice_of(
            world,
            subscription,
            [*invoices.pending_lines(world, subscription), *_full(world, subscription)],
            reason="subscription_update",
        )
    if change is not None and params.get("proration_behavior") == "always_invoice":
        return bill_pending(world, subscription)
    return None


def _full(world: World, subscription: Json) -> list[Line]:
    return lines_of_period(world, subscription["items"]["data"])


def bill_pending(world: World, subscription: Json) -> Json | None:
    lines = invoices.pending_lines(world, subscription)
    if not lines:
        return None
    return invoice_of(world, subscription, lines, reason="subscription_update")


def invoice_of(world: World, subscription: Json, lines: Sequence[Line], *, reason: str) -> Json:
    """An invoice of a subscription, finalised; paid already when nothing is due."""
    invoice = draft_of(world, subscription, lines, reason=reason)
    finalise(world, invoice)
    return invoice


def draft_of(world: World, subscription: Json, lines: Sequence[Line], *, reason: str) -> Json:
    customer = world.get("customer", subscription["customer"])
    invoice = invoices.draft(
        world,
        customer,
        lines,
        currency=subscription["currency"],
        reason=reason,
        subscription=subscription,
    )
    subscription["latest_invoice"] = invoice["id"]
    return invoice


def finalise(world: World, invoice: Json) -> None:
    invoices.finalise(world, invoice)
    if invoice["amount_due"] == 0:
        paying.settle(world, invoice)


def give_back_rest(world: World, subscription: Json) -> None:
    """Credit the unused part of the period; waits for an invoice."""
    items = subscription["items"]["data"]
    old = [_part(world, item["id"], item["price"], item["quantity"]) for item in items]
    lines = prorations.lines_of_change(
        old,
        [],
        at=world.now(),
        start=items[0]["current_period_start"],
        end=items[0]["current_period_end"],
    )
    for line in lines:
        invoices.add_pending(
            world,
            subscription,
            _as_line(line, {part.item for part in old}, items),
            currency=subscription["currency"],
        )
