"""The text of a stream's tokens, a token at a time."""

import pytest

from tinker_mock.server.catalog import Catalog
from tinker_mock.server.service.streaming import IncrementalText
from tinker_mock.server.stand_in import StandInTokenizer, vocabulary_of

STAND_IN = StandInTokenizer("x", vocabulary_of(Catalog.load().get("Qwen/Qwen3-8B")), None)


@pytest.mark.parametrize("text", ["plain words", "na\u00efve \U0001f600\u65e5\u672c end", "\n\n"])
def test_pieces_end_to_end_are_the_text(text: str) -> None:
    text_so_far = IncrementalText(STAND_IN.decode)
    pieces = [text_so_far.add(token) for token in STAND_IN.encode(text)]
    assert "".join(piece or "" for piece in pieces) == text
    assert not any("\ufffd" in (piece or "") for piece in pieces)


def test_a_character_comes_with_its_last_token() -> None:
    text_so_far = IncrementalText(STAND_IN.decode)
    pieces = [text_so_far.add(token) for token in STAND_IN.encode("\u65e5")]
    assert pieces == ["", "", "\u65e5"]


def test_without_a_tokenizer_there_is_no_text() -> None:
    assert IncrementalText(None).add(7) is None
