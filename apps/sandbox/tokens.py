"""How tokens are counted and when a prompt counts as cached. No tokenizer: numbers a test can compute by hand.

The rule: **one token per 4 characters, rounded up**.

- The prompt is counted as one text: tools (compact JSON), system, then every message's texts, tool-call arguments and
  tool results, joined without separators. Roles, ids and names of fields are not counted.
- An image, document, audio or file stands in it as exactly 340 characters (85 tokens).
- The answer is counted per piece: each reasoning text, text and tool call (name plus arguments) for itself.

Caching is in memory, per bare model name, without expiry; ``POST /reset`` empties it.

- Explicit (``cache_control``): the longest known prefix is read, everything from there to the last breakpoint is
  written at the breakpoint's ttl. No minimum length. As with the original, known prefixes are found at every block
  border before the last breakpoint, so a growing conversation reads what its last turn wrote.
- Implicit (OpenAI): from 1024 characters on, in steps of 512 characters (128 tokens).
"""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal

CHARACTERS_PER_TOKEN = 4
ATTACHMENT_CHARACTERS = 340
IMPLICIT_START = 1024
IMPLICIT_STEP = 512
KNOWN_PREFIXES = 100_000

Ttl = Literal["5m", "1h"]


@dataclass(frozen=True, slots=True)
class Segment:
    """A block of the prompt; ``breakpoint`` is set when ``cache_control`` marks its end."""

    text: str
    breakpoint: Ttl | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What one answer cost. The input buckets are disjoint; ``output`` includes ``reasoning``."""

    input: int
    cache_read: int = 0
    cache_write_5m: int = 0
    cache_write_1h: int = 0
    output: int = 0
    reasoning: int = 0

    @property
    def total_input(self) -> int:
        return self.input + self.cache_read + self.cache_write_5m + self.cache_write_1h


def count_tokens(text: str) -> int:
    return tokens_in(len(text))


def tokens_in(characters: int) -> int:
    return -(-characters // CHARACTERS_PER_TOKEN)


def stand_in(attachment: str) -> str:
    """The fixed-length text that represents an attachment: equal for equal attachments."""
    digest = blake2b(attachment.encode(), digest_size=32).hexdigest()
    return digest.ljust(ATTACHMENT_CHARACTERS, "~")


class PromptCache:
    """The prefixes seen so far, oldest forgotten first."""

    def __init__(self) -> None:
        self._known: OrderedDict[bytes, None] = OrderedDict()

    def clear(self) -> None:
        self._known.clear()

    def meter_explicit(self, model: str, segments: Sequence[Segment]) -> Usage:
        """Count the prompt's tokens by cache breakpoints, and remember its marked prefixes."""
        hasher = blake2b(model.encode(), digest_size=16)
        characters = 0
        read_to = 0
        borders: list[tuple[int, bytes, Ttl]] = []
        last_marked = max((i for i, s in enumerate(segments) if s.breakpoint), default=-1)
        for position, segment in enumerate(segments):
            characters += len(segment.text)
            if position > last_marked:
                continue
            hasher.update(segment.text.encode() + b"\0")
            digest = hasher.digest()
            if digest in self._known:
                self._known.move_to_end(digest)
                read_to = characters
            if segment.breakpoint:
                borders.append((characters, digest, segment.breakpoint))
        total, read = tokens_in(characters), tokens_in(read_to)
        written: dict[Ttl, int] = {"5m": 0, "1h": 0}
        pending = read
        for end, digest, ttl in borders:
            self._remember(digest)
            if tokens_in(end) > pending:
                written[ttl] += tokens_in(end) - pending
                pending = tokens_in(end)
        return Usage(
            input=total - pending,
            cache_read=read,
            cache_write_5m=written["5m"],
            cache_write_1h=written["1h"],
        )

    def meter_implicit(self, model: str, segments: Iterable[Segment]) -> Usage:
        """Count the prompt's tokens, with the part of its beginning that was seen before as read."""
        prompt = "".join(segment.text for segment in segments)
        total = tokens_in(len(prompt))
        read_to = 0
        hasher = blake2b(model.encode(), digest_size=16)
        done = 0
        for end in range(IMPLICIT_START, len(prompt) + 1, IMPLICIT_STEP):
            hasher.update(prompt[done:end].encode())
            done = end
            digest = hasher.digest()
            if digest in self._known:
                read_to = end
            self._remember(digest)
        read = tokens_in(read_to)
        return Usage(input=total - read, cache_read=read)

    def _remember(self, digest: bytes) -> None:
        self._known[digest] = None
        self._known.move_to_end(digest)
        if len(self._known) > KNOWN_PREFIXES:
            self._known.popitem(last=False)
