"""Embedding vectors: unit length, any number of dimensions, the same for the same text, near for texts that share words."""

import math
import re
import struct
from hashlib import shake_128


def embed(text: str, dimensions: int) -> list[float]:
    """Begins alike for fewer dimensions, as vectors that may be shortened do."""
    words = re.findall(r"\w+", text.lower()) or [text]
    numbers = [
        sum(column)
        for column in zip(*(_direction(word, dimensions) for word in words), strict=True)
    ]
    length = math.sqrt(sum(number * number for number in numbers)) or 1.0
    return [number / length for number in numbers]


def _direction(word: str, dimensions: int) -> list[float]:
    raw = shake_128(word.encode()).digest(2 * dimensions)
    return [number / 32768 for number in struct.unpack(f"<{dimensions}h", raw)]
