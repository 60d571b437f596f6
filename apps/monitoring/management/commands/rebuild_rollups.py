"""``manage.py rebuild_rollups``: sum the hours of a range anew from the request records."""

import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from typing_extensions import override

from apps.common import clock
from apps.common.errors import InvalidRequest
from apps.monitoring.ranges import read_moment
from apps.monitoring.services import rollups


class Command(BaseCommand):
    help = "Sum usage by the hour anew. Only for hours whose request records are all there."

    @override
    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--from", dest="start", required=True, help="a day or a moment, UTC")
        parser.add_argument("--to", dest="end", help="not included; now unless told")

    @override
    def handle(self, *args: Any, start: str, end: str | None, **options: Any) -> None:
        try:
            since = read_moment(start, "--from")
            until = read_moment(end, "--to") if end else clock.now()
        except InvalidRequest as error:
            raise CommandError(error.message) from error
        if since >= until:
            raise CommandError("'--to' must be later than '--from'.")
        started = clock.monotonic()
        rollups.roll_up()
        hours = rollups.rebuild(since, until)
        took = datetime.timedelta(seconds=round(clock.monotonic() - started))
        self.stdout.write(f"{hours:,} hours summed anew in {took}.")
