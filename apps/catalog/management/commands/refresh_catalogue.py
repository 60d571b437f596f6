"""``manage.py refresh_catalogue``: read providers' lists of models now."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from typing_extensions import override

from apps.catalog.models import Provider
from apps.catalog.services import feeds


class Command(BaseCommand):
    help = "Read the lists of models of all providers that can be asked, or of those named."

    @override
    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "slugs", nargs="*", metavar="slug", help="a provider, for example novita"
        )
        parser.add_argument(
            "--force", action="store_true", help="even when a list is the one of the last time"
        )

    @override
    def handle(self, *args: Any, slugs: list[str], force: bool, **options: Any) -> None:
        try:
            summaries = feeds.refresh_all(slugs, force=force)
        except Provider.DoesNotExist as error:
            raise CommandError("There is no such provider; see manage.py provider list.") from error
        for one in summaries:
            self.stdout.write(
                f"{one.provider:<24} {one.outcome:<10} {one.listed:>6} listed {one.priced:>6} priced {one.added:>5} new prices "
                f"{one.withdrawn:>4} withdrawn {one.quarantined:>4} quarantined {sum(one.left_out.values()):>4} left out  {one.reason}"
            )
        if any(one.outcome is feeds.Outcome.FAILED for one in summaries):
            raise CommandError("Not every list could be read; what was known stays.")
