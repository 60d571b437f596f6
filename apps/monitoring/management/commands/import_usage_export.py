"""manage.py import_usage_export: what a provider says that it was asked, compared with the records."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from typing_extensions import override

from apps.common.errors import GatewayzError
from apps.monitoring.export_files import ExportRefused
from apps.monitoring.services import exports

BY = "manage.py"


class Command(BaseCommand):
    help = "Import a provider's usage export (CSV) and compare its days with the request records."

    @override
    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("provider", help="the provider's slug")
        parser.add_argument("file", type=Path)
        parser.add_argument(
            "--mapping", default="", help="how its columns are read; else chosen by their names"
        )
        parser.add_argument(
            "--account", default="", help="where the house has several accounts at the provider"
        )
        parser.add_argument(
            "--override",
            type=_read_override,
            default=None,
            metavar="JSON",
            help="""fields of the mapping for this file alone: '{"decimal_mark": ","}'""",
        )

    @override
    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        try:
            with path.open("rb") as file:
                done = exports.import_export(
                    file,
                    provider=options["provider"],
                    file_name=path.name,
                    mapping=options["mapping"],
                    account=options["account"],
                    override=options["override"],
                    imported_by=BY,
                )
        except OSError as error:
            raise CommandError(f"file: {path} cannot be read: {error.strerror}") from error
        except ExportRefused as error:
            for problem in error.problems:
                self.stderr.write(problem.words)
            raise CommandError("Nothing was imported.") from error
        except GatewayzError as error:
            raise CommandError(f"{error.param}: {error.message}") from error
        self._tell(done)

    def _tell(self, done: exports.Imported) -> None:
        export, run = done.export, done.run
        if run is None:
            self.stdout.write(f"This file is there already, and {export.state}: {export}.")
            return
        self.stdout.write(
            f"{export}: {export.rows} rows read with '{export.mapping}', {export.rows_left_out} left out, "
            f"{export.rows_unfinished} of a day that is not over."
        )
        self.stdout.write(
            f"{run.days} days compared: {run.models_compared} models, {run.only_theirs} only theirs, "
            f"{run.only_ours} only ours; {run.opened} alerts opened, {run.resolved} resolved."
        )


def _read_override(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise CommandError(f"override: not JSON: {error}") from error
    if not isinstance(found, dict):
        raise CommandError("override: an object is wanted.")
    return found
