"""Usage exports of providers: how their columns are read, which were imported, and what they tell by day and model.

Money is nano-USD. Imported rows are never changed: a newer export, or the withdrawal of one, is only noted on them.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from typing_extensions import override

COST = "cost"
MEASURES: tuple[str, ...] = (
    "requests", "input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", COST,
)  # fmt: skip
"""What is compared. ``input_tokens`` are all of them; those read from and written to a cache are told again, apart.
``output_tokens`` are with reasoning."""
DETECTED = ""
DELIMITERS = [
    (DETECTED, "Detected by the first line"),
    (",", "Comma"),
    (";", "Semicolon"),
    ("\t", "Tab"),
    ("|", "Bar"),
]
ENCODINGS = [("", "UTF-8; UTF-16 with its mark"), ("cp1252", "Windows-1252")]
DECIMAL_MARKS = [(".", "Point: 1,234.56"), (",", "Comma: 1.234,56")]


def check_columns(value: Any) -> None:
    """A measure to the names of its columns, which are added up."""
    if not isinstance(value, dict):
        raise ValidationError('An object, as in {"cost": ["cost_usd"]}.')
    for measure, columns in value.items():
        _check_measure(measure)
        is_list = isinstance(columns, list) and columns
        if not is_list or not all(isinstance(name, str) and name.strip() for name in columns):
            raise ValidationError(f"'{measure}': a list of names of columns.")


def check_kinds(value: Any) -> None:
    """What the kind's column says to the measures that the row's value belongs to; to none for rows to leave out."""
    if not isinstance(value, dict):
        raise ValidationError('An object, as in {"output_tokens": ["output_tokens"]}.')
    for kind, measures in value.items():
        if not isinstance(measures, list):
            raise ValidationError(f"'{kind}': a list of measures.")
        for measure in measures:
            _check_measure(measure)


def check_rates(value: Any) -> None:
    """Currency to the dollars that one of it is worth, as text: no float ever comes near money."""
    if not isinstance(value, dict):
        raise ValidationError('An object, as in {"CNY": "0.14"}.')
    for currency, rate in value.items():
        try:
            is_rate = isinstance(rate, str) and 0 < Decimal(rate) < Decimal("1e9")
        except ArithmeticError:
            is_rate = False
        if not is_rate:
            raise ValidationError(f"'{currency}': dollars for one of it, as text, as in \"0.14\".")


def check_skipped(value: Any) -> None:
    """Column to the values of rows that are left out."""
    if not isinstance(value, dict) or not all(
        isinstance(values, list) and all(isinstance(one, str) for one in values)
        for values in value.values()
    ):
        raise ValidationError('An object of lists, as in {"usage_type": ["batch"]}.')


def _check_measure(measure: Any) -> None:
    if measure not in MEASURES:
        raise ValidationError(f"'{str(measure)[:60]}' is not one of {', '.join(MEASURES)}.")


class UsageExportMapping(models.Model):
    """How the columns of one kind of CSV file are read. Names of columns are compared without case."""

    slug = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=120)
    provider = models.CharField(
        max_length=60, blank=True, help_text="The provider's slug; empty for every provider."
    )
    source = models.TextField(
        blank=True, help_text="Where the columns were learnt from, for whoever has to check them."
    )
    is_active = models.BooleanField(default=True, help_text="Others are not chosen by themselves.")
    delimiter = models.CharField(max_length=1, choices=DELIMITERS, blank=True, default=DETECTED)
    encoding = models.CharField(max_length=12, choices=ENCODINGS, blank=True, default="")
    decimal_mark = models.CharField(max_length=1, choices=DECIMAL_MARKS, default=".")
    day_column = models.CharField(max_length=100)
    day_format = models.CharField(
        max_length=40,
        default="iso",
        help_text="iso, unix (seconds), or a format as of Python's strptime such as %d/%m/%Y.",
    )
    model_column = models.CharField(
        max_length=100, blank=True, help_text="Empty: the file does not tell models apart."
    )
    measures: Any = models.JSONField(
        default=dict,
        blank=True,
        validators=[check_columns],
        help_text=f"Columns by measure, added up: {', '.join(MEASURES)}. input_tokens are all, with cached ones.",
    )
    each_row_is_request = models.BooleanField(
        default=False, help_text="Counts rows where no column tells the number of requests."
    )
    kind_column = models.CharField(
        max_length=100, blank=True, help_text="Where a row tells one measure: which."
    )
    value_column = models.CharField(max_length=100, blank=True, help_text="And how much of it.")
    kinds: Any = models.JSONField(
        default=dict,
        blank=True,
        validators=[check_kinds],
        help_text="Measures by what the kind's column says; an empty list leaves such rows out.",
    )
    currency_column = models.CharField(max_length=100, blank=True)
    currency = models.CharField(
        max_length=3,
        default="USD",
        validators=[RegexValidator("^[A-Z]{3}$", "Three capital letters.")],
        help_text="Where no column tells it.",
    )
    usd_rates: Any = models.JSONField(
        "dollars by currency",
        default=dict,
        blank=True,
        validators=[check_rates],
        help_text='What one of a currency is worth in dollars, as text: {"CNY": "0.14"}.',
    )
    skipped: Any = models.JSONField(
        "rows left out",
        default=dict,
        blank=True,
        validators=[check_skipped],
        help_text='Values by column: {"usage_type": ["batch"]}.',
    )

    class Meta:
        ordering = ["provider", "slug"]
        verbose_name = "mapping of usage exports"
        verbose_name_plural = "mappings of usage exports"

    @override
    def __str__(self) -> str:
        return self.name or self.slug

    @override
    def clean(self) -> None:
        """Raises ValidationError by field where the parts do not fit together."""
        problems: dict[str, str] = {}
        for name in ("measures", "kinds", "usd_rates", "skipped"):
            # What is empty, though no object, is not shown to the validators.
            if not isinstance(getattr(self, name), dict):
                problems[name] = "An object."
        if problems:
            raise ValidationError(problems)
        if bool(self.kind_column) != bool(self.value_column):
            missing = "value_column" if self.kind_column else "kind_column"
            problems[missing] = "The kind's column and the value's go together."
        if self.kind_column and not self.kinds:
            problems["kinds"] = "Say what the kinds stand for."
        if not self.told:
            problems["measures"] = "Nothing to compare: name the columns of at least one measure."
        if self.day_format not in {"iso", "unix"} and "%" not in self.day_format:
            problems["day_format"] = "iso, unix or a format such as %d/%m/%Y."
        if problems:
            raise ValidationError(problems)

    @property
    def told(self) -> list[str]:
        """The measures that a file tells, in the order of ``MEASURES``."""
        told = set(self.measures)
        for measures in self.kinds.values():
            told.update(measures)
        if self.each_row_is_request:
            told.add("requests")
        return [measure for measure in MEASURES if measure in told]

    @property
    def needed_columns(self) -> list[str]:
        """Without which a file is not of this kind."""
        names = [
            self.day_column, self.model_column, self.kind_column, self.value_column, self.currency_column,
            *self.skipped, *(name for columns in self.measures.values() for name in columns),
        ]  # fmt: skip
        return list(dict.fromkeys(name for name in names if name))


class UsageExport(models.Model):
    """One file that was imported. Its days are those from the first to the last, also where a day has no row."""

    provider = models.CharField(max_length=60)
    account = models.CharField(
        max_length=60, blank=True, help_text="Where the house has several at the provider."
    )
    mapping = models.CharField(max_length=60)
    read_with: Any = models.JSONField(help_text="The mapping as it was.")
    reading = models.CharField(max_length=64, help_text="The digest of that.")
    digest = models.CharField(max_length=64, help_text="SHA-256 of the file.")
    file_name = models.CharField(max_length=200)
    size = models.BigIntegerField(help_text="Bytes.")
    rows = models.PositiveIntegerField(help_text="That were read.")
    rows_left_out = models.PositiveIntegerField(help_text="As the mapping says.")
    rows_unfinished = models.PositiveIntegerField(
        help_text="Of a day that was not over: not taken."
    )
    measures: Any = models.JSONField(help_text="What the file tells.")
    time_zone = models.CharField(max_length=60, help_text="Of its days.")
    first_day = models.DateField()
    last_day = models.DateField()
    imported_at = models.DateTimeField()
    imported_by = models.CharField(max_length=254, blank=True)
    superseded_by = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text="A newer export of all its days that tells all that it tells.",
    )
    withdrawn_at = models.DateTimeField(null=True)
    withdrawn_by = models.CharField(max_length=254, blank=True)
    withdrawn_note = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["provider", "account", "digest", "reading"],
                condition=Q(withdrawn_at=None),
                name="monitoring_export_once",
            )
        ]
        indexes = [
            models.Index(fields=["provider", "last_day"], name="monitoring_export_by_day"),
        ]

    @override
    def __str__(self) -> str:
        days = f"{self.first_day} to {self.last_day}"
        return f"{self.provider} {self.account} {days}".replace("  ", " ")

    @property
    def state(self) -> str:
        if self.withdrawn_at:
            return "withdrawn"
        return "superseded" if self.superseded_by_id else "current"


class UsageExportLine(models.Model):
    """What an export tells of a model on a day; empty where it does not tell. Negative for what was given back."""

    export = models.ForeignKey(
        UsageExport, on_delete=models.CASCADE, related_name="lines", db_index=False
    )
    day = models.DateField(help_text="Of the provider's calendar.")
    model = models.CharField(max_length=200, blank=True, help_text="As the provider writes it.")
    requests = models.BigIntegerField(null=True)
    input_tokens = models.BigIntegerField(null=True)
    cache_read_tokens = models.BigIntegerField(null=True)
    cache_write_tokens = models.BigIntegerField(null=True)
    output_tokens = models.BigIntegerField(null=True)
    cost = models.BigIntegerField(null=True)

    class Meta:
        ordering = ["day", "model"]
        constraints = [
            models.UniqueConstraint(
                fields=["export", "day", "model"], name="monitoring_export_line_once"
            )
        ]

    @override
    def __str__(self) -> str:
        return f"{self.model or 'all models'} on {self.day}"

    @property
    def told(self) -> Mapping[str, int | None]:
        return {measure: getattr(self, measure) for measure in MEASURES}
