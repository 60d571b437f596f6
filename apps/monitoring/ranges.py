"""Ranges: what the parameters of a usage route mean, checked. Errors name the parameter."""

import datetime
from collections.abc import Iterable
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from apps.common.errors import InvalidRequest
from apps.inference.usage_sums import Range
from apps.monitoring.periods import ONE_DAY, start_of_day
from apps.monitoring.usage import GROUPS, UTC, Group

DEFAULT_DAYS = 30
MOST_DAYS = 366
MOST_DAYS_BY_HOUR = 32
"""A month, with the hour that the clocks are put back."""


def read_zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise _wrong(
            "timezone",
            "'timezone' must be a name of the IANA database, such as Europe/Berlin.",
        ) from error


def read_groups(text: str) -> tuple[Group, ...]:
    """In their order, each once; none for an empty text."""
    asked = [name.strip() for name in text.split(",")] if text.strip() else []
    for name in asked:
        if name not in GROUPS:
            raise _wrong(
                "group_by", f"'group_by' cannot be '{name[:60]}'; there are {', '.join(GROUPS)}."
            )
    return tuple(group for group in dict.fromkeys(asked) if group in GROUPS)


def read_range(
    start: str | None,
    end: str | None,
    *,
    zone: ZoneInfo,
    now: datetime.datetime,
    groups: Iterable[Group] = (),
) -> Range:
    """Of whole microseconds, UTC."""
    until = now if end is None else read_moment(end, "to", zone)
    since = until - DEFAULT_DAYS * ONE_DAY if start is None else read_moment(start, "from", zone)
    if since >= until:
        raise _wrong("to", "'to' must be later than 'from'.")
    most = MOST_DAYS_BY_HOUR if "hour" in groups else MOST_DAYS
    if until - since > (most + 1) * ONE_DAY:
        by_hour = " by hour" if "hour" in groups else ""
        raise _wrong("from", f"'from' may be at most {most} days before 'to'{by_hour}.")
    return Range(since, until)


def read_moment(text: str, param: str, zone: ZoneInfo = UTC) -> datetime.datetime:
    """UTC; what has no offset is of the zone, and a day its beginning."""
    try:
        if len(text) <= len("2026-12-31"):
            return _within(start_of_day(datetime.date.fromisoformat(text), zone))
        # A plus sign that was not escaped reaches us as a space.
        found = datetime.datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
        local = found if found.tzinfo else found.replace(tzinfo=zone)
        return _within(local.astimezone(datetime.UTC))
    except (ValueError, OverflowError) as error:
        raise _wrong(
            param,
            f"'{param}' must be a day or a moment, such as 2026-11-30 or 2026-11-30T12:00:00Z.",
        ) from error


def _within(moment: datetime.datetime) -> datetime.datetime:
    """Raises ValueError so near to the calendar's ends that a zone or thirty days lead beyond."""
    if not 1970 <= moment.year < 9999:
        raise ValueError("beyond the calendar")
    return moment


def _wrong(param: str, message: str) -> InvalidRequest:
    return InvalidRequest(message, param=param, code="invalid_value")
