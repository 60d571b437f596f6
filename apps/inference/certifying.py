"""Certifying: receipts for settlements as they are made, and afterwards for the few that could not be signed then.

A settlement is signed for the cost it asks for. What the ledger could not charge in full, what the sweep called lost, and what
is older than receipts gets its receipt from ``sign_missing``, within a minute or when it is asked for.
"""

from collections.abc import Sequence

import msgspec
from django.db import transaction

from apps.common.signing_keys import keys
from apps.inference import receipts
from apps.inference.models import RequestRecord
from apps.inference.receipts import Proof
from apps.inference.recorder import Row

MOST_AT_ONCE = 1000


def certified(members: Sequence[tuple[str, Row]]) -> list[Row]:
    """The rows of requests (id, row) that are settled together, each with its receipt."""
    payloads = [receipts.payload_of(name, row, charged=row["cost"]) for name, row in members]
    proofs = receipts.sign(payloads, keys()[0])
    return [
        row | {"receipt": _written(proof)} for (_, row), proof in zip(members, proofs, strict=True)
    ]


@transaction.atomic
def sign_missing(request_id: str | None = None) -> int:
    """Sign the records that have no receipt, or this one alone; how many there were."""
    unsigned = RequestRecord.objects.select_for_update().filter(receipt=None).order_by("created_at")
    if request_id is not None:
        unsigned = unsigned.filter(pk=request_id)
    found = list(unsigned[:MOST_AT_ONCE])
    if not found:
        return 0
    for record, proof in zip(
        found, receipts.sign([payload_of(r) for r in found], keys()[0]), strict=True
    ):
        record.receipt = _written(proof)
    RequestRecord.objects.bulk_update(found, ["receipt"])
    return len(found)


def payload_of(record: RequestRecord) -> bytes:
    """What is certified of a record as it stands now."""
    return receipts.payload_of(record.pk, vars(record), charged=record.charged)


def proof_of(record: RequestRecord) -> Proof:
    """Signs it when it has no receipt yet."""
    if record.receipt is None:
        sign_missing(record.pk)
        record.refresh_from_db()
    assert record.receipt is not None
    return msgspec.json.decode(record.receipt, type=Proof)


def _written(proof: Proof) -> str:
    return msgspec.json.encode(proof).decode()
