"""Streamed pieces are the full decode, for any text, any tokenizer and any chunking."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tokenizer.texts import SMALL, random_text, random_texts, shared_path, small
from tinker_mock.tokenizer import DecodeStream, Sequence, Tokenizer, load_tokenizer
from tinker_mock.tokenizer.mock import MockTokenizer
from tinker_mock.tokenizer.protocols import well_formed

TOKENIZERS = (*SMALL, "mock")
tokenizers = st.sampled_from(TOKENIZERS).map(small)
texts = st.one_of(
    st.text(max_size=60),
    st.randoms(use_true_random=False).map(random_text),
    st.lists(st.sampled_from(["Hello", " ", "世", "界", "🎉", "<|im_end|>", "�", "x"])).map(
        "".join
    ),
)


def pieces_of(tokenizer: Tokenizer, ids: list[int], prompt: list[int], skip: bool) -> list[str]:
    stream = DecodeStream(tokenizer, prompt, skip_special_tokens=skip)
    pieces = [piece for token in ids if (piece := stream.step(token)) is not None]
    return [*pieces, stream.flush() or ""]


@given(tokenizers, texts, st.booleans())
@settings(max_examples=400, deadline=None)
def test_pieces_join_to_the_full_decode(tokenizer: Tokenizer, text: str, skip: bool) -> None:
    ids = tokenizer.encode(text)
    pieces = pieces_of(tokenizer, ids, [], skip)
    assert "".join(pieces) == tokenizer.decode(ids, skip_special_tokens=skip)
    assert all(piece.encode("utf-8").decode("utf-8") == piece for piece in pieces)


@given(st.sampled_from(SMALL).map(small), texts, st.integers(0, 40))
@settings(max_examples=300, deadline=None)
def test_a_prompt_is_never_repeated_and_what_follows_is_whole(
    tokenizer: Tokenizer, text: str, cut: int
) -> None:
    """The cut may go through a character: then it comes whole with its last byte."""
    ids = tokenizer.encode(text)
    prompt, rest = ids[:cut], ids[cut:]
    told = "".join(pieces_of(tokenizer, rest, prompt, False))
    before, full = tokenizer.decode(prompt), tokenizer.decode(ids)
    if full.startswith(before):
        assert told == full[len(before) :]
    else:
        assert full.endswith(told)
        assert "\ufffd" not in told or "\ufffd" in well_formed(text)


@given(st.sampled_from(("kimi_small", "bytelevel_small")).map(small), st.data())
@settings(max_examples=200, deadline=None)
def test_any_ids_whatever(tokenizer: Tokenizer, data: st.DataObject) -> None:
    """Ids no text encodes to: bytes that are not UTF-8 come as the full decode spells them."""
    ids = data.draw(st.lists(st.integers(0, tokenizer.vocab_size - 1), max_size=40))
    skip = data.draw(st.booleans())
    told = "".join(pieces_of(tokenizer, ids, [], skip))
    assert told == tokenizer.decode(ids, skip_special_tokens=skip)


@given(tokenizers, texts, st.lists(st.integers(1, 5)))
@settings(max_examples=200, deadline=None)
def test_batches_of_any_size_say_the_same(
    tokenizer: Tokenizer, text: str, sizes: list[int]
) -> None:
    ids = tokenizer.encode(text)
    stream, told, at = DecodeStream(tokenizer), "", 0
    for size in [*sizes, len(ids)]:
        told += "".join(stream.step_batch(ids[at : at + size]))
        at += size
    assert told + (stream.flush() or "") == tokenizer.decode(ids)


@given(tokenizers, texts)
@settings(max_examples=200, deadline=None)
def test_a_sequence_tells_the_text_it_holds(tokenizer: Tokenizer, text: str) -> None:
    sequence = Sequence(tokenizer)
    told = "".join(map(sequence.append, tokenizer.encode(text))) + sequence.flush()
    assert told == sequence.text()
    assert len(sequence) == len(tokenizer.encode(text))


def test_an_unfinished_character_waits_and_flush_gives_it_up() -> None:
    tokenizer = small("kimi_small")
    stream = DecodeStream(tokenizer)
    first, *others = "𝄞".encode()
    assert [stream.step(byte) for byte in (ord("a"), first, *others[:-1])] == [
        "a",
        None,
        None,
        None,
    ]
    assert stream.step(others[-1]) == "𝄞"
    assert stream.flush() is None
    stream.step(first)
    assert stream.flush() == "�"
    assert stream.step(ord("b")) == "b"


def test_leading_spaces_survive_a_decoder_that_strips_the_first_one() -> None:
    tokenizer = small("fallback_small")
    prompt, ids = tokenizer.encode("the weather"), tokenizer.encode("the weather is sunny")
    assert ids[: len(prompt)] == prompt
    assert "".join(pieces_of(tokenizer, ids[len(prompt) :], prompt, True)) == " is sunny"


def test_a_prompt_of_many_single_bytes_is_cut_between_characters() -> None:
    tokenizer = small("fallback_small")
    prompt, ids = tokenizer.encode("世界世界"), tokenizer.encode("世界世界人x")
    assert "".join(pieces_of(tokenizer, ids[len(prompt) :], prompt, False)) == "人x"


def test_specials_that_are_skipped_do_not_pile_up() -> None:
    tokenizer = small("fallback_small")
    stream = DecodeStream(tokenizer, skip_special_tokens=True)
    stop = tokenizer.token_to_id("</s>")
    assert stop is not None
    assert [stream.step(stop) for _ in range(1000)] == [None] * 1000
    ids = tokenizer.encode("the weather")
    assert "".join(stream.step_batch(ids)) + (stream.flush() or "") == "the weather"


def test_append_text_and_clear() -> None:
    sequence = Sequence(MockTokenizer())
    assert sequence.append_text("Hello world") == "Hello world"
    assert (len(sequence), sequence.text()) == (2, "Hello world")
    sequence.clear()
    assert (len(sequence), sequence.append(3)) == (0, "test")


class CountingTokenizer(MockTokenizer):
    """Counts the ids its decode is given: the cost of a stream."""

    def __init__(self) -> None:
        super().__init__()
        self.decoded = 0

    def decode(self, ids: object, *, skip_special_tokens: bool = False) -> str:
        assert isinstance(ids, list)
        self.decoded += len(ids)
        return super().decode(ids, skip_special_tokens=skip_special_tokens)


def test_cost_per_token_does_not_grow() -> None:
    costs = []
    for count in (1_000, 10_000):
        tokenizer = CountingTokenizer()
        stream = DecodeStream(tokenizer)
        for _ in range(count):
            stream.step(1)
        costs.append(tokenizer.decoded / count)
    assert costs[1] == pytest.approx(costs[0], rel=0.05)


@pytest.mark.shared
@pytest.mark.parametrize("name", ["kimi_k2", "qwen3"])
def test_real_tokenizers_stream_what_they_decode(name: str) -> None:
    tokenizer = load_tokenizer(shared_path(name))
    rng = random.Random(name)
    for text in random_texts(11, 400):
        ids = tokenizer.encode(text)
        cut = rng.randint(0, len(ids))
        assert "".join(pieces_of(tokenizer, ids, [], False)) == tokenizer.decode(ids)
        told = "".join(pieces_of(tokenizer, ids[cut:], ids[:cut], False))
        assert tokenizer.decode(ids).endswith(told)
