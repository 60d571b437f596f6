"""Scores: what is inferred of a model stands in the order that everybody would expect, is marked, and yields to benchmarks."""

import datetime
from dataclasses import replace

import pytest

from apps.catalog.benchmarks import BENCHMARKS, Benchmark, Result
from apps.catalog.cards import model_card
from apps.catalog.schemas import ModelCard
from apps.catalog.scores import Scored, ScoreSource, score
from apps.catalog.services.seed import MODELS, read_seed
from apps.catalog.snapshots import ModelSnapshot
from tests.catalog.made import make_model, make_offering, make_provider


def scored(*models: ModelSnapshot) -> dict[str, Scored]:
    return {found.model.id: found for found in score(models)}


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (make_model("acme/large", usd="5"), make_model("acme/small", usd="0.1")),
        (make_model("acme/chat-70b"), make_model("acme/chat-8b")),
        (make_model("acme/chat-400b-a40b"), make_model("acme/chat-30b-a3b")),
        (make_model("acme/chat-2t"), make_model("acme/chat-200b")),
        (make_model("acme/gpt-6.1"), make_model("acme/gpt-4-turbo")),
        (make_model("acme/claude-opus-5-5"), make_model("acme/claude-opus-4-1-20250805")),
        (make_model("acme/kimi-k3"), make_model("acme/kimi-k2.5")),
        (make_model("acme/chat-2026-05-01"), make_model("acme/chat-2024-05-01")),
        (make_model("acme/chat-2512"), make_model("acme/chat-2402")),
        (make_model("acme/chat-70b"), make_model("acme/chat-distill-70b")),
        (make_model("acme/thinker", parameters=("reasoning",)), make_model("acme/talker")),
        (make_model("acme/long", context=1_000_000), make_model("acme/brief", context=8_000)),
        (
            make_model("acme/wanted", *(make_offering("", make_provider(f"host-{n}")) for n in range(8))),
            make_model("acme/lonely"),
        ),
    ],
    ids=lambda model: model.id,
)  # fmt: skip
def test_better_model_has_more_points(better, worse):
    found = scored(better, worse)

    assert found[better.id].quality > found[worse.id].quality


def test_price_of_speed_buys_no_quality():
    found = scored(make_model("acme/gpt-5", usd="5"), make_model("acme/gpt-5-fast", usd="20"))

    assert found["acme/gpt-5-fast"].quality == found["acme/gpt-5"].quality
    assert found["acme/gpt-5-fast"].price == 4 * found["acme/gpt-5"].price


def test_coder_is_better_at_code_than_at_all_else():
    found = scored(make_model("acme/coder-32b"), make_model("acme/chat-32b"))

    assert found["acme/coder-32b"].code > found["acme/chat-32b"].code
    assert found["acme/coder-32b"].quality < found["acme/chat-32b"].quality


def test_small_model_is_quicker_and_one_that_thinks_slower():
    found = scored(
        make_model("acme/flash", usd="0.1"), make_model("acme/chat"), make_model("acme/chat-thinking")
    )  # fmt: skip

    assert found["acme/flash"].speed > found["acme/chat"].speed > found["acme/chat-thinking"].speed


@pytest.mark.parametrize(
    "model",
    [
        make_model("acme/nobody", context=None),
        make_model("acme/painter", gives=("text", "image")),
        make_model("acme/listener", takes=("audio",)),
        make_model("acme/chat:free"),
        make_model("acme/llama-guard-4"),
        make_model("acme/chat-uncensored"),
        make_model("acme/chat-8b-base"),
        make_model("acme/ocr-2"),
        replace(make_model("acme/away"), offerings=()),
    ],
    ids=lambda model: model.id,
)
def test_model_is_not_chosen_when_it_is_for_something_else(model):
    assert score([model]) == ()


def test_abilities_are_those_that_are_known():
    found = scored(
        make_model("acme/all", takes=("text", "image", "file"), parameters=("tool_choice", "structured_outputs", "thinking")),
        make_model("acme/unknown"),
    )  # fmt: skip

    assert found["acme/all"].can == {
        "text", "image", "file", "tools", "structured_outputs", "reasoning",
    }  # fmt: skip
    assert found["acme/unknown"].can == {"text"}


def measured(values: dict[str, float]) -> Benchmark:
    results = {name: Result(value, datetime.date(2026, 1, 1)) for name, value in values.items()}
    return Benchmark("Test", "points", "https://a.test", "MIT", "By nobody.", results)


def test_benchmark_decides_between_those_that_it_measured():
    models = [make_model(f"acme/{name}", usd=usd) for name, usd in (("a", "1"), ("b", "4"), ("c", "9"))]  # fmt: skip
    guessed = {found.model.id: found for found in score(models)}
    found = {
        one.model.id: one
        for one in score(models, benchmarks={"general": measured({"acme/a": 61.0, "acme/b": 44.5})})
    }

    assert found["acme/a"].quality == guessed["acme/b"].quality
    assert found["acme/b"].quality == guessed["acme/a"].quality
    assert found["acme/a"].source is found["acme/b"].source is ScoreSource.BENCHMARK
    assert found["acme/a"].code_source is ScoreSource.INFERRED
    assert found["acme/c"].quality == guessed["acme/c"].quality
    assert found["acme/c"].source is ScoreSource.INFERRED


def test_nothing_is_said_to_be_measured_that_is_not_in_the_file():
    assert set(BENCHMARKS) == {"general", "code"}
    assert all(
        found.source is found.code_source is ScoreSource.INFERRED
        for found in score([make_model("acme/a"), make_model("acme/b")])
    )


MEASURED = [
    (area, model_id)
    for area, benchmark in BENCHMARKS.items()
    for model_id in (benchmark.results if benchmark else ())
]


def test_every_result_is_of_a_model_in_the_seed_and_names_its_source():
    seeded = {line.id for line in read_seed()}

    assert MEASURED
    assert {model_id for _, model_id in MEASURED} <= seeded
    for benchmark in filter(None, BENCHMARKS.values()):
        assert benchmark.source.startswith("https://")
        assert benchmark.licence in {"Apache-2.0", "MIT"}
        assert benchmark.attribution in MODELS.with_name("README.md").read_text()
        assert all(0 <= result.value <= 100 for result in benchmark.results.values())
        assert all(
            result.date < datetime.date(2026, 11, 22) for result in benchmark.results.values()
        )


@pytest.mark.parametrize(("area", "model_id"), MEASURED)
def test_measured_model_tells_its_result_and_where_it_is_published(area, model_id):
    benchmark = BENCHMARKS[area]
    assert benchmark is not None

    card = model_card(make_model(model_id))

    told = ModelCard.model_validate(card).benchmarks[area]
    assert (told.source, told.licence) == (benchmark.source, benchmark.licence)
    assert told.value == benchmark.results[model_id].value
    free = make_model(f"{model_id}:free")
    assert model_card(free)["benchmarks"] == card["benchmarks"]
    assert "benchmarks" not in model_card(make_model("acme/chat"))


def test_measured_models_stand_in_the_order_of_their_results():
    found = scored(*(make_model(model_id, usd=usd) for model_id, usd in (
        ("openai/gpt-4.1-nano", "9"), ("openai/gpt-4.1", "1"), ("acme/chat", "2"),
    )))  # fmt: skip

    assert found["openai/gpt-4.1"].code > found["openai/gpt-4.1-nano"].code
    assert found["openai/gpt-4.1"].code_source is ScoreSource.BENCHMARK
    assert found["openai/gpt-4.1"].source is ScoreSource.INFERRED
    assert found["acme/chat"].code_source is ScoreSource.INFERRED
