"""The keys that receipts are signed with: Ed25519, the first of them signs and all of them are published.

A key's id is the thumbprint of its public half (RFC 7638), so that nobody has to keep a list.
"""

import base64
import hashlib
from functools import lru_cache

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.conf import settings

SEED_BYTES = 32


class SigningKey:
    """One private key with its id and its public half as a JSON Web Key (RFC 8037)."""

    def __init__(self, seed: str) -> None:
        self._private = Ed25519PrivateKey.from_private_bytes(decode(seed))
        public = encode(self._private.public_key().public_bytes_raw())
        thumbprint = orjson.dumps({"crv": "Ed25519", "kty": "OKP", "x": public})
        self.id = encode(hashlib.sha256(thumbprint).digest())
        self.jwk = {
            "kty": "OKP", "crv": "Ed25519", "x": public, "kid": self.id, "alg": "EdDSA", "use": "sig",
        }  # fmt: skip

    def sign(self, message: bytes) -> str:
        return encode(self._private.sign(message))


@lru_cache(maxsize=1)
def _keys(seeds: tuple[str, ...]) -> tuple[SigningKey, ...]:
    return tuple(SigningKey(seed) for seed in seeds)


def keys() -> tuple[SigningKey, ...]:
    """Newest first."""
    return _keys(tuple(settings.RECEIPT_KEYS))


def encode(data: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
