"""OpenAI's encodings: a strict map of names, and ids like tiktoken's."""

from pathlib import Path

import pytest
import tiktoken

from tests.tokenizer.texts import FIXTURES, random_texts, shared_path
from tinker_mock.tokenizer import TokenizerError, load_tokenizer
from tinker_mock.tokenizer.openai import PATTERNS, SPECIALS, encoding_of, is_openai_model
from tinker_mock.tokenizer.ranks import read_ranks


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        ("gpt-4", "cl100k_base"),
        ("gpt-4-32k", "cl100k_base"),
        ("gpt-4o-mini", "o200k_base"),
        ("gpt-5", "o200k_base"),
        ("o1-preview", "o200k_base"),
        ("openai/gpt-4", "cl100k_base"),
        ("gpt-3.5-turbo-instruct", "cl100k_base"),
        ("text-davinci-003", "p50k_base"),
        ("text-davinci-edit-001", "p50k_edit"),
        ("davinci", "r50k_base"),
    ],
)
def test_known_names(name: str, encoding: str) -> None:
    assert encoding_of(name) == encoding


@pytest.mark.parametrize(
    "name",
    ["gpt-oss-20b", "openai/gpt-oss-120b", "adapter-v2", "distilgpt-2", "turbo-llama", "llama-7b"],
)
def test_names_that_only_look_so(name: str) -> None:
    assert not is_openai_model(name)
    with pytest.raises(TokenizerError, match="Unrecognized OpenAI model name") as caught:
        encoding_of(name)
    assert caught.value.code == "unknown_model"


@pytest.mark.shared
@pytest.mark.parametrize("encoding", ["cl100k_base", "o200k_base", "p50k_base"])
def test_ids_are_tiktokens(encoding: str) -> None:
    path = shared_path("openai") / f"{encoding}.tiktoken"
    tokenizer = load_tokenizer(path)
    peer = tiktoken.Encoding(
        encoding,
        pat_str=PATTERNS[encoding],
        mergeable_ranks=read_ranks(path),
        special_tokens=SPECIALS[encoding],
    )
    texts = [*random_texts(seed=5, count=500), "Hello, world!<|endoftext|>"]
    assert tokenizer.encode_batch(texts) == [
        peer.encode(text, allowed_special="all") for text in texts
    ]
    hello = {"cl100k_base": [9906, 11, 1917, 0], "o200k_base": [13225, 11, 2375, 0]}
    assert tokenizer.encode("Hello, world!") == hello.get(encoding, [15496, 11, 995, 0])


@pytest.mark.shared
def test_a_model_by_name_from_an_explicit_rank_file() -> None:
    ranks = shared_path("openai") / "cl100k_base.tiktoken"
    tokenizer = load_tokenizer("gpt-4", tiktoken_model_path=ranks)
    assert (tokenizer.name, tokenizer.vocab_size) == ("cl100k_base", 100_277)


def test_offline_says_which_file_would_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("TIKTOKEN_CACHE_DIR", raising=False)
    monkeypatch.delenv("DATA_GYM_CACHE_DIR", raising=False)
    with pytest.raises(TokenizerError, match=r"cl100k_base\.tiktoken") as caught:
        load_tokenizer("gpt-4", offline=True, cache_dir=tmp_path)
    assert caught.value.code == "offline"


def test_patterns_split_without_loss() -> None:
    from tinker_mock.tokenizer.bpe import BytePairEncoder

    corpus = (FIXTURES / "corpus.txt").read_text("utf-8")
    for pattern in PATTERNS.values():
        assert "".join(BytePairEncoder({}, pattern).pieces(corpus)) == corpus
