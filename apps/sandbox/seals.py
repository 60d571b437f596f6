"""Opaque tokens for thoughts that only the sandbox can have given, whatever a format calls them."""

import base64
from hashlib import blake2b

KEY = b"sandbox"
NONCE_SIZE = 16


def seal(thought: str) -> str:
    """The same for the same thought."""
    nonce = blake2b(thought.encode(), digest_size=NONCE_SIZE).digest()
    return base64.b64encode(nonce + _digest(nonce)).decode()


def is_seal(content: bytes) -> bool:
    return content[NONCE_SIZE:] == _digest(content[:NONCE_SIZE])


def _digest(nonce: bytes) -> bytes:
    return blake2b(nonce, key=KEY, digest_size=32).digest()
