"""A client that encodes with the model's own tokenizer, and a mock that has a stand-in for it."""

import base64
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tokenizers import Tokenizer as Backend

from tests.server.scripts.test_scripts_everywhere import QUESTION, native, prompt_of, put
from tests.tokenizer.texts import ROOT
from tinker_mock.server.catalog import Catalog
from tinker_mock.server.own_tokenizers import kind_of
from tinker_mock.server.own_tokenizers.folder import merges_of, tokenizer_json
from tinker_mock.server.serving.in_thread import RunningServer
from tinker_mock.server.settings import Settings
from tinker_mock.server.stand_in import StandInTokenizer, vocabulary_of
from tinker_mock.server.stand_in.vocabulary import byte_alphabet

MODEL = "Qwen/Qwen3-8B"
CATALOG = Catalog.load()
HERE = os.environ.get("TINKER_MOCK_TOKENIZERS") or ROOT.parent / "shared" / "tokenizers"
QWEN = Path(HERE) / "qwen3"
needs_qwen = pytest.mark.skipif(
    not QWEN.exists(), reason=f"no Qwen3 tokenizer in {QWEN}: set TINKER_MOCK_TOKENIZERS"
)


@pytest.fixture
def server(nothing_here: Path) -> Iterator[RunningServer]:
    with RunningServer(Settings(port=0, seed=3)) as running:
        yield running


def own_prompt() -> list[int]:
    backend = Backend.from_file(str(QWEN / "tokenizer.json"))
    asked = f"<|im_start|>user\n{QUESTION}<|im_end|>\n<|im_start|>assistant\n"
    return list(backend.encode(asked, add_special_tokens=False).ids)


def listed(server: RunningServer) -> dict[str, Any]:
    (script,) = httpx.get(f"{server.url}/_mock/scripts", timeout=60).json()["scripts"]
    return dict(script)


@pytest.mark.parametrize("model", [MODEL, "Qwen/Qwen3-*", "*"])
def test_adding_says_whose_prompts_are_not_read(server: RunningServer, model: str) -> None:
    added = put(server, model=model, pattern="capital of France", completion="Paris it is").json()
    (warning,) = added["warnings"]
    assert "own tokenizer are not recognised" in warning
    assert "tinker-mock tokenizers take" in warning
    assert listed(server)["warnings"] == [warning]
    assert "stand-in" not in str(put(server, pattern_tokens=[9, 8], completion="x").json())


@needs_qwen
def test_what_could_not_be_read_is_counted(server: RunningServer) -> None:
    put(server, model=MODEL, pattern="capital of France", completion="Paris it is")
    native(server, MODEL, prompt_of(MODEL))
    script = listed(server)
    assert (script["fired"], script["unread"]) == (1, 0)
    native(server, MODEL, own_prompt())
    script = listed(server)
    assert (script["fired"], script["unread"]) == (1, 1)
    assert "so were 1 prompts until now" in script["warnings"][0]


@needs_qwen
def test_it_fires_once_the_models_own_is_here(
    nothing_here: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(QWEN, tmp_path / "qwen3")
    monkeypatch.setenv("TINKER_MOCK_TOKENIZERS", str(tmp_path))
    with RunningServer(Settings(port=0, seed=3)) as running:
        added = put(running, model=MODEL, pattern="capital of France", completion="Paris it is")
        assert "warnings" not in added.json()
        (tokens,) = native(running, MODEL, own_prompt())
        backend = Backend.from_file(str(QWEN / "tokenizer.json"))
        assert backend.decode(tokens) == "Paris it is"
        assert "warnings" not in listed(running)


def test_text_of_the_stand_in_is_its_own() -> None:
    tokenizer = StandInTokenizer("x", vocabulary_of(CATALOG.get(MODEL)), None)
    for text in ("Hello there", "", "漢字 🎉", "<|im_start|>user\nfoo<|im_end|>"):
        assert tokenizer.may_have_written(tokenizer.encode(text))
    text = "a long text of many words, of which one was sampled"
    assert tokenizer.may_have_written([*tokenizer.encode(text), 100_000])
    assert not tokenizer.may_have_written([*range(100_000, 100_010)])


@needs_qwen
def test_a_vocabulary_becomes_the_tokenizer_it_is_of() -> None:
    """The words and marks of Qwen3's published file, put together again, cut texts as that does."""
    published = json.loads((QWEN / "tokenizer.json").read_text("utf-8"))
    whole = Backend.from_str(json.dumps(published))
    kind = kind_of(CATALOG.get(MODEL))
    assert kind is not None
    told = told_by(published)
    again = Backend.from_str(json.dumps(tokenizer_json(kind, told)))
    assert again.get_vocab_size() == whole.get_vocab_size() == 151_669
    corpus = (ROOT / "fixtures" / "tokenizers" / "corpus.txt").read_text("utf-8")
    for at in range(0, len(corpus), 150):
        text = corpus[at : at + 150] + "<|im_end|>e\u0301"
        ids = whole.encode(text, add_special_tokens=False).ids
        assert again.encode(text, add_special_tokens=False).ids == ids
        assert again.decode(ids, skip_special_tokens=False) == whole.decode(
            ids, skip_special_tokens=False
        )


def told_by(published: dict[str, Any]) -> dict[str, Any]:
    """What tml-renderers tells of a tokenizer, out of a published file."""
    byte_of = {character: value for value, character in enumerate(byte_alphabet())}
    words = [b""] * len(published["model"]["vocab"])
    for spelt, token in published["model"]["vocab"].items():
        words[token] = bytes(byte_of[character] for character in spelt)
    marks = {one["content"]: one["id"] for one in published["added_tokens"]}
    return {"words": [base64.b64encode(word).decode() for word in words], "marks": marks}


def test_merges_are_the_two_parts_that_a_word_was_made_of() -> None:
    ranks = {b"a": 0, b"b": 1, b"c": 2, b"ab": 3, b"bc": 4, b"abc": 5, b"xyz": 6}
    assert list(merges_of(ranks)) == [(b"a", b"b"), (b"b", b"c"), (b"ab", b"c")]
