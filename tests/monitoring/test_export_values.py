"""What people and programs write into bills: numbers, amounts, days, names of models; and what is refused."""

import datetime
import time
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.core.exceptions import ValidationError

from apps.monitoring.export_values import Unreadable, read_count, read_day, read_number
from apps.monitoring.model_names import check_rules, normal_name

UTC = ZoneInfo("UTC")
MAY = datetime.date(2026, 5, 31)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("", "0"),
        ("  ", "0"),
        ("0", "0"),
        ("59200.0", "59200"),
        ("1,234,567.89", "1234567.89"),
        ("1 234 567", "1234567"),
        ("1\u202f234", "1234"),
        ("1'234.5", "1234.5"),
        (".5", "0.5"),
        ("3.584e-07", "0.0000003584"),
        ("0.8958740000000000", "0.895874"),
        ("-0.005", "-0.005"),
        ("+7", "7"),
        ("−7", "-7"),
        ("(12.50)", "-12.50"),
        ("$1,234.50", "1234.50"),
        ("-$3", "-3"),
        ("$-3", "-3"),
        ("¥7.58", "7.58"),
    ],
)
def test_number_is_exact_when_written_with_a_point(text, number):
    assert read_number(text) == Decimal(number)


@pytest.mark.parametrize(
    ("text", "number"),
    [("1.234.567,89", "1234567.89"), ("0,5", "0.5"), ("1 234,5", "1234.5"), ("12", "12")],
)
def test_number_is_exact_when_written_with_a_comma(text, number):
    assert read_number(text, decimal_mark=",") == Decimal(number)


@pytest.mark.parametrize(
    "text",
    ["1,5", "1,23,456", "12,34", "1,2345", ",123", "abc", "NaN", "Infinity", "1e9999", "--1", "-", "1.2.3", "0x10",
     "1;2", "$", "()", "１２", "1e16", "1,234.5.6", "1_0"],
)  # fmt: skip
def test_number_is_refused_when_it_is_ambiguous_or_none(text):
    with pytest.raises(Unreadable, match="is not a number"):
        read_number(text)


def test_count_is_refused_when_it_is_not_whole():
    assert read_count("1,000") == 1000
    with pytest.raises(Unreadable, match="is not a whole number"):
        read_count("10.5")


@pytest.mark.parametrize(
    ("text", "day_format", "zone"),
    [
        ("2026-05-31", "iso", "UTC"),
        ("20260531", "iso", "UTC"),
        ("2026-05-31T00:00:00+00:00", "iso", "UTC"),
        ("2026-05-31T23:59:59Z", "iso", "UTC"),
        ("2026-05-31 02:37:51.271", "iso", "UTC"),
        ("2026-05-31 17:16:48 UTC", "iso", "UTC"),
        ("2026-05-30T16:00:00Z", "iso", "Asia/Shanghai"),
        ("2026-06-01 06:00:00 UTC", "iso", "America/Los_Angeles"),
        ("2026-05-31 23:00:00", "iso", "Asia/Shanghai"),
        ("1780185600", "unix", "UTC"),
        ("1780185600.0", "unix", "UTC"),
        ("31/05/2026", "%d/%m/%Y", "UTC"),
        ("05/31/26", "%m/%d/%y", "UTC"),
        ("31 May 2026", "%d %b %Y", "UTC"),
    ],
)
def test_day_is_that_of_the_zone_whatever_the_format(text, day_format, zone):
    assert read_day(f" {text} ", day_format=day_format, zone=ZoneInfo(zone)) == MAY


@pytest.mark.parametrize(
    ("text", "day_format", "message"),
    [
        ("", "iso", "there is no day"),
        ("", "unix", "there is no day"),
        ("31/05/2026", "iso", "is not a day as in 2026-05-31"),
        ("2026-02-30", "iso", "is not a day"),
        ("yesterday", "unix", "is not a day in seconds since 1970"),
        ("9" * 14, "unix", "is not a day in seconds"),
        ("2026-05-31", "%d/%m/%Y", "is not a day as %d/%m/%Y"),
    ],
)
def test_day_is_refused_when_it_is_none(text, day_format, message):
    with pytest.raises(Unreadable, match=message):
        read_day(text, day_format=day_format, zone=UTC)


@pytest.mark.parametrize(
    ("name", "rules", "normal"),
    [
        (" GPT-4o ", [], "gpt-4o"),
        ("models/gemini-2.5-pro", [{"prefix": "models/"}], "gemini-2.5-pro"),
        ("qwen3:free", [{"suffix": ":FREE"}], "qwen3"),
        ("gpt-4o-2024-08-06, Input", [{"cut": ", "}], "gpt-4o-2024-08-06"),
        ("gpt-4o-2024-08-06", [{"drop_date": True}], "gpt-4o"),
        ("claude-haiku-4-5-20251001", [{"drop_date": True}], "claude-haiku-4-5"),
        ("gpt-4-0613", [{"drop_date": True}], "gpt-4"),
        ("llama3-70b-8192", [{"drop_date": True}], "llama3-70b-8192"),
        ("a-2024-08-06", [{"drop_date": False}], "a-2024-08-06"),
        ("Chat v3", [{"rename": ["chat V3", "deepseek-chat"]}], "deepseek-chat"),
        ("Chat v3.1", [{"rename": ["chat v3", "deepseek-chat"]}], "chat v3.1"),
        (
            "Claude 3.5 Sonnet 2024-10-22",
            [{"replace": [" ", "-"]}, {"replace": [".", "-"]}, {"drop_date": True}],
            "claude-3-5-sonnet",
        ),
    ],
)
def test_names_of_models_are_made_the_same_by_rules(name, rules, normal):
    assert normal_name(name, rules) == normal


@pytest.mark.parametrize(
    "rules",
    [{}, ["cut"], [{}], [{"cut": ",", "prefix": "a"}], [{"regex": ".*"}], [{"cut": ""}], [{"cut": 1}],
     [{"replace": ["a"]}], [{"replace": ["", "a"]}], [{"rename": ["a", 1]}], [{"drop_date": "yes"}]],
)  # fmt: skip
def test_rules_are_refused_when_they_are_none(rules):
    with pytest.raises(ValidationError):
        check_rules(rules)


def test_long_garbage_is_refused_quickly():
    began = time.monotonic()
    for text in ("1" * 200_000, "1," * 100_000, " " * 200_000 + "x"):
        with pytest.raises(Unreadable):
            read_number(text)

    assert time.monotonic() - began < 1
