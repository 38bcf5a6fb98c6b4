"""Kimi's tokenizer: ids like tiktoken's own, special tokens, chunking, files."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
import tiktoken
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tokenizer.texts import FIXTURES, random_texts, shared_path, small
from tinker_mock.tokenizer import TokenizerError, load_tokenizer
from tinker_mock.tokenizer.bpe import BytePairEncoder
from tinker_mock.tokenizer.chunking import chunk_like_the_official_wrapper, split_runs
from tinker_mock.tokenizer.kimi import (
    NAMED_SLOTS,
    PATTERN,
    KimiTokenizer,
    is_kimi,
    kimi_from_files,
    published_specials,
)
from tinker_mock.tokenizer.protocols import well_formed
from tinker_mock.tokenizer.ranks import read_ranks

BYTES = {bytes([value]): value for value in range(256)}


def bare_encoding(directory: Path, special: dict[str, int]) -> tiktoken.Encoding:
    ranks = read_ranks(directory / "tiktoken.model")
    return tiktoken.Encoding("bare", pat_str=PATTERN, mergeable_ranks=ranks, special_tokens=special)


@pytest.mark.shared
def test_ten_thousand_random_texts_have_tiktokens_ids() -> None:
    directory = shared_path("kimi_k2")
    tokenizer = load_tokenizer(directory)
    bare = bare_encoding(directory, dict(tokenizer.special_tokens.ids))
    texts = random_texts(seed=6, count=10_000)
    ours = tokenizer.encode_batch(texts)
    assert ours == [bare.encode(text, allowed_special="all") for text in texts]
    assert [tokenizer.decode(ids) for ids in ours] == list(map(well_formed, texts))


@pytest.mark.shared
def test_the_real_vocabulary() -> None:
    tokenizer = load_tokenizer(shared_path("kimi_k2"))
    assert isinstance(tokenizer, KimiTokenizer)
    assert (tokenizer.base, tokenizer.vocab_size) == (163_584, 163_840)
    assert tokenizer.special_tokens.ids == published_specials(163_584, "k25")
    assert tokenizer.encode("<|im_end|>世界") == [163_586, 2243]
    assert tokenizer.encode("<|im_end|>", allow_special_tokens=False) == [
        27,
        91,
        348,
        11129,
        91,
        29,
    ]


def test_a_second_implementation_agrees_on_ids_and_pieces() -> None:
    tokenizer = small("kimi_small")
    assert isinstance(tokenizer, KimiTokenizer)
    ranks = read_ranks(FIXTURES / "kimi_small" / "tiktoken.model")
    second = BytePairEncoder(ranks, PATTERN, tokenizer.special_tokens.ids)
    for text in random_texts(seed=7, count=1_500):
        ids = second.encode(text)
        assert tokenizer.encode(text) == ids
        assert "".join(second.pieces(well_formed(text))) == well_formed(text)
        assert second.decode_bytes(ids).decode() == tokenizer.decode(ids) == well_formed(text)


@pytest.mark.parametrize("text", ["\ud83d\ude00", "a\ud83d", "\ude00b"])
def test_lone_surrogates_count_as_replacement_characters(text: str) -> None:
    tokenizer = small("kimi_small")
    assert tokenizer.encode(text) == tokenizer.encode(well_formed(text))
    assert tokenizer.decode(tokenizer.encode(text)) == well_formed(text)


def test_specials_as_text_and_as_tokens() -> None:
    tokenizer = small("kimi_small")
    end = tokenizer.token_to_id("<|im_end|>")
    assert end is not None
    assert tokenizer.encode("a<|im_end|>") == [ord("a"), end]
    spelled = tokenizer.encode("a<|im_end|>", allow_special_tokens=False)
    assert end not in spelled
    assert tokenizer.decode(spelled) == tokenizer.decode([ord("a"), end]) == "a<|im_end|>"
    assert tokenizer.decode([ord("a"), end], skip_special_tokens=True) == "a"
    literal = load_tokenizer(FIXTURES / "kimi_small", allow_special_tokens=False)
    assert literal.encode("a<|im_end|>") == spelled
    assert literal.encode("a<|im_end|>", allow_special_tokens=True) == [ord("a"), end]


def test_tool_and_thinking_markers_are_kept_when_specials_are_skipped() -> None:
    tokenizer = small("kimi_small")
    ids = tokenizer.encode("<think>a</think><|tool_call_begin|><|im_end|>")
    assert tokenizer.decode(ids, skip_special_tokens=True) == "<think>a</think><|tool_call_begin|>"


def test_every_slot_has_a_name() -> None:
    tokenizer = KimiTokenizer(BYTES, {"added_tokens_decoder": {"258": {"content": "[X]"}}})
    assert tokenizer.vocab_size == 512
    assert tokenizer.id_to_token(258) == "[X]"
    assert tokenizer.id_to_token(259) == "<|reserved_token_259|>"
    assert tokenizer.encode("<|reserved_token_511|>[X]") == [511, 258]
    assert tokenizer.id_to_token(512) is None


def test_named_tokens_outside_the_slots_are_ignored() -> None:
    configuration = {"added_tokens_decoder": {"9999": {"content": "[FAR]"}}}
    assert KimiTokenizer(BYTES, configuration).token_to_id("[FAR]") is None


@pytest.mark.parametrize(("table", "thinks"), [("k2_instruct", False), ("k25", True)])
def test_published_tables_stand_in_for_a_configuration(table: str, thinks: bool) -> None:
    tokenizer = KimiTokenizer(BYTES, table=table)
    assert tokenizer.thinks is thinks
    assert tokenizer.token_to_id("<|im_end|>") == 258
    assert (tokenizer.token_to_id("<|media_pad|>") is not None) == (table == "k25")
    assert len(tokenizer.special_tokens.ids) == 256
    assert tokenizer.special_tokens.eos == "[EOS]"
    assert NAMED_SLOTS[table].keys() <= tokenizer.special_tokens.ids.keys()


def test_one_special_that_begins_another_gives_way_to_the_longer() -> None:
    configuration = {
        "added_tokens_decoder": {"256": {"content": "<|a|>"}, "257": {"content": "<|a|>b"}}
    }
    tokenizer = KimiTokenizer(BYTES, configuration)
    assert tokenizer.encode("<|a|>b<|a|>c") == [257, 256, ord("c")]


@pytest.mark.parametrize(
    ("model", "config", "code"),
    [
        ("\n", "{}", "empty_tiktoken_model"),
        ("not_base64 0\n", "{}", "invalid_tiktoken_model"),
        ("YQ== x\n", "{}", "invalid_tiktoken_model"),
        ("YQ== 0\n", "{", "invalid_json"),
        ("YQ== 0\n", "[]", "invalid_json"),
        ("YQ== 0\n", '{"added_tokens_decoder": {"a": {"content": "x"}}}', "invalid_special_tokens"),
        ("YQ== 0\n", '{"added_tokens_decoder": {"1": {}}}', "invalid_special_tokens"),
    ],
)
def test_bad_files_are_told_apart(model: str, config: str, code: str) -> None:
    files = {"tiktoken.model": model.encode(), "tokenizer_config.json": config.encode()}
    with pytest.raises(TokenizerError) as caught:
        kimi_from_files(files.__getitem__)
    assert caught.value.code == code


def test_a_table_that_does_not_cover_all_bytes_still_encodes_what_it_can() -> None:
    files = {"tiktoken.model": b"YQ== 0\nYg== 1\nYWI= 2\n", "tokenizer_config.json": b"{}"}
    tokenizer = kimi_from_files(files.__getitem__)
    assert tokenizer.encode("aba") == [2, 0]
    with pytest.raises(TokenizerError, match="No token covers") as caught:
        tokenizer.encode("abc")
    assert (caught.value.code, caught.value.detail) == ("missing_rank", b"c")


@pytest.mark.parametrize(
    ("token", "code"), [(999_999, "unknown_token_id"), ("a", "invalid_token_id")]
)
def test_ids_that_are_none_say_so(token: object, code: str) -> None:
    tokenizer = small("kimi_small")
    for decode in (lambda: tokenizer.decode([1, token]), lambda: tokenizer.token_bytes(token)):
        with pytest.raises(TokenizerError) as caught:
            decode()
        assert caught.value.code == code


@given(st.text(alphabet="ab \n\u001c\u3000漢", max_size=80), st.integers(1, 6))
@settings(max_examples=200, deadline=None)
def test_cutting_loses_nothing_and_bounds_every_run(text: str, longest: int) -> None:
    parts = split_runs(text, longest)
    assert "".join(parts) == text
    for part in parts:
        run = 0
        for before, after in pairwise(part):
            run = run + 1 if before.isspace() == after.isspace() else 0
            assert run < longest


def test_chunking_is_an_option_and_changes_only_long_texts() -> None:
    plain = load_tokenizer(FIXTURES / "kimi_small")
    chunked = load_tokenizer(FIXTURES / "kimi_small", chunking=True)
    assert plain is not chunked
    short, long = "the weather " * 50, "x" + "he" * 13_000
    assert plain.encode(short) == chunked.encode(short)
    assert plain.encode(long) != chunked.encode(long)
    assert chunked.decode(chunked.encode(long)) == long
    assert list(map(len, chunk_like_the_official_wrapper("a " * 300_000))) == [400_000, 200_000]


def test_detection_takes_the_module_as_a_whole_word() -> None:
    assert is_kimi({"auto_map": {"AutoTokenizer": ["tokenization_kimi.TikTokenTokenizer", None]}})
    assert is_kimi({"tokenizer_class": "pkg.tokenization_kimi"})
    assert is_kimi({}, {"model_type": "kimi_k25"})
    assert not is_kimi({"auto_map": "my_tokenization_kimi_helper.X"}, {"model_type": "qwen3"})
    assert is_kimi(json.loads((FIXTURES / "kimi_small" / "tokenizer_config.json").read_text()))
