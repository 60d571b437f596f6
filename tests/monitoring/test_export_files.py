"""Reading exports: known ones as their providers write them, and what every kind of file that is wrong is told."""

import datetime
import io
from zoneinfo import ZoneInfo

import pytest

from apps.common.errors import BodyTooLarge
from apps.monitoring import export_files
from apps.monitoring.export_files import ExportRefused, measure_file, read_file
from apps.monitoring.model_names import normal_name
from apps.monitoring.models import UsageExportMapping
from apps.monitoring.services.reconciling import rules_of

TODAY = datetime.date(2026, 11, 20)
UTC = ZoneInfo("UTC")
PLAIN = {
    "day_column": "day",
    "model_column": "model",
    "measures": {"input_tokens": ["in", "cached"], "output_tokens": ["out"], "cost": ["usd"]},
}


def mapping_of(**fields):
    return UsageExportMapping(slug="test", name="test", **{**PLAIN, **fields})


def read(text, mapping=None, *, today=TODAY, zone=UTC, encoding="utf-8"):
    data = text if isinstance(text, bytes) else text.encode(encoding)
    return read_file(io.BytesIO(data), mapping or mapping_of(), zone=zone, today=today)


def told(reading):
    return {(f"{day}", model): numbers for (day, model), numbers in reading.lines.items()}


def problems(text, mapping=None, **options):
    with pytest.raises(ExportRefused) as refused:
        read(text, mapping, **options)
    return [tuple(problem) for problem in refused.value.problems]


GOOD = "day,model,in,cached,out,usd\n2026-11-01,a,1000,200,30,0.5\n2026-11-01,a,1,0,0,0.000000001\n2026-11-02,b,5,0,6,-0.1\n"


def test_rows_are_added_up_by_day_and_model():
    reading = read(GOOD)

    assert told(reading) == {
        ("2026-11-01", "a"): {"input_tokens": 1201, "output_tokens": 30, "cost": 500_000_001},
        ("2026-11-02", "b"): {"input_tokens": 5, "output_tokens": 6, "cost": -100_000_000},
    }
    assert (reading.rows, reading.first_day, reading.last_day) == (
        3, datetime.date(2026, 11, 1), datetime.date(2026, 11, 2),
    )  # fmt: skip


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiter_is_detected_when_it_is_not_told(delimiter):
    assert told(read(GOOD.replace(",", delimiter))) == told(read(GOOD))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_encodings_and_ends_of_lines_make_no_difference(encoding, end):
    text = GOOD.replace("a,", "modèle,").replace("\n", end)

    assert ("2026-11-01", "modèle") in told(read(text, encoding=encoding))


def test_windows_1252_is_read_when_the_mapping_says_so():
    text = GOOD.replace("a,", "modèle,")

    assert ("2026-11-01", "modèle") in told(
        read(text, mapping_of(encoding="cp1252"), encoding="cp1252")
    )
    ((line, _, what),) = problems(text, encoding="cp1252")
    assert (line, what.startswith("is not UTF-8")) == (2, True)


def test_numbers_have_thousands_and_a_comma_when_the_mapping_says_so():
    text = "sep=;\n\nDay;Model;In;Cached;Out;USD\n01.11.2026;a;1.000.000;0;2.000;1.234,5\n"
    reading = read(text, mapping_of(decimal_mark=",", day_format="%d.%m.%Y"))

    assert told(reading) == {
        ("2026-11-01", "a"): {"input_tokens": 1_000_000, "output_tokens": 2000, "cost": 1_234_500_000_000}
    }  # fmt: skip


def test_amounts_are_rounded_once_for_a_day_and_model():
    rows = "".join("2026-11-01,a,0,0,0,0.0000000004\n" for _ in range(1000))

    assert told(read(f"day,model,in,cached,out,usd\n{rows}"))["2026-11-01", "a"]["cost"] == 400


def test_quotes_hold_delimiters_and_lines():
    reading = read('day,model,in,cached,out,usd\n2026-11-01,"a, b\nc","1,000",0,0,"$1,000.25"\n')

    assert told(reading)["2026-11-01", "a, b\nc"]["cost"] == 1_000_250_000_000


def test_currency_is_changed_into_dollars_by_the_mappings_rate():
    mapping = mapping_of(
        measures={"cost": ["cost"]}, currency_column="currency", usd_rates={"CNY": "0.14"}
    )
    text = "day,model,cost,currency\n2026-11-01,a,10,CNY\n2026-11-01,a,1,usd\n2026-11-01,a,1,\n"

    assert told(read(text, mapping))["2026-11-01", "a"] == {"cost": 3_400_000_000}
    assert problems(text.replace("CNY", "EUR"), mapping) == [
        (2, "currency", "the mapping has no rate of 'EUR' in dollars (usd_rates)")
    ]


def test_rows_of_one_measure_are_told_apart_by_their_kind():
    mapping = mapping_of(
        measures={}, kind_column="type", value_column="amount",
        kinds={"hit": ["input_tokens", "cache_read_tokens"], "miss": ["input_tokens"], "other": []},
    )  # fmt: skip
    text = "day,model,type,amount\n2026-11-01,a,hit,10\n2026-11-01,a,miss,5\n2026-11-01,a,other,7\n2026-11-01,a,miss,\n"

    assert told(read(text, mapping)) == {
        ("2026-11-01", "a"): {"input_tokens": 15, "cache_read_tokens": 10}
    }
    assert problems(text.replace("miss,5", "fee,5"), mapping) == [
        (3, "type", "'fee' is none of hit, miss, other")
    ]


def test_rows_are_counted_when_each_is_a_request():
    reading = read(GOOD, mapping_of(each_row_is_request=True))

    assert told(reading)["2026-11-01", "a"]["requests"] == 2


def test_rows_are_left_out_when_the_mapping_says_so():
    reading = read(GOOD, mapping_of(skipped={"Model": ["A"]}))

    assert list(told(reading)) == [("2026-11-02", "b")]
    assert (reading.rows, reading.rows_left_out) == (1, 2)


def test_day_that_is_not_over_is_not_taken():
    reading = read(GOOD, today=datetime.date(2026, 11, 2))

    assert (reading.last_day, reading.rows, reading.rows_unfinished) == (
        datetime.date(2026, 11, 1), 2, 1,
    )  # fmt: skip
    ((line, _, what),) = problems(GOOD.split("\n2026-11-02")[0], today=datetime.date(2026, 11, 1))
    assert (line, what) == (0, "it has no row to import: its days are not over")


def test_day_without_use_counts_when_the_file_names_it():
    reading = read(GOOD + "2026-11-04,,,,,\n\n,,,,,\n")

    assert (reading.last_day, len(reading.lines)) == (datetime.date(2026, 11, 4), 2)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("", (0, "", "it has no line with the names of columns")),
        ("\n \n", (0, "", "it has no line with the names of columns")),
        ("day,model,in,cached,out,usd\n", (0, "", "it has no row to import")),
        ("day,model,in,out,usd\n", (1, "cached", "there is no such column; there are: day, model, in, out, usd")),
        (GOOD.replace("model,in", "in,in"), (1, "model", "there is no such column; there are: day, in, in, cached, out, usd")),
        (GOOD.replace("usd\n", "usd,in\n"), (1, "in", "there are several columns of this name")),
        (GOOD.replace("a,1000", "a,1e"), (2, "in", "'1e' is not a number")),
        (GOOD.replace(",30,", ",30.5,"), (2, "out", "'30.5' is not a whole number")),
        (GOOD.replace("-0.1", "free"), (4, "usd", "'free' is not a number")),
        (GOOD.replace("2026-11-02", "2026-13-02"), (4, "day", "'2026-13-02' is not a day as in 2026-05-31")),
        (GOOD.replace("2026-11-02", "2026-11-21"), (4, "day", "2026-11-21 lies in the future")),
        (GOOD.replace("2026-11-02", "1970-01-01"), (4, "day", "1970-01-01 lies before 2015-01-01")),
        (GOOD.replace(",6,-0.1", ""), (4, "", "has 4 values for 6 columns")),
        (GOOD.replace("-0.1", "-0.1,7"), (4, "", "has 7 values for 6 columns")),
        (GOOD.replace("b,5", f"{'b' * 201},5"), (4, "model", "is no name of a model")),
    ],
)  # fmt: skip
def test_file_is_refused_by_line_and_column(text, wrong):
    assert wrong in problems(text)


def test_bytes_are_refused_when_they_are_no_text():
    assert problems(GOOD.encode() + b"2026-11-03,\xff\xfe,1,1,1,1\n")[0][0] == 5
    assert problems(b"\xff\xfe" + GOOD.encode("utf-16-le") + b"\x00\xd8a\x00")[0][2] == (
        "it is not UTF-16 to its end"
    )
    assert problems(b'day,model,in,cached,out,usd\n2026-11-01,"a,1,1,1,1\n')[0][2].startswith(
        "is not CSV"
    )


def test_problems_are_told_together_and_not_without_end():
    bad = "day,model,in,cached,out,usd\n" + "x,a,y,0,0,z\n" * 100

    found = problems(bad)

    assert len(found) == export_files.MOST_PROBLEMS
    assert found[:4] == [
        (2, "day", "'x' is not a day as in 2026-05-31"),
        (2, "in", "'y' is not a number"),
        (2, "usd", "'z' is not a number"),
        (3, "day", "'x' is not a day as in 2026-05-31"),
    ]


def test_sum_is_refused_when_no_column_could_hold_it():
    rows = "2026-11-01,a,0,0,0,999999999999999\n"

    assert "too great" in problems(f"day,model,in,cached,out,usd\n{rows}")[0][2]


def test_line_is_refused_when_it_is_endless():
    assert problems(b"day,model\n" + b"x" * (export_files.MOST_LINE + 2))[0][0] in {1, 2}


def test_file_is_refused_when_it_is_too_large_empty_or_compressed(monkeypatch):
    with pytest.raises(ExportRefused, match="it is empty"):
        measure_file(io.BytesIO(b""))
    with pytest.raises(ExportRefused, match="unpack it"):
        measure_file(io.BytesIO(b"PK\x03\x04rest"))
    monkeypatch.setattr(export_files, "MOST_BYTES", 10)
    assert measure_file(io.BytesIO(b"x" * 10))[1] == 10
    with pytest.raises(BodyTooLarge, match="10 bytes"):
        measure_file(io.BytesIO(b"x" * 11))


KNOWN = {
    "openai-usage": (
        "start_time,end_time,start_time_iso,end_time_iso,project_id,num_model_requests,user_id,api_key_id,model,batch,"
        "service_tier,input_tokens,output_tokens,input_cached_tokens,input_uncached_tokens\n"
        "1759622400,1759708800,2025-10-05T00:00:00+00:00,2025-10-06T00:00:00+00:00,p,10.0,u,k,gpt-4o-2024-08-06,FALSE,"
        "default,59200.0,10646.0,5760.0,53440.0\n"
        "1759881600,1759968000,2025-10-08T00:00:00+00:00,2025-10-09T00:00:00+00:00,,,,,,,,,,,\n",
        {
            ("2025-10-05", "gpt-4o-2024-08-06"): {
                "requests": 10, "input_tokens": 59200, "cache_read_tokens": 5760, "output_tokens": 10646,
            }
        },
    ),
    "openai-cost": (
        "start_time,end_time,start_time_iso,end_time_iso,amount_value,amount_currency,line_item,project_id\n"
        '1759622400,1759708800,2025-10-05T00:00:00+00:00,2025-10-06T00:00:00+00:00,0.8958740000000000,usd,"gpt-4o-2024-08-06, input",p\n'
        "1759708800,1759795200,2025-10-06T00:00:00+00:00,2025-10-07T00:00:00+00:00,0.5617712500000000,usd,,p\n"
        "1759968000,1760054400,2025-10-09T00:00:00+00:00,2025-10-10T00:00:00+00:00,,,,\n",
        {
            ("2025-10-05", "gpt-4o-2024-08-06, input"): {"cost": 895_874_000},
            ("2025-10-06", ""): {"cost": 561_771_250},
        },
    ),
    "anthropic-usage": (
        "usage_date_utc,model_version,api_key,workspace,usage_type,context_window,usage_input_tokens_no_cache,"
        "usage_input_tokens_cache_write_5m,usage_input_tokens_cache_write_1h,usage_input_tokens_cache_read,"
        "usage_output_tokens,web_search_count,inference_geo,speed\n"
        '2026-08-05,claude-opus-5,Closer,"Default, main",standard,≤ 200k,46981,15969,7,3,16932,0,global,\n',
        {
            ("2026-08-05", "claude-opus-5"): {
                "input_tokens": 62960, "cache_read_tokens": 3, "cache_write_tokens": 15976, "output_tokens": 16932,
            }
        },
    ),
    "anthropic-cost": (
        "usage_date_utc,model,workspace,api_key,usage_type,context_window,token_type,cost_usd,list_price_usd,cost_type\n"
        "2026-08-04,Claude Haiku 4.5,Default,k,message,≤ 200k,input_no_cache,0.05,0.05,token\n"
        "2026-08-04,Claude Haiku 4.5,Default,k,message,≤ 200k,output,0.02,0.02,token\n",
        {("2026-08-04", "Claude Haiku 4.5"): {"cost": 70_000_000}},
    ),
    "openrouter-activity": (
        "generation_id,created_at,cost_total,cost_web_search,cost_cache,cost_file_processing,byok_usage_inference,"
        "tokens_prompt,tokens_completion,tokens_reasoning,tokens_cached,model_permaslug,provider_name\n"
        "gen-1,2026-03-30 02:37:51.271,0.01,0,0,0,0,100,200,50,10,openai/gpt-4-turbo,OpenAI\n"
        "gen-2,2026-03-30 23:59:59.999,0.02,0,-0.005,0,0,150,250,0,0,openai/gpt-4-turbo,Azure\n",
        {
            ("2026-03-30", "openai/gpt-4-turbo"): {
                "requests": 2, "input_tokens": 250, "cache_read_tokens": 10, "output_tokens": 450, "cost": 30_000_000,
            }
        },
    ),
    "openrouter-daily": (
        "Date,Slug,Usage,BYOK Usage,Requests,Prompt Tokens,Completion Tokens,Reasoning Tokens\n"
        '"2026-05-12 00:00:00","anthropic/claude-opus-4.7","430.07","0","4115","70965665","3009973","0"\n',
        {
            ("2026-05-12", "anthropic/claude-opus-4.7"): {
                "requests": 4115, "input_tokens": 70_965_665, "output_tokens": 3_009_973, "cost": 430_070_000_000,
            }
        },
    ),
    "deepseek-amount": (
        "user_id,utc_date,model,api_key_name,api_key,type,price,amount\n"
        "u,2026-06-03,deepseek-v4-pro,k,sk-b***52b1,output_tokens,0.00000087,23547\n"
        "u,20260603,deepseek-v4-pro,k,sk-b***52b1,request_count,,5\n"
        "u,2026-06-03,deepseek-v4-pro,k,sk-b***52b1,input_cache_hit_tokens,0.000000003625,54400\n"
        "u,2026-06-03,deepseek-v4-pro,k,sk-b***52b1,input_cache_miss_tokens,0.0000005,600\n",
        {
            ("2026-06-03", "deepseek-v4-pro"): {
                "requests": 5, "input_tokens": 55_000, "cache_read_tokens": 54_400, "output_tokens": 23_547,
            }
        },
    ),
    "deepseek-cost": (
        "user_id,utc_date,model,wallet_type,cost,currency\nu,2026-04-27,deepseek-v4-flash,Paid,0.0546390000000000,USD\n",
        {("2026-04-27", "deepseek-v4-flash"): {"cost": 54_639_000}},
    ),
    "fireworks-metrics": (
        "email,start_time,end_time,usage_type,accelerator_type,accelerator_seconds,base_model_name,model_bucket,"
        "parameter_count,prompt_tokens,completion_tokens\n"
        "a@b.c,2025-10-20 17:16:48 UTC,2025-10-20 17:16:48 UTC,TEXT_COMPLETION_INFERENCE_USAGE,,,"
        "accounts/fireworks/models/llama4,Large,70000000000,803,109\n",
        {
            ("2025-10-20", "accounts/fireworks/models/llama4"): {
                "input_tokens": 803, "output_tokens": 109,
            }
        },
    ),
    "generic": (
        "day,model,requests,input_tokens,cache_read_tokens,output_tokens,cost,currency\n"
        "2026-05-31,large,1,10,4,5,0.25,USD\n",
        {
            ("2026-05-31", "large"): {
                "requests": 1, "input_tokens": 10, "cache_read_tokens": 4, "output_tokens": 5, "cost": 250_000_000,
            }
        },
    ),
}  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize("slug", KNOWN)
def test_known_exports_are_read_as_their_providers_write_them(slug):
    text, lines = KNOWN[slug]
    mapping = UsageExportMapping.objects.get(slug=slug)

    assert told(read(text, mapping)) == lines


@pytest.mark.django_db
def test_every_mapping_that_is_shipped_is_valid_and_tested():
    mappings = list(UsageExportMapping.objects.all())

    for mapping in mappings:
        mapping.full_clean()
        assert mapping.source
    assert {mapping.slug for mapping in mappings} == set(KNOWN)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("provider", "theirs", "ours"),
    [
        ("openai", "gpt-4o-2024-08-06, input", "gpt-4o"),
        ("openai", "gpt-5-mini-2025-08-07", "gpt-5-mini-2025-08-07"),
        ("anthropic", "Claude Haiku 4.5", "claude-haiku-4-5-20251001"),
        ("anthropic", "Claude 3.5 Sonnet 2024-10-22", "claude-3-5-sonnet-20241022"),
        ("openrouter", "openai/gpt-4.1-2025-04-14", "openai/gpt-4.1"),
        ("openrouter", "qwen/qwen3-8b", "qwen/qwen3-8b:free"),
        ("fireworks", "accounts/fireworks/models/llama4", "accounts/fireworks/models/llama4"),
    ],
)
def test_names_on_known_bills_are_those_that_are_asked_for(provider, theirs, ours):
    rules = rules_of(provider)

    rules.full_clean()
    assert rules.provider == provider
    assert normal_name(theirs, rules.model_rules) == normal_name(ours, rules.model_rules)
