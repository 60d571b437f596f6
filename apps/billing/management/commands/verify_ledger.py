"""manage.py verify_ledger: prove that the books are right; exit status 1 when they are not."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from typing_extensions import override

from apps.billing.services.verification import verify


class Command(BaseCommand):
    help = "Prove that every entry sums to zero, balances equal their lines and no hold is stale."

    @override
    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--organization",
            type=int,
            action="append",
            default=[],
            metavar="ID",
            help="prove the books of this organisation only; repeatable",
        )

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        found = verify(*options["organization"])
        for problem in found.problems:
            self.stderr.write(problem)
        if not found.is_sound:
            raise CommandError(f"the ledger has {len(found.problems)} problem(s)")
        self.stdout.write(
            f"The ledger is sound: {found.entries} entries, {found.organizations} balances, "
            f"{found.open_holds} open holds."
        )
