"""Receipts: what a request used and cost, signed, so that a customer can prove it without asking us.

    facts of a record ──► payload, canonical JSON ──► leaf ─┐
    facts of a record ──► payload ──► leaf ─────────────────┴─► root ──► one signature for the whole settlement batch

A batch of settlements is one Merkle tree, hashed as RFC 6962 says (https://www.rfc-editor.org/rfc/rfc6962#section-2.1), and its
root is signed once: a signature costs forty times what a hash does. A record keeps its proof: the path from its leaf to the root,
and the signature. The payload is not kept, it is written anew from the record: one that was changed after it was signed does not
verify any more. Pure.
"""

import datetime
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import orjson

from apps.common.db import to_iso
from apps.common.signing_keys import SigningKey
from apps.common.usage import BUCKETS

PREFIX = b"gatewayz receipt v1\n"
"""Before what is signed, so that no signature means anything elsewhere."""
LEAF, NODE = b"\x00", b"\x01"

COUNTED = {
    bucket: bucket if bucket in {"images", "characters", "seconds", "searches"} else f"{bucket}_tokens"
    for bucket in BUCKETS
}  # fmt: skip
"""A usage bucket → the record's column."""


class Proof(msgspec.Struct, frozen=True):
    """That a payload is in a batch whose root was signed."""

    kid: str
    signature: str
    """Ed25519 over ``PREFIX`` and the root, base64url."""
    index: int
    """Of the leaf, and how many there are."""
    size: int
    path: list[str]
    """Hashes beside the way from the leaf to the root, in hex."""


def payload_of(request_id: str, row: Mapping[str, Any], *, charged: int) -> bytes:
    """What is certified of a record, as JSON with sorted keys and no spaces. Money is nano-USD."""
    created: datetime.datetime = row["created_at"]
    facts = {
        "version": 1,
        "id": request_id,
        "organization": row["organization_id"],
        "created_at": to_iso(created),
        "requested_model": row["requested_model"],
        "model": row["model"],
        "provider": row["provider"],
        "price_id": row["price_id"],
        "outcome": row["outcome"],
        "usage": {bucket: row[column] for bucket, column in COUNTED.items() if row[column]},
        "usage_source": row["usage_source"],
        "cached": row["cached"],
        "own_key": row["is_byok"],
        "cost_nano_usd": row["cost"],
        "charged_nano_usd": charged,
    }
    return orjson.dumps(facts, option=orjson.OPT_SORT_KEYS)


def sign(payloads: Sequence[bytes], key: SigningKey) -> list[Proof]:
    """A proof for each."""
    levels = _levels([hashlib.sha256(LEAF + payload).digest() for payload in payloads])
    signature = key.sign(PREFIX + levels[-1][0])
    return [
        Proof(key.id, signature, index, len(payloads), _path(levels, index))
        for index in range(len(payloads))
    ]


def _levels(leaves: list[bytes]) -> list[list[bytes]]:
    """From the leaves up to the root. A node without a neighbour goes up as it is, which gives RFC 6962's tree."""
    levels = [leaves]
    while len(below := levels[-1]) > 1:
        above = [
            hashlib.sha256(NODE + below[at] + below[at + 1]).digest()
            for at in range(0, len(below) - 1, 2)
        ]
        levels.append(above + below[len(above) * 2 :])
    return levels


def _path(levels: list[list[bytes]], index: int) -> list[str]:
    path = []
    for level in levels[:-1]:
        beside = index ^ 1
        if beside < len(level):
            path.append(level[beside].hex())
        index //= 2
    return path
