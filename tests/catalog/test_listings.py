"""The lists of models: an entry of each provider that names prices, and what is left out of any."""

import json
from decimal import Decimal

import pytest

from apps.catalog.models import AMOUNTS
from apps.catalog.providers.amounts import nano_amounts
from apps.catalog.providers.listed import Listing, Paging, read_models
from apps.catalog.providers.listings import LISTINGS, listing_of
from apps.catalog.providers.registry import PROVIDERS

USD = 1_000_000_000


def read(slug, text):
    """What the row makes of one entry, parsed as the refresh parses it: numbers with a point are Decimal."""
    return list(read_models(LISTINGS[slug], json.loads(text, parse_float=Decimal)))


ENTRIES = [
    (
        "openrouter",
        """{"id": "qwen/qwen3-8b", "name": "Qwen3 8B", "context_length": 40960,
        "architecture": {"input_modalities": ["text", "image"], "output_modalities": ["text"]},
        "top_provider": {"max_completion_tokens": 20000}, "supported_parameters": ["tools"],
        "pricing": {"prompt": "3e-07", "completion": "0.0000015", "request": "0", "image": "0",
        "input_cache_read": "0.00000003"}}""",
        "qwen/qwen3-8b",
        {"input": 300_000_000, "output": 1_500_000_000, "cache_read": 30_000_000},
    ),
    (
        "together",
        """{"id": "Qwen/Qwen2.5-7B-Instruct-Turbo", "type": "chat", "context_length": 32768,
        "pricing": {"input": 0.3, "output": 0.3, "hourly": 0, "base": 0, "finetune": 0}}""",
        "Qwen/Qwen2.5-7B-Instruct-Turbo",
        {"input": 300_000_000, "output": 300_000_000},
    ),
    (
        "deepinfra",
        """{"model_name": "deepseek-ai/DeepSeek-V3", "reported_type": "text-generation", "max_tokens": 163840,
        "deprecated": null, "pricing": {"type": "tokens", "cents_per_input_token": 0.000032,
        "cents_per_output_token": 0.000089}}""",
        "deepseek-ai/DeepSeek-V3",
        {"input": 320_000_000, "output": 890_000_000},
    ),
    (
        "deepinfra",
        """{"model_name": "stabilityai/sd3.5", "reported_type": "text-to-image",
        "pricing": {"type": "image_units", "cents_per_image_unit": 3.5}}""",
        "stabilityai/sd3.5",
        {"images": 35_000_000},
    ),
    (
        "near",
        """{"modelId": "zai-org/GLM-5.1-FP8", "inputCostPerToken": {"amount": 850, "scale": 9, "currency": "USD"},
        "outputCostPerToken": {"amount": 3300, "scale": 9}, "metadata": {"contextLength": 202752,
        "modelDisplayName": "GLM 5.1", "architecture": {"inputModalities": ["text"], "outputModalities": ["text"]}}}""",
        "zai-org/GLM-5.1-FP8",
        {"input": 850_000_000, "output": 3_300_000_000},
    ),
    (
        "xai",
        """{"id": "grok-4-0709", "aliases": ["grok-4", "grok-4-latest"], "input_modalities": ["text", "image"],
        "output_modalities": ["text"], "prompt_text_token_price": 30000, "cached_prompt_text_token_price": 7500,
        "completion_text_token_price": 150000}""",
        "grok-4-0709",
        {"input": 3 * USD, "output": 15 * USD, "cache_read": 750_000_000},
    ),
    (
        "novita",
        """{"id": "novita/deepseek/deepseek-v3", "model_type": "chat", "context_size": 64000,
        "input_token_price_per_m": 4000, "output_token_price_per_m": 13000}""",
        "deepseek/deepseek-v3",
        {"input": 400_000_000, "output": 1_300_000_000},
    ),
    (
        "vercel-ai-gateway",
        """{"id": "openai/text-embedding-3-small", "type": "embedding", "context_window": 8192,
        "pricing": {"input": "0.00000002", "output": "0"}}""",
        "openai/text-embedding-3-small",
        {"input": 20_000_000, "output": 0},
    ),
    (
        "aihubmix",
        """{"model_id": "gpt-5", "types": "llm", "context_length": 400000,
        "pricing": {"input": 1.25, "output": 10, "cache_read": 0.125}}""",
        "gpt-5",
        {"input": 1_250_000_000, "output": 10 * USD, "cache_read": 125_000_000},
    ),
    (
        "nebius",
        '{"id": "Qwen/Qwen3-32B", "pricing": {"prompt": "0.0000001", "completion": "3e-7"}}',
        "Qwen/Qwen3-32B",
        {"input": 100_000_000, "output": 300_000_000},
    ),
    (
        "chutes",
        """{"id": "moonshotai/Kimi-K2", "price": {"input": {"usd": 0.14}, "output": {"usd": 2.49}},
        "pricing_per_hour": 12}""",
        "moonshotai/Kimi-K2",
        {"input": 140_000_000, "output": 2_490_000_000},
    ),
    (
        "cloudflare-workers-ai",
        """{"name": "@cf/meta/llama-3.1-8b-instruct", "task": {"name": "Text Generation"}, "properties": [
        {"property_id": "context_window", "value": "7968"}, {"property_id": "price", "value": [
        {"unit": "per M input tokens", "price": 0.282, "currency": "USD"},
        {"unit": "per M output tokens", "price": 0.827, "currency": "USD"}]}]}""",
        "@cf/meta/llama-3.1-8b-instruct",
        {"input": 282_000_000, "output": 827_000_000},
    ),
    (
        "helicone",
        """{"id": "gpt-4o", "name": "GPT-4o", "endpoints": [{"pricing": {"prompt": 2.5, "completion": 10}},
        {"pricing": {"prompt": 2.75, "completion": 9, "cacheRead": 1.25}}]}""",
        "gpt-4o",
        {"input": 2_750_000_000, "output": 10 * USD, "cache_read": 1_250_000_000},
    ),
    (
        "onerouter",
        """{"invoke_name": "gpt-4o@2024-11-20", "retail_input_cost": "$1,234.5", "retail_output_cost": "$2",
        "input_token_limit": "128,000", "input_modalities": "Text, Images"}""",
        "gpt-4o@2024-11-20",
        {"input": 1_234_500_000_000, "output": 2 * USD},
    ),
    (
        "aimo",
        """{"name": "qwen3-8b", "display_name": "Qwen3 8B",
        "providers": [{"id": "8W7X", "name": "A", "pricing": {"prompt": "0.1", "completion": "0.2"}}]}""",
        "8W7X:qwen3-8b",
        {"input": 100_000_000, "output": 200_000_000},
    ),
    (
        "sybil",
        '{"id": "m/x", "pricing": {"prompt": "1e-6", "completion": 0.000002}, "capabilities": {"context_length": 9}}',
        "m/x",
        {"input": USD, "output": 2 * USD},
    ),
    (
        "requesty",
        """{"id": "anthropic/claude-3-7-sonnet-latest", "input_price": 0.000003, "caching_price": 0.00000375,
        "cached_price": 3e-7, "output_price": 0.000015, "max_output_tokens": 8192, "context_window": 200000}""",
        "anthropic/claude-3-7-sonnet-latest",
        {"input": 3 * USD, "output": 15 * USD, "cache_read": 300_000_000, "cache_write_5m": 3_750_000_000},
    ),
    (
        "kilo",
        """{"id": "deepseek/deepseek-v4-pro", "context_length": 1000000, "isFree": false,
        "pricing": {"prompt": "0.000000435", "completion": "0.00000087", "request": "0"}}""",
        "deepseek/deepseek-v4-pro",
        {"input": 435_000_000, "output": 870_000_000},
    ),
    (
        "llmgateway",
        """{"id": "gpt-5-mini", "context_length": 400000, "pricing": {"prompt": "2.5e-7", "completion": "0.000002",
        "image": "0", "request": "0", "input_cache_read": "2.5e-8"}}""",
        "gpt-5-mini",
        {"input": 250_000_000, "output": 2 * USD, "cache_read": 25_000_000},
    ),
    (
        "fireworks",
        """{"id": "accounts/fireworks/models/glm-5p3", "context_length": 202752,
        "pricing": {"cents_per_input_token": 0.00006, "cents_per_output_token": 0.00022}}""",
        "accounts/fireworks/models/glm-5p3",
        {"input": 600_000_000, "output": 2_200_000_000},
    ),
    (
        "groq",
        """{"id": "openai/gpt-oss-120b", "active": true, "context_window": 131072,
        "pricing": {"cents_per_input_token": 0.000015, "cents_per_output_token": 0.00006}}""",
        "openai/gpt-oss-120b",
        {"input": 150_000_000, "output": 600_000_000},
    ),
    (
        "venice",
        """{"id": "llama-3.2-3b", "type": "text", "model_spec": {"availableContextTokens": 131072, "name": "Llama 3.2 3B",
        "offline": false, "pricing": {"input": {"usd": 0.15, "diem": 0.15}, "output": {"usd": 0.6, "diem": 0.6}}}}""",
        "llama-3.2-3b",
        {"input": 150_000_000, "output": 600_000_000},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("slug", "text", "upstream_model", "amounts"), ENTRIES)
def test_entry_is_read_when_the_row_says_how(slug, text, upstream_model, amounts):
    (model,) = read(slug, text)

    assert model.left_out == ""
    assert model.upstream_model == upstream_model
    assert nano_amounts(model.prices) == amounts


def test_facts_are_read_when_the_list_has_them():
    (model,) = read("openrouter", ENTRIES[0][1])
    (infron,) = read("onerouter", ENTRIES[13][1])
    (grok,) = read("xai", ENTRIES[5][1])

    assert (model.name, model.context_length, model.max_output_tokens) == (
        "Qwen3 8B",
        40960,
        20000,
    )
    assert (model.input_modalities, model.output_modalities) == (("text", "image"), ("text",))
    assert model.supported_parameters == ("tools",)
    assert (infron.context_length, infron.input_modalities) == (128000, ("text", "images"))
    assert grok.also == ("grok-4", "grok-4-latest")


def test_each_host_is_a_model_of_its_own_when_a_router_lists_several():
    found = read(
        "huggingface",
        """{"id": "Qwen/Qwen3-8B", "providers": [
        {"provider": "novita", "status": "live", "context_length": 9, "pricing": {"input": 0.1, "output": 0.2}},
        {"provider": "groq", "status": "staging"}, {"provider": "nscale", "status": "live"}]}""",
    )

    assert [(model.upstream_model, bool(model.prices)) for model in found] == [
        ("Qwen/Qwen3-8B:novita", True),
        ("Qwen/Qwen3-8B:nscale", False),
    ]


@pytest.mark.parametrize(
    ("slug", "text", "reason"),
    [
        ("openai", '{"id": "babbage-002"}', "not among what we take from this list"),
        ("featherless", '{"id": "x/Llama-3-8B-GGUF"}', "the row skips it"),
        ("featherless", '{"id": "x/model-Q4_K_M"}', "the row skips it"),
        ("featherless", '{"id": "x/model-4.0bpw-exl2"}', "the row skips it"),
        ("groq", '{"id": "m", "active": false}', "its active is not one that we take"),
        ("openai", '{"id": "gpt-realtime"}', "makes something that we do not pass on"),
        ("fal", '{"endpoint_id": "fal-ai/kling", "metadata": {"category": "text-to-video"}}', "makes something that we do not pass on"),
        ("deepinfra", '{"model_name": "m", "deprecated": 1735689600, "replaced_by": "n"}', "deprecated"),
        ("openrouter", '{"id": "m/x", "pricing": {"prompt": "-1", "completion": "-1"}}', "priced by what it is asked"),
    ],
)  # fmt: skip
def test_entry_is_left_out_when_we_cannot_offer_it(slug, text, reason):
    assert [model.left_out for model in read(slug, text)] == [reason]


@pytest.mark.parametrize(
    ("slug", "text"),
    [
        ("openai", '{"id": "gpt-4o"}'),
        ("together", '{"id": "m/x", "type": "chat", "pricing": {"input": 0, "output": 0}}'),
        ("openrouter", '{"id": "m/x", "pricing": {"prompt": null, "completion": "0.1"}}'),
        ("openrouter", '{"id": "m/x", "pricing": {"prompt": "3", "completion": "3"}}'),
        ("chutes", '{"id": "m/x", "pricing_per_hour": 2}'),
        ("deepinfra", '{"model_name": "m", "type": "text-generation", "pricing": {"cents_per_input_sec": 1}}'),
    ],
)  # fmt: skip
def test_entry_has_no_price_when_the_list_has_none_that_we_bill_by(slug, text):
    (model,) = read(slug, text)

    assert (model.left_out, model.prices) == ("", ())


def test_nothing_is_a_price_when_the_row_says_that_nought_is_meant():
    (model,) = read(
        "openrouter", '{"id": "m/x:free", "pricing": {"prompt": "0", "completion": "0"}}'
    )

    assert nano_amounts(model.prices) == {"input": 0, "output": 0}


@pytest.mark.parametrize(
    ("upstream_model", "kind", "output"),
    [
        ("text-embedding-3-large", "", ("embeddings",)),
        ("whisper-large-v3", "", ("transcription",)),
        ("gpt-4o-mini-tts", "", ("speech",)),
        ("omni-moderation-latest", "", ("moderation",)),
        ("dall-e-3", "", ("image",)),
        ("rerank-v3.5", "", ("rerank",)),
        ("gpt-4o", "", ("text",)),
        ("x", "automatic-speech-recognition", ("transcription",)),
    ],
)
def test_kind_is_known_when_listed_or_named(upstream_model, kind, output):
    (model,) = read_models(Listing(), {"id": upstream_model, "type": kind})

    assert model.output_modalities == output


@pytest.mark.parametrize("entry", ["text", None, 3, {}, {"id": ""}, {"id": "two words"}])
def test_nothing_is_read_when_it_is_no_entry(entry):
    assert list(read_models(Listing(), entry)) == []


def test_float_is_refused_when_a_list_was_parsed_wrongly():
    with pytest.raises(TypeError):
        list(
            read_models(LISTINGS["together"], {"id": "m", "pricing": {"input": 0.1, "output": 0.2}})
        )


def test_every_provider_has_a_list_or_says_why_not():
    outside = {slug for slug, spec in PROVIDERS.items() if not spec.is_sandbox}

    assert set(LISTINGS) == outside
    assert list(LISTINGS) == sorted(LISTINGS)


def shape(listing):
    """What an entry's prices look like: where they are and in which units."""
    return frozenset((field.bucket, field.paths, field.unit) for field in listing.prices)


def test_every_shape_of_prices_has_an_entry_here():
    shown = {shape(LISTINGS[slug]) for slug, *_ in ENTRIES} | {shape(LISTINGS["huggingface"])}

    missing = {
        slug for slug, listing in LISTINGS.items() if listing.prices and shape(listing) not in shown
    }

    assert missing == set()


@pytest.mark.parametrize(
    "slug", [slug for slug, row in LISTINGS.items() if not (row.why_none or row.prices or row.keep != ("*",))]
)  # fmt: skip
def test_list_of_names_tells_what_is_served_and_no_price(slug):
    listing = LISTINGS[slug]
    entry = {listing.ids[0].split(".")[0]: "Org/Model-1", "id": "Org/Model-1", "object": "model"}

    found = [model for model in read_models(listing, entry) if not model.left_out]

    assert [(model.upstream_model, model.prices) for model in found] == [("Org/Model-1", ())]


@pytest.mark.parametrize("slug", LISTINGS)
def test_row_is_whole_when_read(slug):
    listing = LISTINGS[slug]

    assert listing.docs.startswith("https://")
    assert (listing_of(slug) is None) == bool(listing.why_none)
    assert listing.url.startswith(("/", "https://"))
    assert {field.bucket for field in listing.prices} <= set(AMOUNTS)
    assert listing.expected >= 1
    if listing.pages.style in {Paging.AFTER_ID, Paging.NUMBERED, Paging.TOKEN}:
        assert listing.pages.parameter
    assert (listing.pages.style is Paging.TOKEN) == bool(listing.pages.token)
