from hypothesis import given
from hypothesis import strategies as st

from tinker_mock.server.text.placeholder_tokenizer import BYTES, PlaceholderTokenizer
from tinker_mock.server.tokenizers import stop_decoder

SPECIALS = frozenset({3, 90, *range(20_000, 20_010)})
TOKENIZER = PlaceholderTokenizer("x", 20_010, SPECIALS)
ordinary = st.integers(0, 20_009).filter(lambda token: token not in SPECIALS)


@given(st.text())
def test_any_text_survives(text: str) -> None:
    assert TOKENIZER.decode(TOKENIZER.encode(text)) == text.encode("utf-8", "replace").decode()


@given(st.lists(ordinary.filter(lambda token: token < 20_000 - BYTES)))
def test_words_are_their_own_ids(ids: list[int]) -> None:
    assert TOKENIZER.encode(TOKENIZER.decode(ids)) == ids


@given(st.lists(st.integers(0, 20_009)))
def test_pieces_add_up_to_the_whole(ids: list[int]) -> None:
    decoder = stop_decoder(TOKENIZER)  # type: ignore[arg-type]
    text = "".join(decoder.process(token).text for token in ids) + decoder.flush().text
    assert text == TOKENIZER.decode(ids, skip_special_tokens=True)


def test_every_id_has_a_text_of_its_own() -> None:
    texts = [TOKENIZER.token_bytes(token) for token in range(TOKENIZER.vocab_size)]
    assert len(set(texts)) == len(texts)
    assert TOKENIZER.decode([3], skip_special_tokens=True) == ""
    assert TOKENIZER.token_to_id("<|special_90|>") == 90
