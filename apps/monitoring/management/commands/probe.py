"""``manage.py probe``: ask hosts now, with one tiny request each."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from typing_extensions import override

from apps.inference import breaker_beside
from apps.monitoring.services import on_demand


class Command(BaseCommand):
    help = "Probe the hosts of providers or models now. Costs what a few tokens cost there."

    @override
    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "names",
            nargs="+",
            metavar="provider|model",
            help="for example deepinfra, or openai/gpt-4o",
        )
        parser.add_argument(
            "--beyond-budget",
            action="store_true",
            help="even when PROBE_MONTHLY_USD is spent or 0",
        )

    @override
    def handle(self, *args: Any, names: list[str], beyond_budget: bool, **options: Any) -> None:
        try:
            offerings = [pk for name in names for pk in on_demand.find_offerings(name)]
        except on_demand.NobodyThere as error:
            raise CommandError(str(error)) from error
        told = on_demand.probe_now(offerings, beyond_budget=beyond_budget)
        for one in told:
            self.stdout.write(f"{one.provider:<24} {one.model:<48} {one.words}")
        if not breaker_beside.is_heard():
            self.stderr.write("Without REDIS_URL no running gateway hears of this.")
        if not all(one.finding is not None and one.finding.succeeded for one in told):
            raise CommandError("Not every host answered.")
