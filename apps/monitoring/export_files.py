"""Reading a usage export: bytes of a CSV file, by a mapping, to what it tells by day and model. Nothing is stored here.

The file is read as it comes, a row at a time; what is kept are the sums. All of it is read or none: every row that cannot
be read is told by line and column, up to a number of them.
"""

import codecs
import csv
import datetime
import hashlib
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, localcontext
from typing import BinaryIO, NamedTuple, TypeAlias
from zoneinfo import ZoneInfo

from apps.common.errors import BodyTooLarge, InvalidRequest
from apps.common.money import usd_to_nano
from apps.monitoring.export_values import Unreadable, read_count, read_day, read_number
from apps.monitoring.models import UsageExportMapping
from apps.monitoring.models.export import COST, DELIMITERS

MOST_BYTES = 100 * 1024 * 1024
MOST_LINES = 100_000
"""Different days and models of one file."""
MOST_PROBLEMS = 20
MOST_MODEL = 200
MOST_NUMBER = 9 * 10**18
FIRST_DAY = datetime.date(2015, 1, 1)
"""No provider that is asked here is older: an earlier day is a format that was misunderstood."""
DOLLAR = "USD"
PRECISION = 60
CHUNK = 1024 * 1024
MOST_LINE = 1024 * 1024
"""Bytes."""
ARCHIVES = (b"PK\x03\x04", b"\x1f\x8b")
UTF_16 = (b"\xff\xfe", b"\xfe\xff")

Sums: TypeAlias = dict[str, Decimal]


class Problem(NamedTuple):
    line: int
    """Of the file, from 1; 0 for the file itself."""
    column: str
    what: str

    @property
    def words(self) -> str:
        place = f"line {self.line}" if self.line else "the file"
        return f"{place}, '{self.column}': {self.what}" if self.column else f"{place}: {self.what}"


class ExportRefused(InvalidRequest):
    """Nothing of the file was taken. ``problems`` are in the order of the file."""

    def __init__(self, problems: Sequence[Problem], *, param: str = "file") -> None:
        self.problems = tuple(problems)
        more = " There may be more." if len(self.problems) >= MOST_PROBLEMS else ""
        told = "; ".join(problem.words for problem in self.problems)
        super().__init__(
            f"Nothing was imported: {told}.{more}",
            param=param,
            code="invalid_value",
            details={"problems": [problem._asdict() for problem in self.problems]},
        )


@dataclass(slots=True)
class Reading:
    """What a file tells. Counts are whole, ``COST`` is nano-USD."""

    lines: dict[tuple[datetime.date, str], dict[str, int]] = field(default_factory=dict)
    rows: int = 0
    rows_left_out: int = 0
    rows_unfinished: int = 0
    first_day: datetime.date = datetime.date.max
    last_day: datetime.date = datetime.date.min

    def cover(self, day: datetime.date) -> None:
        self.first_day = min(self.first_day, day)
        self.last_day = max(self.last_day, day)


def measure_file(file: BinaryIO) -> tuple[str, int]:
    """Digest and size in bytes. Raises BodyTooLarge, and ExportRefused for what is no text."""
    digest, size = hashlib.sha256(), 0
    file.seek(0)
    while chunk := file.read(CHUNK):
        if not size and chunk.startswith(ARCHIVES):
            raise ExportRefused([Problem(0, "", "it is compressed; unpack it and choose the CSV")])
        digest.update(chunk)
        size += len(chunk)
        if size > MOST_BYTES:
            raise BodyTooLarge(f"An export may have {MOST_BYTES:,} bytes.", param="file")
    if not size:
        raise ExportRefused([Problem(0, "", "it is empty")])
    return digest.hexdigest(), size


class Head(NamedTuple):
    delimiter: str
    names: list[str]
    line: int
    """Where the names of the columns stand."""


def read_head(file: BinaryIO, *, encoding: str = "", delimiter: str = "") -> Head:
    """The names of the columns, and what stands between them. Raises ExportRefused."""
    for number, line in enumerate(_lines(file, encoding), 1):
        bare = line.strip("\r\n")
        # Excel's own way to name the delimiter.
        if bare[:4].lower() == "sep=" and len(bare) == len("sep=") + 1:
            delimiter = delimiter or bare[-1]
        elif bare.strip():
            choices = [delimiter] if delimiter else [choice for choice, _ in DELIMITERS if choice]
            heads = [Head(choice, _split(bare, choice), number) for choice in choices]
            return max(heads, key=lambda head: len(head.names))
    raise ExportRefused([Problem(0, "", "it has no line with the names of columns")])


def _split(line: str, delimiter: str) -> list[str]:
    try:
        return [name.strip() for name in next(csv.reader([line], delimiter=delimiter), [])]
    except csv.Error:
        return []


def _lines(file: BinaryIO, encoding: str) -> Iterator[str]:
    """Raises ExportRefused at a line that is not text."""
    file.seek(0)
    start = file.read(2)
    file.seek(0)
    if not encoding and start in UTF_16:
        try:
            # The chain keeps this generator's end from being the file's.
            yield from itertools.chain(codecs.getreader("utf-16")(file))
        except UnicodeError as error:
            raise ExportRefused([Problem(0, "", "it is not UTF-16 to its end")]) from error
        return
    number = 0
    while raw := file.readline(MOST_LINE + 1):
        number += 1
        if len(raw) > MOST_LINE:
            raise ExportRefused([Problem(number, "", f"is longer than {MOST_LINE:,} bytes")])
        try:
            yield raw.decode(encoding or ("utf-8-sig" if number == 1 else "utf-8"))
        except UnicodeDecodeError as error:
            what = "is not UTF-8: save the file as UTF-8, or say its encoding in the mapping"
            raise ExportRefused([Problem(number, "", what)]) from error


def missing_columns(mapping: UsageExportMapping, names: Sequence[str]) -> list[str]:
    there = {name.casefold() for name in names}
    return [name for name in mapping.needed_columns if name.casefold() not in there]


def read_file(
    file: BinaryIO, mapping: UsageExportMapping, *, zone: ZoneInfo, today: datetime.date
) -> Reading:
    """What the file tells of the days before ``today``, in ``zone``. Raises ExportRefused."""
    head = read_head(file, encoding=mapping.encoding, delimiter=mapping.delimiter)
    if missing := missing_columns(mapping, head.names):
        there = ", ".join(head.names)[:300]
        raise ExportRefused(
            [Problem(head.line, name, f"there is no such column; there are: {there}") for name in missing]
        )  # fmt: skip
    lines = itertools.islice(_lines(file, mapping.encoding), head.line, None)
    with localcontext(prec=PRECISION):
        rows = _Rows(mapping, head, zone, today)
        try:
            # Strict: a quote that is never closed would swallow the rest of the file.
            reader = csv.reader(lines, delimiter=head.delimiter, strict=True)
            for cells in reader:
                rows.take(cells, line=head.line + reader.line_num)
        except csv.Error as error:
            rows.add_problem(head.line + reader.line_num, "", f"is not CSV: {error}")
        return rows.finish()


class _Rows:
    """Takes rows one after another; the sums by day and model, and what could not be read."""

    def __init__(
        self, mapping: UsageExportMapping, head: Head, zone: ZoneInfo, today: datetime.date
    ) -> None:
        self._mapping = mapping
        self._zone = zone
        self._today = today
        self._names = [name.casefold() for name in head.names]
        self._places = {name: self._names.index(name.casefold()) for name in mapping.needed_columns}
        self._skipped = {
            column: {value.strip().casefold() for value in values}
            for column, values in mapping.skipped.items()
        }
        self._told = mapping.told
        self._rates: dict[str, Decimal] = {DOLLAR: Decimal(1)} | {
            currency: Decimal(rate) for currency, rate in mapping.usd_rates.items()
        }
        self._sums: dict[tuple[datetime.date, str], Sums] = {}
        self._reading = Reading()
        self._problems: list[Problem] = []
        for name in mapping.needed_columns:
            if self._names.count(name.casefold()) > 1:
                self.add_problem(head.line, name, "there are several columns of this name")

    def add_problem(self, line: int, column: str, what: str) -> None:
        """Raises ExportRefused with all of them when they are many."""
        self._problems.append(Problem(line, column, what))
        if len(self._problems) >= MOST_PROBLEMS:
            raise ExportRefused(self._problems)

    def take(self, cells: list[str], *, line: int) -> None:
        if not any(cell.strip() for cell in cells):
            return
        if len(cells) < len(self._names) or any(cell.strip() for cell in cells[len(self._names) :]):
            what = f"has {len(cells)} values for {len(self._names)} columns"
            self.add_problem(line, "", what)
            return
        row = _Row(cells, self._places)
        reading = self._reading
        if any(row[column].casefold() in values for column, values in self._skipped.items()):
            reading.rows_left_out += 1
            return
        before = len(self._problems)
        day = self._day(row, line)
        model = row[self._mapping.model_column]
        if len(model) > MOST_MODEL or "\x00" in model:
            self.add_problem(line, self._mapping.model_column, "is no name of a model")
        numbers = self._numbers(row, line)
        if len(self._problems) > before or day is None:
            return
        if day == self._today:
            reading.rows_unfinished += 1
            return
        reading.rows += 1
        reading.cover(day)
        if numbers:
            self._add(day, model, numbers, line)

    def _day(self, row: "_Row", line: int) -> datetime.date | None:
        column = self._mapping.day_column
        try:
            day = read_day(row[column], day_format=self._mapping.day_format, zone=self._zone)
        except Unreadable as error:
            self.add_problem(line, column, str(error))
            return None
        if not FIRST_DAY <= day <= self._today:
            when = "lies in the future" if day > self._today else f"lies before {FIRST_DAY}"
            self.add_problem(line, column, f"{day} {when}")
        return day

    def _numbers(self, row: "_Row", line: int) -> Sums:
        """What the row tells by measure; empty for a row that tells nothing."""
        mapping = self._mapping
        found: Sums = {}
        for measure, columns in mapping.measures.items():
            for column in columns:
                if row[column]:
                    number = self._number(row, column, measure, line)
                    found[measure] = found.get(measure, Decimal(0)) + number
        if mapping.kind_column and row[mapping.value_column]:
            kind = row[mapping.kind_column]
            if kind not in mapping.kinds:
                known = ", ".join(sorted(mapping.kinds))
                self.add_problem(line, mapping.kind_column, f"'{kind[:60]}' is none of {known}")
            for measure in mapping.kinds.get(kind, ()):
                number = self._number(row, mapping.value_column, measure, line)
                found[measure] = found.get(measure, Decimal(0)) + number
        if mapping.each_row_is_request:
            found["requests"] = found.get("requests", Decimal(0)) + 1
        if COST in found:
            found[COST] *= self._rate(row, line)
        return found

    def _number(self, row: "_Row", column: str, measure: str, line: int) -> Decimal:
        read = read_number if measure == COST else read_count
        mark: str = self._mapping.decimal_mark
        try:
            return Decimal(read(row[column], decimal_mark=mark))
        except Unreadable as error:
            self.add_problem(line, column, str(error))
            return Decimal(0)

    def _rate(self, row: "_Row", line: int) -> Decimal:
        """Dollars for one of the row's currency."""
        column = self._mapping.currency_column
        currency = (row[column] or self._mapping.currency).upper()
        if currency not in self._rates:
            what = f"the mapping has no rate of '{currency[:20]}' in dollars (usd_rates)"
            self.add_problem(line, column or "currency", what)
        return self._rates.get(currency, Decimal(0))

    def _add(self, day: datetime.date, model: str, numbers: Sums, line: int) -> None:
        sums = self._sums.get((day, model))
        if sums is None:
            if len(self._sums) >= MOST_LINES:
                what = f"more than {MOST_LINES:,} days and models; is that the model's column?"
                raise ExportRefused([Problem(line, self._mapping.model_column, what)])
            sums = self._sums[day, model] = dict.fromkeys(self._told, Decimal(0))
        for measure, number in numbers.items():
            sums[measure] += number

    def finish(self) -> Reading:
        reading = self._reading
        for (day, model), sums in self._sums.items():
            counts = {measure: _whole(measure, number) for measure, number in sums.items()}
            for measure, number in counts.items():
                if abs(number) > MOST_NUMBER:
                    what = f"the {measure} of '{model[:60]}' on {day} are too great"
                    self.add_problem(0, "", what)
            reading.lines[day, model] = counts
        if not self._problems and not reading.rows:
            what = "it has no row to import"
            if reading.rows_unfinished:
                what += ": its days are not over"
            self.add_problem(0, "", what)
        if self._problems:
            raise ExportRefused(self._problems)
        return reading


class _Row:
    """Cells by the name of their column, without spaces around them; nothing for a column that is not named."""

    __slots__ = ("_cells", "_places")

    def __init__(self, cells: list[str], places: dict[str, int]) -> None:
        self._cells = cells
        self._places = places

    def __getitem__(self, column: str) -> str:
        return self._cells[self._places[column]].strip() if column else ""


def _whole(measure: str, number: Decimal) -> int:
    return usd_to_nano(number) if measure == COST else int(number)
