"""The state of the fake: tables of objects, its clock, the events that changes make.

Objects are the very dicts that are answered. An id is never given twice, not even after a reset or by another process:
what a test committed to its database must not meet a later event of the same id.
"""

import copy
import itertools
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.stripe.errors import Json, Refused, bad_parameter, no_such

API_VERSION = "2026-08-26.dahlia"

_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
PAGE = 10
LARGEST_PAGE = 100

KIND_OF_PREFIX = {
    "cus": "customer",
    "pm": "payment_method",
    "pi": "payment_intent",
    "seti": "setup_intent",
    "ch": "charge",
    "re": "refund",
    "txn": "balance_transaction",
    "du": "dispute",
    "prod": "product",
    "price": "price",
    "cs": "checkout.session",
    "sub": "subscription",
    "si": "subscription_item",
    "in": "invoice",
    "ii": "invoiceitem",
    "inpay": "invoice_payment",
    "txi": "tax_id",
    "bps": "billing_portal.session",
    "evt": "event",
}


NAMES_IN_MESSAGES = {"payment_method": "PaymentMethod", "setup_intent": "setupintent"}


def _in_letters(number: int, width: int) -> str:
    letters = ""
    while number:
        number, rest = divmod(number, len(_ALPHABET))
        letters = _ALPHABET[rest] + letters
    return letters.rjust(width, "0")


class Clock:
    """Seconds. Runs with the machine's until a test stops it; moves on only by ``advance`` then."""

    def __init__(self) -> None:
        self.stopped_at: int | None = None
        self.ahead = 0

    def now(self) -> int:
        return (int(time.time()) if self.stopped_at is None else self.stopped_at) + self.ahead

    def stop(self, at: int) -> None:
        self.stopped_at, self.ahead = at, 0

    def go_to(self, at: int) -> None:
        self.ahead += at - self.now()


@dataclass(slots=True)
class Caller:
    """The request that is being answered; events name it. Both None when the change comes from nobody's request."""

    request: str | None = None
    idempotency_key: str | None = None


@dataclass(slots=True)
class Decline:
    code: str
    decline_code: str | None


@dataclass(slots=True)
class World:
    clock: Clock = field(default_factory=Clock)
    tables: dict[str, dict[str, Json]] = field(default_factory=dict)
    caller: Caller = field(default_factory=Caller)
    declines: list[Decline] = field(default_factory=list)
    """What the next payments are declined with, whatever the card."""
    cards: dict[str, str] = field(default_factory=dict)
    """Payment method → the test card it was made from."""
    authenticated: set[str] = field(default_factory=set)
    """Payment methods whose owner agreed to later charges."""
    pending: dict[str, Json] = field(default_factory=dict)
    """Events that no webhook has taken yet."""
    draft_seconds: int = 0
    """How long a renewal's invoice stays a draft; Stripe's is an hour."""
    notes: dict[str, Json] = field(default_factory=dict)
    """What Stripe knows of an object but does not show, by the object's id."""
    _salt: str = field(
        default_factory=lambda: _in_letters((time.time_ns() // 1000) * 65536 + os.getpid(), 12)
    )
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    def now(self) -> int:
        return self.clock.now()

    def new_id(self, prefix: str) -> str:
        return f"{prefix}_{self._salt}{_in_letters(next(self._numbers), 6)}"

    def reset(self) -> None:
        """Forget everything but which ids were given."""
        self.clock = Clock()
        self.caller = Caller()
        self.draft_seconds = 0
        for kept in (self.tables, self.cards, self.pending, self.notes):
            kept.clear()
        self.declines.clear()
        self.authenticated.clear()

    @contextmanager
    def undone_if_refused(self) -> Iterator[None]:
        """What an operation did is forgotten when it ends in a refusal; for those that do all or nothing."""
        names = ("tables", "cards", "authenticated", "pending", "notes")
        saved = copy.deepcopy({name: getattr(self, name) for name in names})
        try:
            yield
        except Refused:
            for name, value in saved.items():
                setattr(self, name, value)
            raise

    def add(self, made: Json) -> Json:
        self.tables.setdefault(made["object"], {})[made["id"]] = made
        return made

    def all(self, kind: str) -> Iterable[Json]:
        """Oldest first."""
        return self.tables.get(kind, {}).values()

    def get(self, kind: str, identifier: str, *, param: str | None = None) -> Json:
        """``param`` is the parameter that named it; None when the path did."""
        found = self.tables.get(kind, {}).get(identifier)
        if found is None or (param is not None and found.get("deleted")):
            raise no_such(NAMES_IN_MESSAGES.get(kind, kind), identifier, param=param)
        return found

    def find(self, identifier: str) -> Json | None:
        """The object that an id names, by its prefix."""
        kind = KIND_OF_PREFIX.get(identifier.partition("_")[0])
        return self.tables.get(kind, {}).get(identifier) if kind else None

    def emit(self, kind: str, about: Json, *, before: Json | None = None) -> Json:
        """Note that something happened. ``before`` is a deep copy from before an update."""
        data: Json = {"object": copy.deepcopy(about)}
        if before is not None:
            data["previous_attributes"] = previous_attributes(before, about)
        event = self.add(
            {
                "id": self.new_id("evt"),
                "object": "event",
                "api_version": API_VERSION,
                "created": self.now(),
                "data": data,
                "livemode": False,
                "pending_webhooks": 1,
                "request": {
                    "id": self.caller.request,
                    "idempotency_key": self.caller.idempotency_key,
                },
                "type": kind,
            }
        )
        self.pending[event["id"]] = event
        return event


def previous_attributes(before: Json, after: Json) -> Json:
    """The old values of what changed, in the nesting of the object; lists count as one value."""
    found: Json = {}
    for name in before.keys() | after.keys():
        old, new = before.get(name), after.get(name)
        if old == new:
            continue
        if isinstance(old, dict) and isinstance(new, dict) and "object" not in old:
            found[name] = previous_attributes(old, new)
        else:
            found[name] = old
    return dict(sorted(found.items()))


def as_list(rows: list[Json], url: str, *, has_more: bool = False) -> Json:
    return {"object": "list", "data": rows, "has_more": has_more, "url": url}


def page(rows: Iterable[Json], params: Json, url: str) -> Json:
    """The newest first, after or before the object that the caller names."""
    newest = list(rows)[::-1]
    limit = params.get("limit", PAGE)
    if not 1 <= limit <= LARGEST_PAGE:
        raise bad_parameter(
            f"Invalid integer: limit must be between 1 and {LARGEST_PAGE}",
            code="parameter_invalid_integer",
            param="limit",
        )
    ids = [row["id"] for row in newest]
    if (after := params.get("starting_after")) is not None:
        newest = newest[_position(ids, after, "starting_after") + 1 :]
        return as_list(newest[:limit], url, has_more=len(newest) > limit)
    if (before := params.get("ending_before")) is not None:
        newest = newest[: _position(ids, before, "ending_before")]
        return as_list(newest[-limit:], url, has_more=len(newest) > limit)
    return as_list(newest[:limit], url, has_more=len(newest) > limit)


def _position(ids: list[str], identifier: str, param: str) -> int:
    if identifier not in ids:
        kind = KIND_OF_PREFIX.get(identifier.partition("_")[0], "object")
        raise no_such(kind, identifier, param=param)
    return ids.index(identifier)


def chosen(rows: Iterable[Json], params: Json, *names: str) -> list[Json]:
    """Rows whose fields have the values of those of the named parameters that were given."""
    wanted = {name: params[name] for name in names if name in params}
    return [row for row in rows if all(row[name] == value for name, value in wanted.items())]


def within(rows: Iterable[Json], params: Json) -> list[Json]:
    """Rows by the ``created`` parameter: ``created[gte]=…`` and its kin."""
    tests: dict[str, Callable[[int, int], bool]] = {
        "gt": lambda at, bound: at > bound,
        "gte": lambda at, bound: at >= bound,
        "lt": lambda at, bound: at < bound,
        "lte": lambda at, bound: at <= bound,
    }
    bounds: dict[str, int] = params.get("created", {})
    return [
        row
        for row in rows
        if all(tests[name](row["created"], bound) for name, bound in bounds.items())
    ]


def nulls(*names: str) -> dict[str, Any]:
    """Fields that Stripe always answers and the fake never fills."""
    return dict.fromkeys(names)
