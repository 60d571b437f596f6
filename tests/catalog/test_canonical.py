"""Canonical ids: real names at real hosts (canonical_pairs.tsv), and what the rules may never do."""

import csv
from collections import defaultdict
from pathlib import Path

import pytest

from apps.catalog.providers.canonical import (
    HOSTS,
    NAMES,
    ORGANIZATIONS,
    Canonical,
    at_vendor,
    canonicalize,
    is_guest,
    same_model_key,
    vendors_by_name,
)

with (Path(__file__).parent / "canonical_pairs.tsv").open() as file:
    PAIRS = list(csv.DictReader(file, delimiter="\t"))


def test_there_are_enough_pairs_when_counted():
    assert len(PAIRS) >= 150
    assert len({pair["provider"] for pair in PAIRS}) >= 25


@pytest.mark.parametrize(
    "pair", PAIRS, ids=lambda pair: f"{pair['provider']} {pair['upstream_model']}"
)
def test_name_at_a_host_is_one_model_when_resolved(pair):
    found = canonicalize(pair["provider"], pair["upstream_model"])

    assert found == Canonical(pair["id"], pair["variant"], pair["quantization"])


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair["id"])
def test_id_stays_when_resolved_again(pair):
    assert canonicalize("", pair["id"]).id == pair["id"]


def test_one_model_has_many_hosts_when_they_spell_it_differently():
    spelled = [
        ("fireworks", "accounts/fireworks/models/llama-v3p1-70b-instruct"),
        ("together", "meta-llama/Meta-Llama-3.1-70B-Instruct-Turbo"),
        ("aws-bedrock", "us.meta.llama3-1-70b-instruct-v1:0"),
        ("cloudflare-workers-ai", "@cf/meta/llama-3.1-70b-instruct"),
        ("vercel-ai-gateway", "meta/llama-3.1-70b"),
        ("deepinfra", "meta-llama/Meta-Llama-3.1-70B-Instruct"),
    ]

    assert {canonicalize(*name).id for name in spelled} == {"meta-llama/llama-3.1-70b-instruct"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("openai", "gpt-4o-2024-08-06"), ("openai", "gpt-4o-2024-11-20")),
        (("openai", "gpt-4-turbo"), ("openai", "gpt-4")),
        (("aws-bedrock", "anthropic.claude-3-5-sonnet-20240620-v1:0"), ("aws-bedrock", "anthropic.claude-3-5-sonnet-20241022-v2:0")),
        (("aws-bedrock", "amazon.titan-embed-text-v1"), ("aws-bedrock", "amazon.titan-embed-text-v2:0")),
        (("deepinfra", "meta-llama/Llama-3.1-70B"), ("deepinfra", "meta-llama/Llama-3.1-70B-Instruct")),
        (("deepseek", "deepseek-chat"), ("deepinfra", "deepseek-ai/DeepSeek-V3")),
        (("openrouter", "moonshotai/kimi-k2-0905"), ("openrouter", "moonshotai/kimi-k2")),
        (("openrouter", "qwen/qwen3-8b"), ("openrouter", "qwen/qwen3.8-27b")),
    ],
)  # fmt: skip
def test_different_models_stay_apart_when_their_names_are_alike(one, other):
    assert same_model_key(canonicalize(*one).id) != same_model_key(canonicalize(*other).id)


def test_provider_names_the_owner_when_nothing_else_does():
    assert canonicalize("groq", "compound", "groq").id == "groq/compound"
    assert canonicalize("openrouter", "nobody-knows-7b").id == ""


def test_no_spelling_means_two_organisations_when_compared():
    meant = defaultdict(set)
    for organization, spellings in NAMES["organizations"].items():
        for spelling in (organization, *spellings):
            meant[spelling.lower()].add(organization)

    assert {spelling for spelling, found in meant.items() if len(found) > 1} == set()
    assert set(ORGANIZATIONS) == set(meant)


@pytest.mark.parametrize(
    ("provider", "name", "vendor"),
    [
        ("perplexity", "perplexity/kimi-k3", "moonshotai"),
        ("perplexity", "perplexity/nemotron-3.5-super-120b-a12b", "nvidia"),
        ("perplexity", "perplexity/sonar-pro", "perplexity"),
        ("perplexity", "r1-1776", "perplexity"),
        ("vultr", "nvidia/DeepSeek-V3.2-NVFP4", "deepseek"),
        ("evroc", "nvidia/Llama-3.3-70B-Instruct-FP8", "meta-llama"),
        ("nvidia", "nvidia/llama-3.3-nemotron-super-49b-v1", "nvidia"),
        ("nvidia", "nvidia/llama-3.2-nv-embedqa-1b-v2", "nvidia"),
        ("nvidia", "nvidia/llama3-chatqa-1.5-70b", "nvidia"),
        ("fireworks", "accounts/fireworks/models/yi-large", "01-ai"),
        ("fireworks", "accounts/fireworks/models/firefunction-v2", "fireworks"),
        ("openrouter", "fireworks/ember-1", "fireworks"),
        ("stackit", "cortecs/Llama-3.3-70B-Instruct-FP8-Dynamic", "meta-llama"),
        ("nano-gpt", "unsloth/gemma-3-27b-it", "google"),
        ("io-net", "Intel/Qwen3-Coder-480B-A35B-Instruct-int4-mixed-ar", "qwen"),
        ("huggingface", "alpindale/WizardLM-2-8x22B:novita", "microsoft"),
        ("together", "together/Tev1-4B-experimental", "together"),
        ("zenmux", "azure/gpt-5", "openai"),
    ],
)
def test_vendor_is_who_made_the_model_when_a_host_stands_before_its_name(provider, name, vendor):
    assert canonicalize(provider, name).id.partition("/")[0] == vendor


def test_every_host_says_why_and_is_spelled_as_organisations_are_when_read():
    for organization, host in NAMES["hosts"].items():
        assert ORGANIZATIONS.get(organization, organization) == organization
        assert host["reason"], organization
        assert len(host["reason"]) > 20
    assert not is_guest("openai/gpt-5")
    assert {"perplexity", "nvidia", "fireworks", "cortecs", "fal-ai"} <= set(HOSTS)


def test_other_entries_say_whose_a_model_is_when_a_host_stands_before_its_name():
    vendors = vendors_by_name(["acme/Large-2.0", "unsloth/large-2-0", "acme/small", "other/small"])

    assert at_vendor("fireworks/large-2.0", vendors) == "acme/large-2.0"
    # Two vendors have a model of this name: nobody knows which is meant.
    assert at_vendor("fireworks/small", vendors) == "fireworks/small"
    assert at_vendor("fireworks/firefunction-v2", {"firefunction-v2": "acme"}) == "fireworks/firefunction-v2"  # fmt: skip
    assert at_vendor("other/large-2.0", vendors) == "other/large-2.0"
