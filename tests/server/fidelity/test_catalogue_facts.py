"""The documented tables of models: what is on offer at which context, what went when, prices."""

from datetime import date

import pytest

from tests.server.conftest import Api, datum, training_step
from tinker_mock.server.catalog import Catalog
from tinker_mock.server.catalog.prices import storage_rate, token_rate

SHORT, MIDDLE, LONG, LONGEST = 32_768, 65_536, 131_072, 262_144
NEMOTRON = "nvidia/NVIDIA-Nemotron-3"
PLAIN = {
    "thinkingmachines/Inkling": MIDDLE,
    "thinkingmachines/Inkling-Small": MIDDLE,
    f"{NEMOTRON}-Ultra-550B-A55B-BF16": MIDDLE,
    f"{NEMOTRON}-Super-120B-A12B-BF16": MIDDLE,
    f"{NEMOTRON}.5-Lightning-30B-A3B-BF16": MIDDLE,
    f"{NEMOTRON}-Nano-30B-A3B-BF16": MIDDLE,
    "Qwen/Qwen3.8-27B": MIDDLE,
    "Qwen/Qwen3.5-397B-A17B": MIDDLE,
    "Qwen/Qwen3.6-35B-A3B": MIDDLE,
    "Qwen/Qwen3.5-35B-A3B-Base": MIDDLE,
    "Qwen/Qwen3.5-9B": MIDDLE,
    "Qwen/Qwen3.5-9B-Base": MIDDLE,
    "Qwen/Qwen3.5-4B": MIDDLE,
    "Qwen/Qwen3-8B": SHORT,
    "openai/gpt-oss-20b": SHORT,
    "openai/gpt-oss-120b": SHORT,
    "deepseek-ai/DeepSeek-V3.1": SHORT,
    "moonshotai/Kimi-K2.6": SHORT,
}
VARIANTS = {
    "thinkingmachines/Inkling": LONGEST,
    "thinkingmachines/Inkling-Small": LONGEST,
    f"{NEMOTRON}-Ultra-550B-A55B-BF16": LONGEST,
    f"{NEMOTRON}-Super-120B-A12B-BF16": LONGEST,
    f"{NEMOTRON}.5-Lightning-30B-A3B-BF16": LONGEST,
    "Qwen/Qwen3.8-27B": LONGEST,
    "Qwen/Qwen3.5-397B-A17B": LONGEST,
    "openai/gpt-oss-120b": LONG,
    "moonshotai/Kimi-K2.6": LONG,
    "zai-org/GLM-5.3": LONGEST,
}
WITHOUT_VARIANTS = ("Qwen/Qwen3.5-4B", "Qwen/Qwen3.5-9B", "Qwen/Qwen3-8B")
SERVERLESS = ("thinkingmachines/Inkling", "thinkingmachines/Inkling-Small", "zai-org/GLM-5.3")


def listed(api: Api) -> dict[str, dict[str, object]]:
    told = api.get("get_server_capabilities").json()["supported_models"]
    return {row["model_name"]: row for row in told}


def test_models_are_on_offer_with_their_documented_context(api: Api) -> None:
    """Every variant is a row of its own with its own context."""
    told = {name: row["max_context_length"] for name, row in listed(api).items()}
    variants = {f"{name}:peft:{length}": length for name, length in VARIANTS.items()}
    assert {name: told.get(name) for name in PLAIN} == PLAIN
    assert {name: told.get(name) for name in variants} == variants
    assert "zai-org/GLM-5.3" not in told


def test_models_have_no_other_variants_than_the_documented(api: Api) -> None:
    for name in listed(api):
        base, _, length = name.partition(":peft:")
        assert not (length and base in WITHOUT_VARIANTS), name
        if base in VARIANTS and length:
            assert int(length.split(":")[0]) == VARIANTS[base], name


def test_three_serverless_rows_are_listed_and_for_sampling_only(api: Api) -> None:
    rows = listed(api)
    found = {name for name in rows if name.endswith(":sampling-nvfp4")}
    assert found == {f"{base}:peft:262144:sampling-nvfp4" for base in SERVERLESS}
    assert {(rows[name]["trainable"], rows[name]["sampleable"]) for name in found} == {
        (False, True)
    }


RETIRED = {
    "2026-06-12": (
        "Qwen/Qwen3.5-35B-A3B", "Qwen/Qwen3.5-27B", "Qwen/Qwen3-30B-A3B",
        "Qwen/Qwen3-30B-A3B-Instruct-2507", "Qwen/Qwen3-VL-30B-A3B-Instruct",
        "Qwen/Qwen3-30B-A3B-Base", "Qwen/Qwen3-32B", "Qwen/Qwen3-8B-Base",
        "meta-llama/Llama-3.2-1B", "meta-llama/Llama-3.2-3B", "meta-llama/Llama-3.1-8B",
        "meta-llama/Llama-3.1-8B-Instruct", "meta-llama/Llama-3.1-70B",
        "meta-llama/Llama-3.3-70B-Instruct", "moonshotai/Kimi-K2-Thinking",
        "deepseek-ai/DeepSeek-V3.1-Base",
    ),
    "2026-07-12": ("moonshotai/Kimi-K2.5",),
    "2026-09-02": ("Qwen/Qwen3.6-27B",),
}  # fmt: skip


@pytest.mark.parametrize("day", RETIRED)
def test_models_were_retired_on_the_documented_days(day: str) -> None:
    gone = date.fromisoformat(day)
    for name in RETIRED[day]:
        assert Catalog.load().get(name).retired == gone, name
    later = Catalog.load(today=lambda: gone)
    assert not set(RETIRED[day]) & {row.name for row in later.on_offer()}


REPLACEMENTS = {
    "2026-06-12": {
        "Qwen/Qwen3.5-35B-A3B": "Qwen/Qwen3.6-35B-A3B",
        "Qwen/Qwen3.5-27B": "Qwen/Qwen3.6-27B",
        "Qwen/Qwen3-30B-A3B": "Qwen/Qwen3.6-35B-A3B",
        "Qwen/Qwen3-30B-A3B-Instruct-2507": "Qwen/Qwen3.6-35B-A3B",
    },
    "2026-09-02": {"Qwen/Qwen3.6-27B": "Qwen/Qwen3.8-27B"},
}


@pytest.mark.parametrize("day", REPLACEMENTS)
def test_a_retired_model_names_its_documented_replacement(day: str) -> None:
    catalog = Catalog.load(today=lambda: date.fromisoformat(day))
    told = {name: catalog.replacement_of(catalog.get(name)) for name in REPLACEMENTS[day]}
    assert told == REPLACEMENTS[day]


PRICES = {
    "Qwen/Qwen3-8B": (0.195, 0.60, 0.44),
    "Qwen/Qwen3.5-4B": (0.33, 1.005, 0.737),
    "Qwen/Qwen3.5-9B": (0.66, 1.995, 1.463),
    "openai/gpt-oss-20b": (0.18, 0.45, 0.396),
    "openai/gpt-oss-120b": (0.33, 0.84, 0.737),
    "thinkingmachines/Inkling": (1.87, 4.68, 5.61),
    "Qwen/Qwen3.6-35B-A3B": (0.54, 1.335, 1.177),
}


@pytest.mark.parametrize("name", PRICES)
def test_tokens_cost_what_the_table_says_since_july(name: str) -> None:
    kinds = ("sampling_prefill", "sampling_sample", "training")
    assert tuple(token_rate(name, kind) for kind in kinds) == PRICES[name]
    cached = token_rate(name, "sampling_prefill", cached=True)
    assert cached == pytest.approx(0.2 * PRICES[name][0])
    assert storage_rate() == 0.10


def test_training_knows_the_documented_context(api: Api) -> None:
    """A sequence as long as the context trains; one token more is refused with both numbers."""
    model = api.model(base_model="openai/gpt-oss-20b")
    fits, beyond = datum([7] * (SHORT + 1)), datum([7] * (SHORT + 2))
    refused = api.post("forward_backward", training_step(model, 1, beyond))
    assert refused.status_code == 400
    assert f"sequence length {SHORT + 1} exceeds max sequence length {SHORT}" in refused.text
    assert "metrics" in api.done("forward_backward", training_step(model, 2, fits))
