"""Build apps/catalog/seeds/models.jsonl: what a start without a network can offer, from two packages with an MIT licence.

    pip install --no-deps --target /tmp/seed-sources litellm==1.106.2
    .venv/bin/python scripts/seeds/build.py /tmp/seed-sources/litellm/model_prices_and_context_window_backup.json --date 2026-11-21

The same sources and date give the same file. What we could not bill right is left out: see ``left_out`` at the end of a
run. sources.py says which provider of a package is which of ours.
"""

import argparse
import datetime
import json
import statistics
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import django
from django.conf import settings

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]
settings.configure(INSTALLED_APPS=["apps.catalog"])
django.setup()

from apps.catalog.providers.canonical import VENDORS, same_model_key  # noqa: E402 - Django comes first
from seeds.book import book_entries, neighbour_entries  # noqa: E402 - Django comes first
from seeds.entries import Entry, LeftOut  # noqa: E402 - Django comes first
from seeds.tables import table_entries  # noqa: E402 - Django comes first

TARGET = ROOT / "apps" / "catalog" / "seeds" / "models.jsonl"
OUTLIER = 10
FEWEST_OTHERS = 1


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument(
        "table", type=Path, help="litellm's model_prices_and_context_window_backup.json"
    )
    arguments.add_argument(
        "--date",
        type=datetime.date.fromisoformat,
        required=True,
        help="what is retired by then is left out",
    )
    given = arguments.parse_args()
    table: dict[str, Any] = json.loads(given.table.read_text(), parse_float=Decimal)
    left_out: Counter[str] = Counter()
    entries: dict[tuple[str, str], Entry] = {}
    for found in (*book_entries(given.date), *table_entries(table, given.date)):
        if isinstance(found, LeftOut):
            left_out[found.reason] += 1
            continue
        known = entries.get(found.place)
        entries[found.place] = known.completed_by(found) if known else found
    read_at_run_time = list(neighbour_entries(given.date))
    kept = list(without_outliers(list(one_per_model(entries.values())), read_at_run_time, left_out))
    respell(kept)
    kept.sort(key=lambda entry: (entry.provider, entry.upstream))
    TARGET.write_text("".join(entry.line() for entry in kept))
    models, hosts = (
        {same_model_key(entry.id) for entry in kept},
        Counter(entry.provider for entry in kept),
    )
    sys.stdout.write(
        f"{len(kept)} offerings of {len(models)} models at {len(hosts)} providers" + "\n"
    )
    sys.stdout.write(f"left out: {dict(left_out.most_common())}\n")
    sys.stdout.write(f"providers: {dict(hosts.most_common())}\n")


def one_per_model(entries: Any) -> Iterator[Entry]:
    """Bedrock has one model under several ids, one for each group of regions: the widest is taken."""
    best: dict[tuple[str, str], Entry] = {}
    for entry in entries:
        if entry.reach == 0:
            yield entry
            continue
        place = (entry.provider, same_model_key(entry.id))
        if place not in best or entry.reach > best[place].reach:
            best[place] = entry
    yield from best.values()


def without_outliers(
    entries: list[Entry], read_at_run_time: list[Entry], left_out: Counter[str]
) -> Iterator[Entry]:
    """Without prices more than ten times off the median of the other hosts: one of the two is wrong."""
    by_model: dict[str, list[Entry]] = defaultdict(list)
    for entry in (*entries, *read_at_run_time):
        by_model[same_model_key(entry.id)].append(entry)
    for entry in entries:
        others = [
            other
            for other in by_model[same_model_key(entry.id)]
            if other.provider != entry.provider
        ]
        if not entry.variant and any(
            is_off(entry, others, bucket) for bucket in ("input", "output", "images", "seconds")
        ):
            left_out["more than ten times off the other hosts"] += 1
            continue
        yield entry


def is_off(entry: Entry, others: list[Entry], bucket: str) -> bool:
    amounts = [other.prices[bucket] for other in others if other.prices.get(bucket)]
    own = entry.prices.get(bucket, 0)
    if len({other.provider for other in others}) < FEWEST_OTHERS or not amounts or not own:
        return False
    middle = statistics.median(amounts)
    return not middle / OUTLIER <= own <= middle * OUTLIER


def respell(entries: list[Entry]) -> None:
    """One spelling for each model: its own vendor's, else the most common one."""
    spellings: dict[str, Counter[str]] = defaultdict(Counter)
    for entry in entries:
        own = VENDORS.get(entry.provider) == entry.id.partition("/")[0]
        spellings[same_model_key(entry.id)][entry.id] += 1000 if own else 1
    for entry in entries:
        choices = spellings[same_model_key(entry.id)]
        entry.id = max(sorted(choices), key=lambda spelling: choices[spelling])


if __name__ == "__main__":
    main()
