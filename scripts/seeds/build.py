r"""Build apps/catalog/seeds/models.jsonl: what a start without a network can offer, from three packages with an MIT licence.

    pip install --no-deps --target /tmp/seed-sources litellm==1.106.2
    npm pack opencode-linux-x64@1.18.33 --pack-destination /tmp/seed-sources
    tar -xzf /tmp/seed-sources/opencode-linux-x64-1.18.33.tgz -C /tmp/seed-sources
    .venv/bin/python scripts/seeds/build.py /tmp/seed-sources/litellm/model_prices_and_context_window_backup.json \
        /tmp/seed-sources/package/bin/opencode --date 2026-11-21

The same sources and date give the same file. What we could not bill right is left out: see ``left_out`` at the end of a
run. sources.py says which provider of a package is which of ours.
"""

import argparse
import datetime
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import django
from django.conf import settings

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]
settings.configure(INSTALLED_APPS=["apps.catalog"])
django.setup()

from apps.catalog.providers.canonical import (  # noqa: E402 - Django comes first
    VENDORS,
    at_vendor,
    same_model_key,
    vendors_by_name,
)
from apps.catalog.providers.registry import PROVIDERS  # noqa: E402 - Django comes first
from apps.catalog.services.aliases import SHIPPED  # noqa: E402 - Django comes first
from apps.catalog.snapshots import DATED, MODALITIES  # noqa: E402 - Django comes first
from seeds.book import book_entries, neighbour_entries  # noqa: E402 - Django comes first
from seeds.entries import Entry, LeftOut  # noqa: E402 - Django comes first
from seeds.models_dev import models_dev_entries, read_program, release_days  # noqa: E402 - Django comes first
from seeds.outliers import plausible, without_outliers  # noqa: E402 - Django comes first
from seeds.tables import table_entries  # noqa: E402 - Django comes first

TARGET = ROOT / "apps" / "catalog" / "seeds" / "models.jsonl"


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument(
        "table", type=Path, help="litellm's model_prices_and_context_window_backup.json"
    )
    arguments.add_argument(
        "program", type=Path, help="opencode's executable file, which carries models.dev"
    )
    arguments.add_argument(
        "--date",
        type=datetime.date.fromisoformat,
        required=True,
        help="what is retired by then is left out",
    )
    given = arguments.parse_args()
    table: dict[str, Any] = json.loads(given.table.read_text(), parse_float=Decimal)
    listed = read_program(given.program)
    left_out: Counter[str] = Counter()
    entries: dict[tuple[str, str], Entry] = {}
    for found in (
        *book_entries(given.date),
        *table_entries(table, given.date),
        *models_dev_entries(listed),
    ):
        if isinstance(found, LeftOut):
            left_out[found.reason] += 1
            continue
        if found.id in SHIPPED:
            left_out["its name leads to another model"] += 1
            continue
        if not is_served(found):
            left_out["its provider's row has no endpoint for it"] += 1
            continue
        known = entries.get(found.place)
        entries[found.place] = known.completed_by(found) if known else found
    vendors = vendors_by_name(entry.id for entry in entries.values())
    for entry in entries.values():
        entry.id = at_vendor(entry.id, vendors)
    read_at_run_time = list(neighbour_entries(given.date))
    implausible: list[str] = []
    sane = list(plausible(list(one_per_model(entries.values())), left_out, implausible))
    kept = list(without_outliers(sane, read_at_run_time, left_out))
    respell(kept)
    date_models(kept, release_days(listed))
    kept.sort(key=lambda entry: (entry.provider, entry.upstream))
    TARGET.write_text("".join(entry.line() for entry in kept))
    models, hosts = (
        {same_model_key(entry.id) for entry in kept},
        Counter(entry.provider for entry in kept),
    )
    sys.stdout.write(
        f"{len(kept)} offerings of {len(models)} models at {len(hosts)} providers" + "\n"
    )
    sys.stdout.write("".join(f"implausible: {line}\n" for line in implausible))
    sys.stdout.write(f"left out: {dict(left_out.most_common())}\n")
    sys.stdout.write(f"providers: {dict(hosts.most_common())}\n")


def is_served(entry: Entry) -> bool:
    """Whether the provider's row says where what the model makes is asked for: else it would be listed and refused."""
    if entry.provider not in PROVIDERS:
        return False
    return any(
        endpoint.serves(entry.upstream)
        for operation, endpoints in PROVIDERS[entry.provider].endpoints.items()
        if not MODALITIES[operation].isdisjoint(entry.outputs)
        for endpoint in endpoints
    )


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


def respell(entries: list[Entry]) -> None:
    """One spelling for each model: its own vendor's, else the most common one."""
    spellings: dict[str, Counter[str]] = defaultdict(Counter)
    for entry in entries:
        own = VENDORS.get(entry.provider) == entry.id.partition("/")[0]
        spellings[same_model_key(entry.id)][entry.id] += 1000 if own else 1
    for entry in entries:
        choices = spellings[same_model_key(entry.id)]
        entry.id = max(sorted(choices), key=lambda spelling: choices[spelling])


def date_models(entries: list[Entry], days: Iterable[tuple[str, str, str]]) -> None:
    """The day in the name, else its own vendor's word, else the commonest, of equals the earliest: hosts often note the
    day on which they began to serve it."""
    told: dict[str, Counter[str]] = defaultdict(Counter)
    for provider, model_id, day in days:
        own = VENDORS.get(provider) == model_id.partition("/")[0]
        told[same_model_key(model_id)][day] += 1000 if own else 1
    for entry in entries:
        dated = DATED.search(entry.id)
        found = told[same_model_key(entry.id)]
        if dated:
            entry.released = f"{datetime.date.fromisoformat(dated[0].removeprefix('-'))}"
        elif found:
            entry.released = min(found, key=lambda day: (-found[day], day))


if __name__ == "__main__":
    main()
