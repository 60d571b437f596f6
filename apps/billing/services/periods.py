"""When a day, a week or a month begins and ends, on the calendar of a time zone."""

import datetime
from zoneinfo import ZoneInfo

from apps.billing.models import Period


def period_at(
    period: Period, moment: datetime.datetime, zone: ZoneInfo
) -> tuple[datetime.datetime, datetime.datetime]:
    """The first moment of the period around ``moment``, and that of the next; in UTC.

    A midnight that the clocks leap over is the moment of the leap; of one that they show twice it is the first.
    """
    day = moment.astimezone(zone).date()
    match period:
        case Period.DAY:
            first, following = day, day + datetime.timedelta(days=1)
        case Period.WEEK:
            first = day - datetime.timedelta(days=day.weekday())
            following = first + datetime.timedelta(days=7)
        case Period.MONTH:
            first = day.replace(day=1)
            following = (first + datetime.timedelta(days=31)).replace(day=1)
    return _midnight(first, zone), _midnight(following, zone)


def _midnight(day: datetime.date, zone: ZoneInfo) -> datetime.datetime:
    return datetime.datetime.combine(day, datetime.time(), tzinfo=zone).astimezone(datetime.UTC)
