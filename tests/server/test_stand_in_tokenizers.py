"""Stand-ins read every text back, have the families' marks, and are what Hugging Face loads."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer as Backend

from tinker_mock.server.catalog import Catalog, CatalogModel
from tinker_mock.server.stand_in import StandInTokenizer, stand_in_folder, vocabulary_of
from tinker_mock.server.stand_in.hub_cache import install
from tinker_mock.server.tokenizers import folder_of, own_tokenizer, stop_decoder, tokenizer_for

CATALOG = Catalog.load()
FAMILIES = {model.family: model for model in CATALOG.models.values()}
QWEN = CATALOG.get("Qwen/Qwen3-8B")
TOKENIZER = StandInTokenizer("x", vocabulary_of(QWEN), None)
SHOWN = "Hello wörld, 你好\n\nassistant user  1234 <think>\n</think> f(x) \U0001f600 don't\t \n"
TINY = CatalogModel("me/tiny", "", 300, 300, 512, "me/tiny", (1,))


@pytest.fixture(autouse=True)
def nothing_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without any tokenizer, and a cache of its own."""
    for name in ("TINKER_MOCK_CACHE", "TINKER_MOCK_TOKENIZERS", "HF_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))


@given(st.text())
def test_any_text_survives(text: str) -> None:
    assert TOKENIZER.decode(TOKENIZER.encode(text)) == text
    assert TOKENIZER.decode(TOKENIZER.encode(text, allow_special_tokens=False)) == text


@pytest.mark.parametrize("letter", ["x", "-", "\n", "é"])
def test_a_long_word_takes_no_longer_than_as_many_short_ones(letter: str) -> None:
    """A million characters: merging them as one piece would take days."""
    text = letter * 1_000_000
    assert TOKENIZER.decode(TOKENIZER.encode(text)) == text


@given(st.lists(st.integers(0, TOKENIZER.vocab_size - 1)))
def test_pieces_add_up_to_the_whole(ids: list[int]) -> None:
    decoder = stop_decoder(TOKENIZER)  # type: ignore[arg-type]
    text = "".join(decoder.process(token).text for token in ids) + decoder.flush().text
    assert text == TOKENIZER.decode(ids, skip_special_tokens=True)


def test_every_id_has_a_text_of_its_own() -> None:
    texts = [TOKENIZER.token_bytes(token) for token in range(TOKENIZER.vocab_size)]
    assert len(set(texts)) == len(texts)
    ids = [TOKENIZER.token_to_id(text.decode()) for text in texts[100_000:100_050]]
    assert ids == [*range(100_000, 100_050)]


@pytest.mark.parametrize("family", FAMILIES)
def test_turn_marks_have_the_models_own_ids(family: str) -> None:
    model = FAMILIES[family]
    tokenizer = tokenizer_for(model)
    assert tokenizer is not None
    for ids in (model.turn_prefix, model.answer_prefix, model.thinking, model.end_tokens):
        assert tokenizer.encode(tokenizer.decode(ids)) == list(ids)
    assert "special_" not in tokenizer.decode([*model.turn_prefix, *model.end_tokens])


@pytest.mark.parametrize("family", FAMILIES)
def test_the_files_are_the_same_tokenizer(family: str) -> None:
    model = FAMILIES[family]
    folder = stand_in_folder(model)
    loaded = Backend.from_file(str(folder / "tokenizer.json"))
    tokenizer = tokenizer_for(model)
    assert tokenizer is not None
    marks = "".join(list(tokenizer.special_tokens.ids)[-6:])
    ids = tokenizer.encode(SHOWN + marks)
    assert loaded.encode(SHOWN + marks, add_special_tokens=False).ids == ids
    assert loaded.decode(ids, skip_special_tokens=False) == SHOWN + marks
    assert loaded.get_vocab_size() == model.tokenizer_size
    assert all(
        loaded.decode([i], skip_special_tokens=False) == tokenizer.decode([i])
        for i in range(0, model.tokenizer_size, 97)
    )
    assert stand_in_folder(model) == folder
    roles = json.loads((folder / "tokenizer_config.json").read_text())
    assert roles["eos_token"] == tokenizer.decode(model.end_tokens[:1])


def test_files_made_by_other_code_are_not_taken_for_these(monkeypatch: pytest.MonkeyPatch) -> None:
    now = stand_in_folder(QWEN)
    monkeypatch.setattr("tinker_mock.server.stand_in.folder.recipe", lambda: "that of last week")
    assert stand_in_folder(QWEN) != now


def test_models_with_few_ids() -> None:
    small = tokenizer_for(TINY)
    assert small is not None
    ids = small.encode(SHOWN)
    assert small.decode(ids) == SHOWN
    assert max(ids) < 300
    assert tokenizer_for(CatalogModel("me/bits", "", 64, 64, 512, "me/bits", (1,))) is None


def test_a_hub_cache_never_replaces_downloads(tmp_path: Path) -> None:
    snapshots = tmp_path / "hub" / "models--Qwen--Qwen3-8B" / "snapshots"
    (snapshots / "abc").mkdir(parents=True)
    (snapshots / "abc" / "tokenizer.json").write_text("{}")
    assert install(tmp_path, [QWEN, FAMILIES["glm5"]]) == 1
    assert [one.name for one in snapshots.iterdir()] == ["abc"]
    assert install(tmp_path, [FAMILIES["glm5"]]) == 1, "what it wrote itself it renews"


def test_an_installed_stand_in_is_not_taken_for_the_models_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    install(tmp_path / "hf", [QWEN])
    assert own_tokenizer(QWEN) is None
    assert folder_of(QWEN) == str(stand_in_folder(QWEN))
