"""How long a recording is, for the estimate of a transcription and for its bill when the provider does not say."""

import io

import mutagen

LEAST_BYTES_PER_SECOND = 2000
"""Speech at 16 kbit/s, the least that is in use; what cannot be read is taken to be that long."""


def seconds_of(data: bytes) -> int:
    """Whole seconds, rounded up, at least one."""
    try:
        found = mutagen.File(io.BytesIO(data))
    except (mutagen.MutagenError, ValueError, EOFError):
        found = None
    length = getattr(getattr(found, "info", None), "length", 0.0) or 0.0
    # A header may lie; the bytes bound what it can say.
    longest = len(data) / LEAST_BYTES_PER_SECOND * 8
    seconds = length if 0 < length <= longest else len(data) / LEAST_BYTES_PER_SECOND
    return max(1, -int(-seconds // 1))
