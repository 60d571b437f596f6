"""``manage.py provider``: put models on offer at a provider of your own, without editing code."""

from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Count, Q
from typing_extensions import override

from apps.catalog.models import Provider
from apps.catalog.providers.spec import Wire
from apps.catalog.reach import why_not_asked
from apps.catalog.services import providers
from apps.catalog.services.errors import CatalogError
from apps.catalog.services.offers import Amounts
from apps.common.money import usd_to_nano

MOST_USD = Decimal(1_000_000)
"""Far above any price per million tokens; keeps the column from overflowing."""


class Command(BaseCommand):
    help = "Add, list, enable and disable providers. Running gateways take a change over within a second."

    @override
    def add_arguments(self, parser: CommandParser) -> None:
        actions = parser.add_subparsers(dest="action", required=True)

        add = actions.add_parser(
            "add",
            help="offer one model at a provider; repeat for more models, or with other providers for more hosts",
        )
        add.add_argument("slug", help="the provider, for example acme")
        add.add_argument(
            "--base-url", default="", help="up to and with the version: https://host/v1"
        )
        add.add_argument("--wire", default="", help=f"one of {', '.join(Wire)}")
        add.add_argument(
            "--api-key-env", default="", help="variable with the key; none: no key is sent"
        )
        add.add_argument("--model", required=True, help="public id, for example acme/large")
        add.add_argument(
            "--upstream-model", default="", help="its name at the provider; default: --model"
        )
        add.add_argument("--input-price", required=True, help="US dollars per million tokens")
        add.add_argument("--output-price", required=True, help="US dollars per million tokens")
        add.add_argument(
            "--cache-read-price", help="US dollars per million tokens; default: --input-price"
        )
        add.add_argument("--context", help="context length in tokens")
        add.add_argument("--max-output", help="most output tokens")
        add.add_argument(
            "--priority", help="order among the hosts of this model; lower is asked first"
        )
        add.add_argument(
            "--sandbox", action="store_true", help="test keys may use it, nothing real is behind it"
        )

        actions.add_parser("list", help="show all providers")
        for name in ("enable", "disable"):
            actions.add_parser(name).add_argument("slug")

    @override
    def handle(self, *args: Any, action: str, **options: Any) -> None:
        try:
            match action:
                case "add":
                    self.add(options)
                case "list":
                    self.list_providers()
                case _:
                    providers.set_enabled(options["slug"], enabled=action == "enable")
                    self.stdout.write(f"{options['slug']} is {action}d.")
        except CatalogError as error:
            raise CommandError(f"{option_of(error.field)} {error.message}") from error

    def add(self, options: dict[str, Any]) -> None:
        cache_read = options["cache_read_price"]
        offering = providers.add_provider(
            options["slug"],
            model=options["model"],
            amounts=Amounts.of(
                input=parse_price("input_price", options["input_price"]),
                output=parse_price("output_price", options["output_price"]),
                cache_read=None
                if cache_read is None
                else parse_price("cache_read_price", cache_read),
            ),
            base_url=options["base_url"],
            wire=options["wire"],
            api_key_env=options["api_key_env"],
            upstream_model=options["upstream_model"],
            context_length=parse_count("context", options["context"], least=1),
            max_output_tokens=parse_count("max_output", options["max_output"], least=1),
            priority=parse_count("priority", options["priority"], least=0),
            is_sandbox=options["sandbox"],
        )
        self.stdout.write(
            f"{offering.model_id} is offered by {offering.provider_id} as {offering.upstream_model} "
            f"at {providers.endpoint_of(offering.provider)}."
        )
        if reason := why_not_asked(offering.provider):
            self.stderr.write(f"No request goes to {offering.provider_id} yet: {reason}.")

    def list_providers(self) -> None:
        rows = Provider.objects.annotate(
            models=Count("offerings", filter=Q(offerings__is_active=True))
        )
        if not rows:
            self.stdout.write("No providers yet.")
        for row in rows:
            state = why_not_asked(row) or "ready"
            self.stdout.write(
                f"{row.slug:<20} {row.wire:<20} {row.models:>5} models  {state:<32} {providers.endpoint_of(row)}"
            )


def option_of(field: str) -> str:
    """How the command line names a field."""
    return "SLUG" if field == "slug" else f"--{field.replace('_', '-')}"


def parse_price(field: str, text: str) -> int:
    """Dollars to nano-USD. Raises CatalogError."""
    try:
        amount = Decimal(str(text).strip().removeprefix("$"))
        valid = amount.is_finite() and 0 <= amount <= MOST_USD
    except InvalidOperation:
        valid = False
    if not valid:
        raise CatalogError(
            field, f"must be US dollars per million tokens, 0 or more, not {text!r}."
        )
    return usd_to_nano(amount)


def parse_count(field: str, text: str | int | None, *, least: int) -> int | None:
    """None when the option was not given. Raises CatalogError."""
    if text is None:
        return None
    digits = str(text)
    if not digits.isdecimal() or not least <= int(digits) <= 2_147_483_647:
        raise CatalogError(field, f"must be a whole number of at least {least}, not {text!r}.")
    return int(digits)
