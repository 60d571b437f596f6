"""``manage.py rerate``: mend what requests of a period were charged, where prices are said to have been others."""

import csv
import datetime
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.dateparse import parse_date, parse_datetime
from typing_extensions import override

from apps.billing.selectors import has_books
from apps.common import clock
from apps.common.money import format_usd
from apps.inference.rerating import Period, Verdict, columns, has_answered, rerate


class Command(BaseCommand):
    help = (
        "Rate the requests of a period again by the prices and terms that were in force, and write adjusting entries. "
        "What was too much is given back; what was too little is charged with --charge alone. The report is CSV."
    )

    @override
    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--from", dest="since", required=True, metavar="MOMENT", help="2026-11-01, or 2026-11-01T12:00; UTC")  # fmt: skip
        parser.add_argument("--to", dest="until", required=True, metavar="MOMENT", help="not included")  # fmt: skip
        parser.add_argument("--provider", default="", metavar="SLUG")
        parser.add_argument("--model", default="", metavar="ID", help="the model that answered")
        parser.add_argument("--organization", type=int, metavar="ID")
        parser.add_argument("--charge", action="store_true", help="also charge what was too little, never beyond the credit")  # fmt: skip
        parser.add_argument("--dry-run", action="store_true", help="report alone")

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        period = _period(options)
        report = csv.writer(self.stdout, lineterminator="\n")
        counted: Counter[Verdict] = Counter()
        refunded = charged = written_off = 0
        for found in rerate(period, may_charge=options["charge"], dry_run=options["dry_run"]):
            counted[found.verdict] += 1
            refunded += found.adjustment.refunded
            charged += found.adjustment.charged
            written_off += found.adjustment.written_off
            if found.verdict is Verdict.UNCHANGED:
                continue
            line = columns(found)
            if counted.total() - counted[Verdict.UNCHANGED] == 1:
                report.writerow([name for name, _ in line])
            report.writerow([value for _, value in line])
        told = ", ".join(f"{counted[verdict]} {verdict.value}" for verdict in Verdict)
        would = "Would be " if options["dry_run"] else ""
        self.stderr.write(
            f"{would}{told}; {format_usd(refunded)} given back, {format_usd(charged)} charged, "
            f"{format_usd(written_off)} written off."
        )


def _period(options: dict[str, Any]) -> Period:
    since, until = _moment("--from", options["since"]), _moment("--to", options["until"])
    if not since < until:
        raise CommandError("--to must be later than --from.")
    if until > clock.now():
        raise CommandError("--to lies in the future.")
    for option in ("provider", "model"):
        if (name := options[option]) and not has_answered(**{option: name}):
            raise CommandError(f"--{option}: no request was answered by '{name[:60]}'.")
    organization = options["organization"]
    if organization is not None and not has_books(organization):
        raise CommandError(f"--organization: there is no organisation {organization}.")
    return Period(
        since=since,
        until=until,
        provider=options["provider"],
        model=options["model"],
        organization_id=organization,
    )


def _moment(option: str, text: str) -> datetime.datetime:
    try:
        found = parse_datetime(text)
        if found is None and (day := parse_date(text)):
            found = datetime.datetime.combine(day, datetime.time())
    except ValueError:
        found = None
    if found is None:
        raise CommandError(f"{option} must be a day or a moment such as 2026-11-01T12:00, not '{text[:40]}'.")  # fmt: skip
    return found if found.tzinfo else found.replace(tzinfo=datetime.UTC)
