"""Lists that mean harm: what is refused before the parser sees it, wherever the pieces are cut, and what is let through."""

import io
import json
from decimal import Decimal

import pytest

from apps.catalog.services import json_lists
from apps.catalog.services.json_lists import Guard, ListRefused, entries_at

LONG = b"1" * 5000
FINE = [
    b"[" + b"1" * json_lists.MOST_DIGITS + b", 2.5e-07]",
    b'["' + LONG + b'"]',
    b'["' + b"[{" * 100 + b'"]',
    rb'["a\"[[[[\\", "\\\\\"' + LONG + rb'\u005b", {"\\": 1}]',
    b'{"' + b"[" * 100 + LONG + b'": 1}',
    b"[" * json_lists.MOST_DEPTH + b"]" * json_lists.MOST_DEPTH,
    b"[" + b"[]," * 1000 + b"{}]",
]
HOSTILE = [
    (b'{"data": [{"id": ' + LONG + b"}]}", "digits"),
    (b"[0." + LONG + b"]", "digits"),
    (rb'["a\\", ' + LONG + b"]", "digits"),
    (b"[" * 20_000, "nested"),
    (b'{"data": [' + b'{"a":' * 20_000, "nested"),
    (rb'["\"", "\\", ' + b"[" * 100, "nested"),
]


def read(body: bytes, size: int) -> None:
    guard = Guard()
    for start in range(0, len(body), size):
        guard.take(body[start : start + size])


@pytest.mark.parametrize("size", [1, 2, 3, 7, 250, 2**16])
@pytest.mark.parametrize("body", FINE, ids=range(len(FINE)))
def test_guard_lets_sound_lists_through_wherever_they_are_cut(body, size):
    json.loads(body)
    read(body, size)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 250, 2**16])
@pytest.mark.parametrize(("body", "reason"), HOSTILE, ids=range(len(HOSTILE)))
def test_guard_refuses_hostile_lists_wherever_they_are_cut(body, reason, size):
    with pytest.raises(ListRefused, match=reason):
        read(body, size)


@pytest.mark.parametrize(
    ("place", "found"),
    [
        ("data.item", [{"id": "a", "prices": [{"in": Decimal("3E-7")}, None]}, 7, True, []]),
        ("data.item.prices.item.in", [Decimal("3E-7")]),
        ("next.token", ["t"]),
        ("next", [{"token": "t"}]),
        ("item", []),
        ("missing.item", []),
    ],
)
def test_entries_are_those_at_the_place(place, found):
    text = b'{"other": {"data": [1]}, "data": [{"id": "a", "prices": [{"in": 3e-07}, null]}, 7, true, []], "next": {"token": "t"}}'
    assert list(entries_at(io.BytesIO(text), place)) == found


def test_entries_of_a_bare_list_are_its_elements():
    assert list(entries_at(io.BytesIO(b'[[1, 2], {"data": [3]}]'), "item")) == [[1, 2], {"data": [3]}]  # fmt: skip


def test_entry_of_too_many_parts_is_refused():
    text = b'{"data": [[' + b"[]," * json_lists.MOST_PARTS + b"[]]]}"
    with pytest.raises(ListRefused, match="parts"):
        list(entries_at(io.BytesIO(text), "data.item"))
