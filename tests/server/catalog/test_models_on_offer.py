"""The catalogue: the real service's names, a user's own, and names that nearly fit."""

from pathlib import Path

import pytest

from tinker_mock.server.catalog import Catalog
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


def test_a_peft_suffix_means_the_same_base() -> None:
    assert Catalog.load().get("Qwen/Qwen3-8B:peft:3").name == "Qwen/Qwen3-8B"


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


WRONG = {
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
