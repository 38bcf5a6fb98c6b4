"""tokenizer.json: the same ids as the tokenizers library and transformers in this process."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import tokenizers

from tests.tokenizer.texts import FIXTURES, random_texts, shared_path, small, without_surrogates
from tinker_mock.tokenizer import TokenizerError, load_tokenizer
from tinker_mock.tokenizer.huggingface import HuggingFaceTokenizer
from tinker_mock.tokenizer.protocols import well_formed


def library(directory: Path) -> Any:
    return tokenizers.Tokenizer.from_file(str(directory / "tokenizer.json"))


@pytest.mark.parametrize("name", ["bytelevel_small", "fallback_small"])
def test_ids_and_decodes_are_the_librarys(name: str) -> None:
    tokenizer, peer = small(name), library(FIXTURES / name)
    texts = list(map(without_surrogates, random_texts(seed=3, count=1_000)))
    expected = [peer.encode(text).ids for text in texts]
    assert [tokenizer.encode(text) for text in texts] == expected
    assert tokenizer.encode_batch(texts) == expected
    for ids in expected:
        for skip in (False, True):
            told = tokenizer.decode(ids, skip_special_tokens=skip)
            assert told == peer.decode(ids, skip_special_tokens=skip)


@pytest.mark.shared
def test_qwen3_has_the_ids_of_tokenizers_and_transformers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "TRANSFORMERS_VERBOSITY", "error")
    from transformers import AutoTokenizer

    directory = shared_path("qwen3")
    tokenizer, peer = load_tokenizer(directory), library(directory)
    transformers_tokenizer = AutoTokenizer.from_pretrained(str(directory))
    texts = list(map(without_surrogates, random_texts(seed=6, count=10_000)))
    ours = tokenizer.encode_batch(texts)
    assert ours == [encoding.ids for encoding in peer.encode_batch(texts)]
    assert ours == transformers_tokenizer(texts)["input_ids"]
    assert [tokenizer.decode(ids) for ids in ours[:500]] == [
        transformers_tokenizer.decode(ids) for ids in ours[:500]
    ]


@pytest.mark.shared
def test_qwen3_sizes_specials_and_padding() -> None:
    tokenizer = load_tokenizer(shared_path("qwen3"))
    assert tokenizer.vocab_size == 151_669
    assert tokenizer.special_tokens.eos == "<|im_end|>"
    assert tokenizer.token_to_id("<|im_end|>") == 151_645
    assert tokenizer.is_special(151_645)
    assert not tokenizer.is_special(151_667)  # <think>
    assert tokenizer.decode([9707, 151_700, 1879]) == "Hello world"  # a padding row is no text


@pytest.mark.parametrize("name", ["bytelevel_small", "fallback_small"])
def test_bytes_of_tokens_join_to_the_decode_where_they_exist(name: str) -> None:
    tokenizer = small(name)
    ids = tokenizer.encode("Größe 世界 🎉<|im_end|>")
    joined = [tokenizer.token_bytes(token) for token in ids]
    if tokenizer.byte_level:
        assert b"".join(part or b"" for part in joined).decode() == tokenizer.decode(ids)
    else:
        assert joined == [None] * len(ids)


def test_specials_as_text() -> None:
    tokenizer = small("bytelevel_small")
    end = tokenizer.token_to_id("<|im_end|>")
    assert tokenizer.encode("x<|im_end|>")[-1] == end
    spelled = tokenizer.encode("x<|im_end|>", allow_special_tokens=False)
    assert end not in spelled
    assert tokenizer.decode(spelled) == "x<|im_end|>"
    assert tokenizer.encode("x<|im_end|>")[-1] == end  # the switch is not shared


@pytest.mark.parametrize("text", ["\ud83d\ude00", "a\ud83db", "\ude00"])
def test_lone_surrogates_do_not_raise(text: str) -> None:
    tokenizer = small("bytelevel_small")
    assert tokenizer.decode(tokenizer.encode(text)) == well_formed(text)
    assert tokenizer.encode_batch([text]) == [tokenizer.encode(text)]


@pytest.mark.parametrize("bad", [-1, 2**40, "a"])
def test_ids_that_cannot_be(bad: object) -> None:
    with pytest.raises(TokenizerError, match="integer"):
        small("bytelevel_small").decode([1, bad])  # type: ignore[list-item]


def test_a_file_the_library_refuses(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text('{"version": "1.0"}')
    with pytest.raises(TokenizerError, match="Failed to load tokenizer") as caught:
        HuggingFaceTokenizer.from_file(path)
    assert caught.value.code == "invalid_tokenizer_json"


@pytest.mark.parametrize("name", ["kimi_small", "bytelevel_small", "fallback_small"])
def test_one_tokenizer_for_many_threads(name: str) -> None:
    tokenizer = load_tokenizer(FIXTURES / name)
    texts = random_texts(seed=9, count=400)

    def work(text: str) -> tuple[list[int], str]:
        ids = tokenizer.encode(text)
        tokenizer.encode(text, allow_special_tokens=False)
        return ids, tokenizer.decode(ids)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, texts)) == list(map(work, texts))
