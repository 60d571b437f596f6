"""Showing: sums as the JSON objects and CSV lines that a customer reads. Pages and files are made of the same rows."""

import csv
import datetime
import io
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from apps.common import histograms
from apps.common.histograms import Histogram
from apps.common.money import nano_to_usd
from apps.common.usage import TOKEN_BUCKETS, UNITS
from apps.inference.usage_sums import ENDS, USAGE_COLUMNS, Sums
from apps.monitoring.periods import day_of, moment_of
from apps.monitoring.usage import Group, Spread

Json = dict[str, Any]

NO_ERRORS = ("completed", "client_gone")
KINDS = tuple(end for end in ENDS if end not in NO_ERRORS)
SHARES = (50, 95, 99)
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def numbers(sums: Sums) -> Json:
    kinds = {kind: sums[kind] for kind in KINDS}
    errors = sum(kinds.values())
    return {
        "requests": errors + sum(sums[end] for end in NO_ERRORS),
        "completed": sums["completed"],
        "client_gone": sums["client_gone"],
        "errors": errors,
        "errors_by_kind": kinds,
        "tokens": {bucket: sums[USAGE_COLUMNS[bucket]] for bucket in TOKEN_BUCKETS},
        "units": {unit: sums[USAGE_COLUMNS[unit]] for unit in UNITS},
        "cost_nano_usd": sums["cost"],
        "charged": nano_to_usd(sums["charged"]),
        "charged_nano_usd": sums["charged"],
        "saved_nano_usd": sums["saved"],
        "latency_ms": _percentiles(sums.latency),
        "first_token_ms": _percentiles(sums.first_token),
    }


def _percentiles(histogram: Histogram) -> dict[str, float | None]:
    found = {f"p{share}": histograms.percentile(histogram, share) for share in SHARES}
    return {name: None if value is None else round(value, 1) for name, value in found.items()}


def row(
    spread: Spread, groups: Sequence[Group], *, zone: ZoneInfo, key_names: Mapping[int, str]
) -> Json:
    return named(spread, groups, zone=zone, key_names=key_names) | numbers(spread.sums)


def named(
    spread: Spread,
    groups: Sequence[Group],
    *,
    zone: ZoneInfo,
    key_names: Mapping[int, str] | None = None,
) -> Json:
    """What was grouped by."""
    named: Json = {}
    for group, value in zip(groups, spread.values, strict=True):
        match group:
            case "day":
                named["day"] = day_of(value).isoformat()
            case "hour":
                named["hour"] = moment_of(value).astimezone(zone).isoformat()
            case "key":
                named |= {"key": value or None, "key_name": (key_names or {}).get(value)}
            case _:
                named[group] = value or None
    return named


def in_order(spreads: Iterable[Spread], groups: Sequence[Group]) -> list[Spread]:
    """The newest first, then the dearest, then by name."""
    times = [place for place, group in enumerate(groups) if group in {"day", "hour"}]

    def rank(spread: Spread) -> tuple[Any, ...]:
        newest = [-spread.values[place] for place in times]
        return (newest, -spread.sums["charged"], spread.values)

    return sorted(spreads, key=rank)


def columns(groups: Sequence[Group]) -> list[str]:
    empty = numbers(Sums())
    names = [name for group in groups for name in ((group, "key_name") if group == "key" else (group,))]  # fmt: skip
    return [*names, *_flat(empty)]


def csv_line(values: Iterable[Any]) -> bytes:
    line = io.StringIO()
    csv.writer(line).writerow([_harmless(value) for value in values])
    return line.getvalue().encode()


def csv_row(shown: Json) -> bytes:
    return csv_line(_flat(shown).values())


def _flat(shown: Json) -> Json:
    """What is nested, side by side; dollars as they are written."""
    flat: Json = {}
    for name, value in shown.items():
        if isinstance(value, dict):
            prefix = PREFIXES[name]
            flat |= {prefix.format(part): number for part, number in value.items()}
        else:
            flat[name] = value
    flat["charged"] = f"{Decimal(shown['charged_nano_usd']).scaleb(-9):f}"
    return flat


PREFIXES = {
    "errors_by_kind": "errors_{}", "tokens": "{}_tokens", "units": "{}",
    "latency_ms": "latency_ms_{}", "first_token_ms": "first_token_ms_{}",
}  # fmt: skip


def _harmless(value: Any) -> Any:
    """A table's program would run what begins like a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def iso(moment: datetime.datetime, zone: ZoneInfo) -> str:
    return moment.astimezone(zone).isoformat()
