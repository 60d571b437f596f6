"""A process that dies at any moment loses nothing that it knew to be done, and doubles nothing that is tried again."""

import json
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from tests.installation import Installation, make_installation

KILLS = 50
SEED = 50
"""Of what the processes do and how long they may; the machine adds chance of its own."""
CREDIT = 10**12

PREPARE = """
import json
from tests.billing.books import open_books
print(json.dumps(open_books(purchased={credit}).organization_id))
"""

LIVE = """
import json
from pathlib import Path
from tests.money import lives
print(json.dumps(lives.live_and_die({organization}, Path({told!r}), seed={seed}, times={times})))
"""

SWEEP = """
import json
from tests.money import lives
print(json.dumps([lives.expire_and_sweep(), lives.read_books({organization})]))
"""

REPEAT = """
import json
from pathlib import Path
from tests.money import lives
found = []
for _ in range(2):
    lives.repeat({organization}, json.loads(Path({begun!r}).read_text()))
    found.append(lives.read_books({organization}))
print(json.dumps(found))
"""


@pytest.fixture
def installation(tmp_path):
    with make_installation(
        tmp_path,
        database_url=settings.DATABASE_URL if not settings.EMBEDDED else "",
        redis_url=settings.REDIS_URL,
    ) as installation:
        yield installation


def read_told(told: Path, state: str) -> dict[str, dict[str, int]]:
    """Kind → reference → what changes in the balance."""
    found: dict[str, dict[str, int]] = {"hold": {}, "settle": {}, "grant": {}, "payment": {}}
    for line in told.read_text().splitlines():
        was, kind, reference, amount = line.split()
        if was == state:
            found[kind][reference] = int(amount)
    return found


ENTRIES = {"settle": "settle:{}", "grant": "{}", "payment": "stripe:pi_{}"}


def entries_of(told: dict[str, dict[str, int]]) -> dict[str, int]:
    return {
        form.format(reference): amount
        for kind, form in ENTRIES.items()
        for reference, amount in told[kind].items()
    }


def moved_in(books: dict[str, Any]) -> dict[str, int]:
    """Entry → what it changed, without the credit of the beginning."""
    moved = {reference: amount for reference, amount in books["moved"] if amount != CREDIT}
    assert len(books["moved"]) == len(moved) + 1
    assert books["total"] == CREDIT + sum(moved.values())
    assert books["held"] == books["holds"] == 0
    assert books["problems"] == []
    return moved


def test_nothing_is_lost_or_doubled_when_a_process_is_killed_at_50_random_moments(
    installation: Installation, tmp_path: Path
):
    told, again = tmp_path / "told", tmp_path / "begun.json"
    told.touch()
    organization = installation.python(PREPARE.format(credit=CREDIT))

    killed = installation.python(
        LIVE.format(organization=organization, told=str(told), seed=SEED, times=KILLS)
    )
    lost, books = installation.python(SWEEP.format(organization=organization))

    assert killed == KILLS
    begun, done = read_told(told, "begun"), read_told(told, "done")
    moved = moved_in(books)
    # What was acknowledged is there; nothing is there that nobody began, or with another amount.
    assert entries_of(done).items() <= moved.items() <= entries_of(begun).items()
    assert all(done[kind] for kind in begun), "they died too early"
    # Of which kind it is chance decides.
    cut_short = sum(len(begun[kind]) - len(done[kind]) for kind in begun)
    assert cut_short >= 10, "they died too late"
    # Every request that was let in is either settled or lost, and says so.
    records = {request: (outcome, charged) for request, outcome, charged in books["records"]}
    settled = {
        request: ("completed", -begun["settle"][request])
        for request in begun["settle"]
        if f"settle:{request}" in moved
    }
    assert len(records) == len(books["records"]) == len(settled) + lost
    assert settled.items() <= records.items()
    assert done["hold"].keys() <= records.keys() <= begun["hold"].keys()
    assert all(records[request] == ("lost", 0) for request in records.keys() - settled.keys())

    again.write_text(json.dumps([(k, r, a) for k in ENTRIES for r, a in begun[k].items()]))
    for books in installation.python(REPEAT.format(organization=organization, begun=str(again))):
        assert moved_in(books) == entries_of(begun)
