"""Which tokenizer a model on offer has on this machine."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tinker_mock.server.tokenizers import own_tokenizer

FIXTURES = Path(__file__).parents[2] / "fixtures" / "tokenizers"


@dataclass(frozen=True)
class Model:
    name: str = "moonshotai/Kimi-K2-Thinking"
    family: str = "kimi_k2_thinking"
    tokenizer_id: str = "moonshotai/Kimi-K2-Thinking"
    tokenizer_size: int = 856


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TINKER_MOCK_TOKENIZERS", str(tmp_path))
    return tmp_path


def keep(directory: Path, name: str, fixture: str = "kimi_small") -> None:
    shutil.copytree(FIXTURES / fixture, directory / name)


@pytest.mark.parametrize(
    "name",
    ["moonshotai__Kimi-K2-Thinking", "Kimi-K2-Thinking", "kimi_k2_thinking", "kimi_k2", "kimi"],
)
def test_by_id_by_name_or_by_family(directory: Path, name: str) -> None:
    keep(directory, name)
    found = own_tokenizer(Model())
    assert found is not None
    assert (found.name, found.vocab_size) == (name, 856)


def test_the_models_own_directory_goes_before_its_familys(directory: Path) -> None:
    keep(directory, "kimi_k2")
    keep(directory, "Kimi-K2-Thinking", "bytelevel_small")
    found = own_tokenizer(replace(Model(), tokenizer_size=603))
    assert found is not None
    assert found.name == "Kimi-K2-Thinking"


@pytest.mark.parametrize(
    ("name", "style"),
    [
        ("moonshotai/Kimi-K2-Instruct", "instruct"),
        ("moonshotai/Kimi-K2-Thinking", "thinking"),
        ("moonshotai/Kimi-K2.5", "k25"),
    ],
)
def test_kimi_models_share_ranks_but_not_special_tokens(
    directory: Path, name: str, style: str
) -> None:
    keep(directory, "kimi_k2")
    found = own_tokenizer(Model(name, "kimi_k2", name))
    assert found is not None
    assert found.chat_template is not None
    assert found.chat_template.origin.endswith(f":{style}")
    assert (found.token_to_id("<think>") is None) == (style == "instruct")


def test_a_tokenizer_of_another_size_is_not_the_models(directory: Path) -> None:
    keep(directory, "kimi_k2")
    assert own_tokenizer(replace(Model(), tokenizer_size=163_840)) is None


def test_a_local_path_as_tokenizer_id(directory: Path) -> None:
    path = str(FIXTURES / "bytelevel_small")
    found = own_tokenizer(Model("local/model", "", path, 603))
    assert found is not None
    assert found is own_tokenizer(Model("local/other", "", path, 603))


def test_shipped_tokenizers_are_found_by_family(directory: Path) -> None:
    found = own_tokenizer(Model("tiny/model", "bytelevel_small", "tiny/model", 603))
    assert found is not None


def test_nothing_is_downloaded_unasked(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise AssertionError("a network access")

    monkeypatch.setattr("tinker_mock.tokenizer.hub._download", refuse)
    assert own_tokenizer(Model("org/unheard-of", "", "org/unheard-of", 7)) is None


def test_a_tokenizer_that_appears_later_is_found(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the directory of tokenizers, and in the hub's cache, file by file."""
    monkeypatch.setenv("HF_HOME", str(directory / "home"))
    model = Model("org/late", "", "org/late", 603)
    assert own_tokenizer(model) is None
    snapshot = directory / "home" / "hub" / "models--org--late" / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    assert own_tokenizer(model) is None
    for file in (FIXTURES / "bytelevel_small").iterdir():
        shutil.copy(file, snapshot)
    refs = snapshot.parents[1] / "refs"
    refs.mkdir()
    (refs / "main").write_text("0" * 40)
    found = own_tokenizer(model)
    assert found is not None
    assert found.vocab_size == 603
    shutil.rmtree(directory / "home")
    assert own_tokenizer(model) is None
    keep(directory, "late", "bytelevel_small")
    assert own_tokenizer(model) is not None
