"""Lists in JSON from somebody who may mean harm: what is refused before it is parsed, and what an entry may cost.

The parser is fast because it is C, and it trusts what it reads: an integer that Python refuses to convert ends the
process, and the text that it makes of every place grows with the square of the nesting. So the bytes are looked
through first, and entries are built of events that name no place.
"""

import re
from collections.abc import Iterator
from itertools import chain
from typing import IO, Any

import ijson  # type: ignore[import-untyped] # publishes no types

MOST_DIGITS = 400
"""In a row, in a number. Python converts integers of up to 4,300."""
MOST_DEPTH = 64
"""Of objects and arrays in each other."""
MOST_PARTS = 100_000
"""Of one entry: every name, value, beginning and end in it is one."""

TEXT = re.compile(rb'"(?:[^"\\]++|\\.)*+("|\\?\Z)', re.DOTALL)
"""A text to its end, or to the end of what has come so far, which may be in the middle of an escape."""
LONG_NUMBER = re.compile(rb"[0-9]{%d}" % (MOST_DIGITS + 1))
LAST_DIGITS = re.compile(rb"[0-9]*\Z")
NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
OPENING = frozenset(b"[{")
STARTS, ENDS = ("start_map", "start_array"), ("end_map", "end_array")


class ListRefused(Exception):
    """The list cannot be had or cannot be believed; what is known stays. The message is a sentence for staff."""


class Guard:
    """Looks through the bytes of one JSON document, piece by piece, for what must not reach the parser."""

    def __init__(self) -> None:
        self._depth = 0
        self._held = b""
        """Stands for what the last piece left open: a text, an escape in it, a number."""

    def take(self, piece: bytes) -> None:
        """Raises ListRefused for a number too long or brackets too deep, outside of texts."""
        *before, last = TEXT.split(self._held + piece)
        outside = b'"'.join((*before[::2], last))
        if LONG_NUMBER.search(outside):
            raise ListRefused(f"The list has a number of more than {MOST_DIGITS} digits.")
        for bracket in outside.translate(None, NO_BRACKETS):
            self._depth += 1 if bracket in OPENING else -1
            if self._depth > MOST_DEPTH:
                raise ListRefused(f"The list is nested more than {MOST_DEPTH} levels deep.")
        ending = before[-1] if before else b'"'
        if ending == b'"':
            self._held = LAST_DIGITS.findall(last)[0]
        else:
            self._held = b'"' + ending


def entries_at(file: IO[bytes], place: str) -> Iterator[Any]:
    """The values at a place, one after the other: ``data.item`` is every element of the array ``data``.

    Numbers with a point or an exponent are Decimal. Only for what a ``Guard`` has seen. Raises ijson.JSONError, and
    ListRefused for an entry that is too large.
    """
    wanted = place.split(".")
    names: list[str] = []
    events = ijson.basic_parse(file)
    for event, value in events:
        if event in ENDS:
            names.pop()
        elif event == "map_key":
            names[-1] = value
        elif names == wanted:
            yield _built(chain(((event, value),), events))
        elif event in STARTS:
            names.append("item" if event == "start_array" else "")


def _built(events: Iterator[tuple[str, Any]]) -> Any:
    """The value that the events begin with."""
    builder = ijson.ObjectBuilder()
    depth = 0
    for part, (event, value) in enumerate(events):
        if part == MOST_PARTS:
            raise ListRefused(f"The list has an entry of more than {MOST_PARTS} parts.")
        builder.event(event, value)
        depth += (event in STARTS) - (event in ENDS)
        if not depth:
            break
    return builder.value
