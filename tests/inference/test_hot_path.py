"""What a warm request may ask of the database: its hold and its settlement, nothing else."""

import re
import time

import pytest
from django.db.backends.utils import CursorWrapper

CHAT = {"model": "sandbox/echo", "messages": [{"role": "user", "content": "Hello"}]}
LEDGER = re.compile(
    r"billing_|inference_requestrecord|_keyepoch|_catalogepoch|BEGIN|COMMIT|SAVEPOINT",
    re.IGNORECASE,
)


@pytest.fixture
def statements(monkeypatch) -> list[str]:
    """Every statement that goes through Django while the test runs, in whatever thread."""
    seen: list[str] = []
    original = CursorWrapper.execute

    def execute(self, sql, params=None):
        seen.append(str(sql))
        return original(self, sql, params)

    monkeypatch.setattr(CursorWrapper, "execute", execute)
    return seen


def test_reads_neither_keys_nor_catalogue_when_warm(gateway, customer, statements):
    client = gateway.client(customer)
    client.post("/v1/chat/completions", json=CHAT)
    customer.settled(requests=1)
    time.sleep(1)  # the snapshots have seen the changes that made this customer
    client.post("/v1/chat/completions", json=CHAT)
    statements.clear()

    answers = [client.post("/v1/chat/completions", json=CHAT) for _ in range(10)]

    asked = [sql for sql in statements if not LEDGER.search(sql)]
    assert all(answer.status_code == 200 for answer in answers)
    assert asked == []
