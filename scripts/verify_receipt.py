"""Verify receipts without the gateway: python verify_receipt.py RECEIPT.json JWKS.json

RECEIPT.json is the answer of GET /v1/generation/receipt, JWKS.json that of GET /.well-known/jwks.json. Prints what is certified;
the exit status is 1 when it is not. Needs nothing of the project: Python and the package ``cryptography``.
"""

import base64
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

PREFIX = b"gatewayz receipt v1\n"
LEAF, NODE = b"\x00", b"\x01"


class NotCertified(Exception):
    """The receipt does not prove what it says."""


def verify(receipt: dict[str, Any], keys: list[dict[str, Any]]) -> dict[str, Any]:
    """The certified facts. Raises NotCertified."""
    proof = receipt["proof"]
    found = [key for key in keys if key["kid"] == proof["kid"]]
    if not found:
        raise NotCertified("the key that signed it is not among the published ones")
    root = _root_of(
        hashlib.sha256(LEAF + receipt["payload"].encode()).digest(),
        proof["index"],
        proof["size"],
        [bytes.fromhex(beside) for beside in proof["path"]],
    )
    public = Ed25519PublicKey.from_public_bytes(_decode(found[0]["x"]))
    try:
        public.verify(_decode(proof["signature"]), PREFIX + root)
    except InvalidSignature:
        raise NotCertified("the signature is not for this payload") from None
    facts: dict[str, Any] = json.loads(receipt["payload"])
    return facts


def _root_of(node: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """https://www.rfc-editor.org/rfc/rfc9162#section-2.1.3.2"""
    if not 0 <= index < size:
        raise NotCertified("the place in the tree is impossible")
    last = size - 1
    for beside in path:
        if not last:
            raise NotCertified("the path is too long")
        if index & 1 or index == last:
            node = hashlib.sha256(NODE + beside + node).digest()
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            node = hashlib.sha256(NODE + node + beside).digest()
        index, last = index >> 1, last >> 1
    if last:
        raise NotCertified("the path is too short")
    return node


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def main(receipt_file: str, keys_file: str) -> int:
    receipt = json.loads(Path(receipt_file).read_text())
    keys = json.loads(Path(keys_file).read_text())["keys"]
    try:
        facts = verify(receipt.get("data", receipt), keys)
    except NotCertified as refused:
        print(f"NOT certified: {refused}", file=sys.stderr)
        return 1
    print(json.dumps(facts, indent=2))
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
