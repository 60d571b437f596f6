r"""Characters that a host cut in two: ``"\ud83c"`` ends the text of one record, ``"\udf89"`` begins that of the next.

JSON's grammar allows half a surrogate pair (RFC 8259, section 8.2), but no reader here does: it is no character. Works on
the bytes of a record, because what is passed on verbatim must be readable too.
"""

import re

_HIGH = rb"\\u[dD][89abAB][0-9a-fA-F]{2}"
_LOW = rb"\\u[dD][c-fC-F][0-9a-fA-F]{2}"
_ESCAPE = re.compile(
    rb"%(high)b%(low)b|(?P<last>%(high)b(?=\"))|(?P<first>(?<=\")%(low)b)|(?P<lost>%(high)b|%(low)b)|\\."
    % {b"high": _HIGH, b"low": _LOW}
)
"""Every escape, so that an escaped backslash begins none. Only halves have a group: at the end of a text, its beginning, inside."""
_UNKNOWN = rb"\ufffd"


def has_surrogates(data: bytes) -> bool:
    return rb"\ud" in data or rb"\uD" in data


def mend_whole(data: bytes) -> bytes:
    """A whole answer, which no other record follows: each lone half becomes U+FFFD."""
    if not has_surrogates(data):
        return data
    mended, is_half = mend(data)
    return join(mended, b"")[0] if is_half else mended


def mend(data: bytes) -> tuple[bytes, bool]:
    """The record without halves that can find no other, and whether one is left whose other half may follow."""
    mended = _ESCAPE.sub(
        lambda found: _UNKNOWN if found.lastgroup in ("first", "lost") else found[0], data
    )
    return mended, any(found.lastgroup == "last" for found in _ESCAPE.finditer(mended))


def join(earlier: bytes, later: bytes) -> tuple[bytes, bytes]:
    """Second halves move to the first ones, in order; a first half without a second becomes U+FFFD."""
    seconds = [found[0] for found in _ESCAPE.finditer(later) if found.lastgroup == "first"]
    firsts = sum(found.lastgroup == "last" for found in _ESCAPE.finditer(earlier))
    moved, taken = iter(seconds[:firsts]), iter(seconds[:firsts])

    def complete(found: re.Match[bytes]) -> bytes:
        if found.lastgroup != "last":
            return found[0]
        second = next(moved, None)
        return _UNKNOWN if second is None else found[0] + second

    def leave_out(found: re.Match[bytes]) -> bytes:
        is_moved = found.lastgroup == "first" and next(taken, None) is not None
        return b"" if is_moved else found[0]

    return _ESCAPE.sub(complete, earlier), _ESCAPE.sub(leave_out, later)
