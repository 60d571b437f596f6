"""Histograms of times that can be added up: counts in logarithmic buckets, so that percentiles of a sum are true.

Bucket b holds the milliseconds in (γ^(b-1), γ^b], bucket 0 everything up to 1. Told is 2γ^b/(γ+1), which is at most
``RELATIVE_ERROR`` away from any of them: the sketch of Masson, Rim and Lee, https://www.vldb.org/pvldb/vol12/p2195-masson.pdf.

A histogram is one whole number with a cell of ``CELL_BITS`` bits for each bucket. Two are added by adding the numbers, which
Python does for all buckets at once. As text it is the first cell's place, the bytes that a cell takes there, and the cells.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import TypeAlias

Histogram: TypeAlias = int

RELATIVE_ERROR = 0.05
GAMMA = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
LOG_GAMMA = math.log(GAMMA)
CELL_BITS = 40
"""Room for a trillion of each: a sum never runs over into the next cell."""
_CELL = (1 << CELL_BITS) - 1
_WIDE = CELL_BITS // 8


def bucket_of(milliseconds: int) -> int:
    return 0 if milliseconds <= 1 else math.ceil(math.log(milliseconds) / LOG_GAMMA)


def value_of(bucket: int) -> float:
    """Milliseconds that stand for all of a bucket."""
    return 1.0 if bucket == 0 else 2 * GAMMA**bucket / (GAMMA + 1)


def pack(counts: Iterable[tuple[int, int]]) -> Histogram:
    """From (bucket, count); a bucket may come again."""
    return sum(count << (CELL_BITS * bucket) for bucket, count in counts)


def unpack(histogram: Histogram) -> Iterator[tuple[int, int]]:
    """(bucket, count) of those that hold something, upwards."""
    bucket = 0
    while histogram:
        if count := histogram & _CELL:
            yield bucket, count
        histogram >>= CELL_BITS
        bucket += 1


def encode(histogram: Histogram) -> str:
    """Empty for an empty one."""
    if not histogram:
        return ""
    first = ((histogram & -histogram).bit_length() - 1) // CELL_BITS
    cells = histogram >> (CELL_BITS * first)
    wide = cells.to_bytes(-(-cells.bit_length() // CELL_BITS) * _WIDE, "little")
    # As many bytes a cell as the fullest one needs: counts of an hour are mostly below 256.
    width = max(place + 1 for place in range(_WIDE) if any(wide[place::_WIDE]))
    narrow = bytearray(len(wide) // _WIDE * width)
    for place in range(width):
        narrow[place::width] = wide[place::_WIDE]
    return f"{first:x}:{width}:{narrow.hex()}"


def decode(text: str) -> Histogram:
    """The sum of any number of encoded ones with spaces between them."""
    # By their places first: numbers are shifted once for each place, and added while they are short.
    found: dict[str, int] = defaultdict(int)
    for one in text.split():
        first, width, cells = one.split(":")
        found[first] += _widened(bytes.fromhex(cells), int(width))
    return sum(cells << (CELL_BITS * int(first, 16)) for first, cells in found.items())


def _widened(narrow: bytes, width: int) -> int:
    wide = bytearray(len(narrow) // width * _WIDE)
    for place in range(width):
        wide[place::_WIDE] = narrow[place::width]
    return int.from_bytes(wide, "little")


def percentile(histogram: Histogram, share: int) -> float | None:
    """The smallest value that is not below so many of the hundred (nearest rank); None for an empty one."""
    counts = list(unpack(histogram))
    rank = -(-share * sum(count for _, count in counts) // 100)
    for bucket, count in counts:
        rank -= count
        if rank <= 0:
            return value_of(bucket)
    return None
