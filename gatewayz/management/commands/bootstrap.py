"""manage.py bootstrap: providers and prices for an empty database; the release step of a deployment runs it."""

from typing import Any

from django.core.management.base import BaseCommand
from typing_extensions import override

from gatewayz.bootstrap import bootstrap_catalogue


class Command(BaseCommand):
    help = "Create the registry's providers and read the price book. Safe to run again."

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        bootstrap_catalogue()
        self.stdout.write("Providers and prices are in place.")
