"""The catalogue: the real service's names, a user's own, and names that nearly fit."""

from datetime import date
from pathlib import Path

import orjson
import pytest

from tinker_mock.server.cache_folder import digest_of
from tinker_mock.server.catalog import Catalog, shipped
from tinker_mock.server.errors import BadRequest, ConfigurationError

FAMILIES = {
    "Qwen/Qwen3-8B": (151936, 151669, (151645,)),
    "Qwen/Qwen3-8B-Base": (151936, 151669, (151643,)),
    "meta-llama/Llama-3.1-8B-Instruct": (128256, 128256, (128009,)),
    "openai/gpt-oss-20b": (201088, 200019, (200002,)),
    "moonshotai/Kimi-K2-Thinking": (163840, 163840, (163586,)),
    "Qwen/Qwen3.5-9B": (248320, 248077, (248046,)),
    "thinkingmachines/Inkling": (201088, 200058, (200006,)),
}


@pytest.mark.parametrize("name", FAMILIES)
def test_sizes_and_ends_of_turns(name: str) -> None:
    model = Catalog.load().get(name)
    told = (model.vocabulary_size, model.tokenizer_size, model.end_tokens)
    assert told == FAMILIES[name]


def test_every_model_is_consistent() -> None:
    for model in Catalog.load().models.values():
        assert model.tokenizer_size <= model.vocabulary_size, model.name
        special = model.end_tokens + model.thinking + model.turn_prefix + model.special_tokens
        assert all(0 <= token < model.tokenizer_size for token in special), model.name
        assert model.chat or not model.thinking


def test_a_variant_is_a_row_of_its_own_with_the_weights_of_its_base() -> None:
    catalog = Catalog.load()
    plain = catalog.get("moonshotai/Kimi-K2.6")
    longer = catalog.get("moonshotai/Kimi-K2.6:peft:131072")
    assert (plain.context_length, longer.context_length) == (32768, 131072)
    assert plain.base == longer.base == "moonshotai/Kimi-K2.6"
    assert longer.trainable


def test_only_listed_variants_exist() -> None:
    for name in ("Qwen/Qwen3-8B:peft:131072", "moonshotai/Kimi-K2.6:peft:131071"):
        with pytest.raises(BadRequest, match="unknown base model"):
            Catalog.load().get(name)


def test_some_models_are_on_offer_as_a_variant_only() -> None:
    with pytest.raises(BadRequest) as refusal:
        Catalog.load().get("zai-org/GLM-5.3")
    assert refusal.value.details["close_matches"][0] == "zai-org/GLM-5.3:peft:262144"


def test_a_serverless_row_is_for_sampling() -> None:
    row = Catalog.load().get("thinkingmachines/Inkling:peft:262144:sampling-nvfp4")
    assert (row.context_length, row.trainable, row.sampleable) == (262144, False, True)


def catalog_of(day: str) -> Catalog:
    return Catalog.load(today=lambda: date.fromisoformat(day))


def test_a_retired_model_is_refused_from_its_day_on_and_names_what_to_use() -> None:
    name = "moonshotai/Kimi-K2.5"
    assert catalog_of("2026-07-11").offered(name).name == name
    with pytest.raises(BadRequest, match="retired on 2026-07-12") as refusal:
        catalog_of("2026-07-12").offered(name)
    assert "moonshotai/Kimi-K2.6" in refusal.value.fix
    assert name not in {row.name for row in catalog_of("2026-07-12").on_offer()}
    assert Catalog.load().offered(name).name == name


def test_a_replacement_that_is_retired_too_names_its_own() -> None:
    name = "Qwen/Qwen3.5-27B"
    for day, wanted in (("2026-06-12", "Qwen/Qwen3.6-27B"), ("2026-09-02", "Qwen/Qwen3.8-27B")):
        with pytest.raises(BadRequest) as refusal:
            catalog_of(day).offered(name)
        assert refusal.value.details["replacement"] == wanted


def test_every_retired_model_leads_to_one_on_offer() -> None:
    catalog = catalog_of("2026-11-28")
    retired = [model for model in catalog.models.values() if model.retired]
    first = [model for model in retired if str(model.retired) == "2026-06-12"]
    assert len(first) == 22
    names = {row.name for row in catalog.on_offer()}
    assert {catalog.replacement_of(model) for model in retired} <= names


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [("Qwen/Qwen3-8", "Qwen/Qwen3-8B"), ("gpt-oss-20", "openai/gpt-oss-20b")],
)
def test_near_misses_are_named(wrong: str, meant: str) -> None:
    with pytest.raises(BadRequest) as refusal:
        Catalog.load().get(wrong)
    assert refusal.value.details["close_matches"][0] == meant
    assert meant in refusal.value.fix


def test_own_models_join_and_replace(tmp_path: Path) -> None:
    file = tmp_path / "models.yaml"
    file.write_text(
        "models:\n"
        "  me/tiny: {vocabulary_size: 64, context_length: 32, end_tokens: [1],"
        " tokenizer_id: /some/directory}\n"
        "  Qwen/Qwen3-8B: {family: qwen3, context_length: 99}\n"
    )
    catalog = Catalog.load(file)
    assert catalog.get("me/tiny").tokenizer_size == 64
    assert catalog.get("me/tiny").tokenizer_id == "/some/directory"
    assert catalog.get("Qwen/Qwen3-8B").context_length == 99
    assert "Qwen/Qwen3-32B" in catalog.models


def test_an_own_model_that_replaces_a_shipped_one_replaces_its_variants(tmp_path: Path) -> None:
    file = tmp_path / "models.yaml"
    file.write_text("models:\n  moonshotai/Kimi-K2.6: {family: qwen3, variants: ['peft:99']}\n")
    rows = {row.name for row in Catalog.load(file).rows_of("moonshotai/Kimi-K2.6")}
    assert rows == {"moonshotai/Kimi-K2.6", "moonshotai/Kimi-K2.6:peft:99"}


WRONG = {
    "models:\n  a/b: {family: qwen3, variants: [long]}": "variant 'long'",
    "models:\n  a/b: {family: qwen3, retired: soon}": "retired must be a date",
    "models:\n  a/b: {family: qwen3, architecture: 3}": "architecture must be a mapping",
    "models:\n  a/b: {family: nobody}": "unknown family 'nobody'",
    "models:\n  a/b: {context_length: 3, end_tokens: [1]}": "vocabulary_size",
    "models:\n  a/b: {family: qwen3, colour: red}": "colour",
    "models: 3": "expected a mapping",
    "models: [": "models.yaml",
}


@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_file_is_refused_with_its_place(text: str, tmp_path: Path) -> None:
    file = tmp_path / "models.yaml"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=WRONG[text]):
        Catalog.load(file)


@pytest.mark.parametrize(
    "text", ["[" * 50_000, "{a: " * 30_000, "a: 2001-99-99", "a: " + "9" * 5000]
)
def test_a_file_that_no_reader_can_hold_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "models.yaml"
    file.write_text(text, "utf-8")
    with pytest.raises(ConfigurationError, match=r"models\.yaml: "):
        Catalog.load(file)


def test_the_bundle_is_in_step_with_the_yaml() -> None:
    """`make contract` renews it; a stale one is passed over, so only a start would take longer."""
    kept = orjson.loads(shipped.BUNDLE.read_bytes())
    assert kept.pop("digest") == digest_of(shipped.MODELS, shipped.ARCHITECTURES)
    assert shipped.shipped_document().keys() - {"digest"} == kept.keys()
    for part, told in shipped.parsed().items():
        assert shipped.shipped_document()[part] == told
