"""A tokenizer by path, name or id; and what is said when there is none."""

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.tokenizer.texts import FIXTURES
from tinker_mock.tokenizer import LoadOptions, TokenizerError, load_tokenizer, tokenizer_id_of
from tinker_mock.tokenizer.api import decode_with, encode_with
from tinker_mock.tokenizer.file_kinds import is_likely_json, is_likely_sentencepiece
from tinker_mock.tokenizer.hub import fetch_tokenizer, flat_path


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("mock", "MockTokenizer"),
        ("test", "MockTokenizer"),
        (FIXTURES / "kimi_small", "KimiTokenizer"),
        (FIXTURES / "kimi_small" / "tiktoken.model", "KimiTokenizer"),
        (FIXTURES / "bytelevel_small", "HuggingFaceTokenizer"),
        (FIXTURES / "bytelevel_small" / "tokenizer.json", "HuggingFaceTokenizer"),
    ],
)
def test_by_path(path: str | Path, kind: str) -> None:
    assert type(load_tokenizer(path)).__name__ == kind


def test_json_without_an_extension_is_found_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "blob"
    content = (FIXTURES / "bytelevel_small" / "tokenizer.json").read_bytes()
    path.write_bytes(content)
    assert load_tokenizer(path).encode("Hello") == load_tokenizer(
        FIXTURES / "bytelevel_small"
    ).encode("Hello")


@pytest.mark.parametrize(
    ("name", "content", "code", "words"),
    [
        ("x.model", b"any", "invalid_sentencepiece_model", "no SentencePiece model"),
        ("x.gguf", b"any", "invalid_gguf", "no GGUF file"),
        ("x", b"GGUF\x03\0\0\0", "invalid_gguf", "no GGUF file"),
        ("x", b"\x0a\x09<unk>.......", "invalid_sentencepiece_model", "no SentencePiece model"),
        ("x.bin", b"who knows what", "unknown_format", "Unable to determine tokenizer type"),
        ("x", b"", "unknown_format", "Unable to determine tokenizer type"),
        ("x.json", b"{", "invalid_tokenizer_json", "Failed to load tokenizer"),
        ("x.tiktoken", b"nonsense here", "invalid_tiktoken_model", "rank file"),
        ("tiktoken.model", b"\x0a\x0b\x0a", "empty_tiktoken_model", "no tokens"),
    ],
)
def test_files_that_are_none(
    tmp_path: Path, name: str, content: bytes, code: str, words: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(TokenizerError, match=words) as caught:
        load_tokenizer(path)
    assert caught.value.code == code


def test_missing_files_and_empty_directories(tmp_path: Path) -> None:
    with pytest.raises(TokenizerError, match=r"File not found: /nonexistent/file\.json"):
        load_tokenizer("/nonexistent/file.json")
    with pytest.raises(TokenizerError, match=r"Looked for tokenizer\.json, tiktoken\.model"):
        load_tokenizer(tmp_path)
    for nothing in ("", None, 5):
        with pytest.raises(TokenizerError, match="invalid tokenizer_id"):
            load_tokenizer(nothing)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("head", "json", "sentencepiece"),
    [
        (b"\xef\xbb\xbf \n{", True, False),
        (b"[1]", True, False),
        (b"x{", False, False),
        (b"\x08\x00..........", False, True),
        (b"......</s>...", False, True),
        (b"<unk", False, False),
    ],
)
def test_sniffing(head: bytes, json: bool, sentencepiece: bool) -> None:
    assert (is_likely_json(head), is_likely_sentencepiece(head)) == (json, sentencepiece)


class TestCache:
    def test_the_same_question_has_the_same_object(self) -> None:
        path = FIXTURES / "kimi_small"
        assert load_tokenizer(path) is load_tokenizer(str(path))
        assert load_tokenizer(path, LoadOptions(chunking=True)) is load_tokenizer(
            path, chunking=True
        )

    @pytest.mark.parametrize(
        "options",
        [
            {"chunking": True},
            {"allow_special_tokens": False},
            {"pattern": r"\S+|\s+"},
            {"kimi_table": "k25"},
            {"chat_template": FIXTURES / "bytelevel_small" / "chat_template.jinja"},
            {"tokenizer_config_path": FIXTURES / "bytelevel_small" / "tokenizer_config.json"},
        ],
    )
    def test_every_option_makes_another(self, options: dict[str, object]) -> None:
        path = FIXTURES / "kimi_small"
        assert load_tokenizer(path, **options) is not load_tokenizer(path)

    def test_threads_that_ask_at_once_get_one_object(self, tmp_path: Path) -> None:
        directory = tmp_path / "model"
        shutil.copytree(FIXTURES / "kimi_small", directory)
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(load_tokenizer, [directory] * 8))
        assert len(set(map(id, found))) == 1

    def test_options_count_on_a_hit(self) -> None:
        path = FIXTURES / "kimi_small"
        load_tokenizer(path)
        split = load_tokenizer(path, pattern=r"\w")
        assert split.encode("Hello") == [ord(letter) for letter in "Hello"]

    def test_a_changed_file_is_read_again(self, tmp_path: Path) -> None:
        directory = tmp_path / "model"
        shutil.copytree(FIXTURES / "bytelevel_small", directory)
        first = load_tokenizer(directory)
        (directory / "chat_template.jinja").write_text("changed")
        os.utime(directory / "chat_template.jinja", ns=(1, 1))
        second = load_tokenizer(directory)
        assert second is not first
        assert second.apply_chat_template([{"role": "user", "content": "x"}]) == "changed"


class TestIds:
    @pytest.mark.parametrize(
        ("model", "wanted"),
        [
            ("meta-llama/Llama-3.1-8B", "thinkingmachineslabinc/meta-llama-3-tokenizer"),
            ("moonshotai/Kimi-K2-Thinking/foo", "moonshotai/Kimi-K2-Thinking"),
            ("Qwen/Qwen3-8B:main", "Qwen/Qwen3-8B"),
            ("a/b/c/d", "a/b/c/d"),
            ("gpt2", "gpt2"),
        ],
    )
    def test_from_model_to_tokenizer(self, model: str, wanted: str) -> None:
        assert tokenizer_id_of(model) == wanted

    def test_encode_and_decode_check_their_arguments(self) -> None:
        assert encode_with("mock", "Hello world") == [1, 2]
        assert decode_with("mock", [1, 2]) == "Hello world"
        for call in (
            lambda: encode_with("mock", 1),
            lambda: encode_with(1, "x"),
            lambda: decode_with("mock", "x"),
            lambda: decode_with("mock", [1, "a"]),
            lambda: decode_with("mock", [True]),
        ):
            with pytest.raises(TokenizerError) as caught:
                call()
            assert caught.value.code == "validation"


class TestHub:
    def test_offline_names_what_was_looked_for(self, tmp_path: Path) -> None:
        with pytest.raises(TokenizerError, match=r"tokenizer\.json or tiktoken\.model") as caught:
            load_tokenizer("org/model", offline=True, cache_dir=tmp_path)
        assert caught.value.code == "offline"
        assert str(tmp_path) in str(caught.value)

    def test_a_flat_cache_is_read(self, tmp_path: Path) -> None:
        target = flat_path(tmp_path, "org/model", "main", "tiktoken.model")
        target.parent.mkdir(parents=True)
        for name in ("tiktoken.model", "tokenizer_config.json"):
            shutil.copy(FIXTURES / "kimi_small" / name, target.with_name(name))
        assert fetch_tokenizer("org/model", cache_dir=tmp_path, offline=True) == target.parent
        tokenizer = load_tokenizer("org/model", cache_dir=tmp_path, offline=True)
        assert (tokenizer.name, tokenizer.vocab_size) == ("org/model", 856)

    @pytest.mark.parametrize("repo", ["../evil/repo", "a/../../b", "..", "/etc"])
    def test_no_name_leaves_the_cache(self, tmp_path: Path, repo: str) -> None:
        path = flat_path(tmp_path, repo, "../rev", "../file")
        assert path.resolve().is_relative_to((tmp_path / "hf").resolve())
        assert len(path.relative_to(tmp_path / "hf").parts) == 3


def test_ranks_of_another_kind_are_not_taken_for_kimis(tmp_path: Path) -> None:
    shutil.copy(FIXTURES / "kimi_small" / "tiktoken.model", tmp_path)
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "OtherTokenizer"}')
    with pytest.raises(TokenizerError, match="OtherTokenizer, whose splitting pattern"):
        load_tokenizer(tmp_path)
    assert load_tokenizer(tmp_path, pattern=r"\w+|\W").encode("Hello") == [545]
    (tmp_path / "config.json").write_text('{"model_type": "kimi_k2"}')
    assert load_tokenizer(tmp_path).encode("Hello") == [545]
