"""The fixtures are what the script makes of the text beside them."""

from pathlib import Path

from tests.tokenizer.texts import FIXTURES
from tinker_mock.tokenizer import load_tokenizer
from tinker_mock.tokenizer.training import SINGLE_BYTES, fixture_files, main, train


def test_the_fixtures_are_reproduced_to_the_byte() -> None:
    made = fixture_files((FIXTURES / "corpus.txt").read_text("utf-8"))
    kept = {
        str(path.relative_to(FIXTURES)): path.read_text("utf-8") for path in FIXTURES.glob("*/*")
    }
    assert made == kept


def test_a_vocabulary_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "corpus.txt").write_text("banana bandana " * 20)
    assert main([str(tmp_path)]) == 0
    tokenizer = load_tokenizer(tmp_path / "kimi_small")
    assert len(tokenizer.encode("banana bandana")) == 2


def test_the_most_frequent_pair_is_joined_first_and_ties_go_to_the_lesser() -> None:
    pieces = [[bytes([letter]) for letter in word] for word in (b"abab", b"ab", b"cd", b"ba")]
    trained = train(pieces, SINGLE_BYTES, 259)
    assert trained.merges == [(b"a", b"b"), (b"ab", b"ab"), (b"b", b"a")]
    assert trained.tokens[256:] == [b"ab", b"abab", b"ba"]
