"""Embedding vectors: unit length, any number of dimensions, the same for the same text."""

import math
import struct
from hashlib import shake_128


def embed(text: str, dimensions: int) -> list[float]:
    """Begins alike for fewer dimensions, as vectors that may be shortened do."""
    raw = shake_128(text.encode()).digest(2 * dimensions)
    numbers = [number / 32768 for number in struct.unpack(f"<{dimensions}h", raw)]
    length = math.sqrt(sum(number * number for number in numbers)) or 1.0
    return [number / length for number in numbers]
