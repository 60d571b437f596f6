"""Reading JSON that is to be written again: what nobody here looks at must come out as it went in."""

import json
from typing import Any

import orjson

LONG = b"0" * 19
"""As many digits as the shortest integer that needs more than 64 bits."""
_TO_ZEROS = bytes.maketrans(b"0123456789", LONG[:10])


def loads(raw: bytes) -> Any:
    """Like ``orjson.loads``, which rounds integers beyond 64 bits; here each is a fragment of the same digits.

    Raises ValueError, and RecursionError for a body with such an integer that is nested too deeply.
    """
    value = orjson.loads(raw)
    if LONG in raw.translate(_TO_ZEROS):
        return json.loads(raw, parse_int=_integer)
    return value


def _integer(digits: str) -> int | orjson.Fragment:
    if len(digits) <= 20 and -(2**63) <= (value := int(digits)) < 2**64:
        return value
    return orjson.Fragment(digits)
