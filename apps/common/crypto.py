"""Key hashing and encryption of secrets at rest.

Look-up values are HMAC-SHA256 under a server-side pepper: a stolen table lets nobody test guesses offline. Ciphertexts
are Fernet under a keyring whose first key encrypts and whose every key decrypts, so that keys and pepper can be rotated.
"""

import hashlib
import hmac
from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings


class SecretUnreadable(Exception):
    """No key of the keyring opens this ciphertext."""


def lookup_hash(secret: str) -> str:
    """64 hex digits; the same secret always gives the same ones under one pepper."""
    return hmac.digest(settings.KEY_PEPPER.encode(), secret.encode(), hashlib.sha256).hex()


@lru_cache(maxsize=1)
def _keyring(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def seal(data: bytes) -> str:
    return _keyring(tuple(settings.KEYRING)).encrypt(data).decode()


def unseal(ciphertext: str) -> bytes:
    """Raises SecretUnreadable when the keyring has lost the key."""
    try:
        return _keyring(tuple(settings.KEYRING)).decrypt(ciphertext.encode())
    except InvalidToken as error:
        raise SecretUnreadable from error


def encrypt(secret: str) -> str:
    return seal(secret.encode())


def decrypt(ciphertext: str) -> str:
    """Raises SecretUnreadable when the keyring has lost the key."""
    return unseal(ciphertext).decode()
