"""Public identifiers: a prefix that names the thing, then a time-ordered UUID (version 7) in hex."""

import uuid_utils


def new_id(prefix: str) -> str:
    """``new_id("gen")`` → ``gen_0192f1c0a6b17c3e8f00a1b2c3d4e5f6``; sorts by time of creation."""
    return f"{prefix}_{uuid_utils.uuid7().hex}"
