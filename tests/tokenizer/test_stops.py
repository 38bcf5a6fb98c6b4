"""Stops: the earliest match, hidden or visible, whatever the cut of the stream."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tokenizer.texts import SMALL, small
from tinker_mock.tokenizer import (
    Output,
    StopScanner,
    StopSequenceDecoder,
    StopSequences,
    Tokenizer,
    text_until_stop,
)
from tinker_mock.tokenizer.mock import MockTokenizer
from tinker_mock.tokenizer.stops import HELD, STOPPED, Hold

fragments = st.lists(
    st.sampled_from(["a", "b", "ab", "abc", "bcd", "\n", "User:", "世", "世界", "🎉", " ", "�"]),
    max_size=12,
).map("".join)
stop_lists = st.lists(fragments, max_size=3).map(tuple)
holds: st.SearchStrategy[Hold] = st.sampled_from(["partial", "window"])


def one_shot(
    text: str, hidden: tuple[str, ...], visible: tuple[str, ...]
) -> tuple[str, str | None]:
    """The rule, written a second time: try every end, then every start before it."""
    for end in range(1, len(text) + 1):
        for start in range(end):
            part = text[start:end]
            if part in hidden:
                return text[:start], part
            if part in visible:
                return text[:end], part
    return text, None


@given(fragments, stop_lists, stop_lists, holds, st.lists(st.integers(0, 6)))
@settings(max_examples=500, deadline=None)
def test_text_in_any_pieces_stops_like_the_whole(
    text: str, hidden: tuple[str, ...], visible: tuple[str, ...], hold: Hold, cuts: list[int]
) -> None:
    scanner = StopScanner(hidden, visible, hold)
    told, at = "", 0
    for size in [*cuts, len(text)]:
        told += scanner.feed(text[at : at + size])
        at += size
    told += scanner.flush()
    assert (told, scanner.matched) == one_shot(text, hidden, visible)


@given(st.sampled_from(SMALL).map(small), fragments, stop_lists, stop_lists, holds)
@settings(max_examples=400, deadline=None)
def test_tokens_stop_like_their_text(
    tokenizer: Tokenizer, text: str, hidden: tuple[str, ...], visible: tuple[str, ...], hold: Hold
) -> None:
    ids = tokenizer.encode(text)
    stops = StopSequences(stop_sequences=hidden, visible_stop_sequences=visible)
    decoder = StopSequenceDecoder(tokenizer, stops, hold=hold)
    outputs = [decoder.process(token) for token in ids] + [decoder.flush()]
    expected, stop = one_shot(tokenizer.decode(ids), hidden, visible)
    assert "".join(output.text for output in outputs) == expected
    assert decoder.matched_stop == stop
    assert decoder.stopped == (stop is not None)
    if stop is None:
        assert not any(output.stopped for output in outputs)
    else:
        first = next(i for i, output in enumerate(outputs) if output.stopped)
        assert not any(output.text for output in outputs[first + 1 :])


@given(st.sampled_from(SMALL).map(small), fragments, stop_lists, st.lists(st.integers(1, 4)))
@settings(max_examples=200, deadline=None)
def test_token_batches_of_any_size_stop_alike(
    tokenizer: Tokenizer, text: str, hidden: tuple[str, ...], sizes: list[int]
) -> None:
    ids = tokenizer.encode(text)
    stops = StopSequences(stop_sequences=hidden)
    decoder = StopSequenceDecoder(tokenizer, stops)
    told, at = "", 0
    for size in [*sizes, len(ids)]:
        told += "".join(output.text for output in decoder.process_tokens(ids[at : at + size]))
        at += size
    told += decoder.flush().text
    assert (told, decoder.matched_stop) == text_until_stop(tokenizer, ids, stops)


def kimi_decoder(**options: object) -> StopSequenceDecoder:
    return StopSequenceDecoder(small("kimi_small"), StopSequences(**options))  # type: ignore[arg-type]


def fed(decoder: StopSequenceDecoder, text: str) -> list[Output]:
    return [decoder.process(byte) for byte in text.encode()]


def test_a_partial_stop_is_jailed_and_let_go() -> None:
    decoder = kimi_decoder(stop_sequences=("abc",))
    assert fed(decoder, "xaab") == [Output("text", "x"), HELD, Output("text", "a"), HELD]
    assert decoder.process(ord("d")) == Output("text", "abd")
    assert fed(decoder, "abc") == [HELD, HELD, STOPPED]
    assert decoder.process(ord("z")) == STOPPED
    assert decoder.flush() == Output("text", "")


def test_of_two_stops_the_one_that_ends_first_wins_whatever_their_order() -> None:
    for stops in (("abcd", "bc"), ("bc", "abcd")):
        decoder = kimi_decoder(stop_sequences=stops)
        assert "".join(output.text for output in fed(decoder, "xabcd")) == "xa"
        assert decoder.matched_stop == "bc"


def test_a_hidden_stop_goes_before_a_visible_one_that_ends_with_it() -> None:
    decoder = kimi_decoder(stop_sequences=("b",), visible_stop_sequences=("b",))
    assert fed(decoder, "ab")[-1] == STOPPED


def test_a_stop_of_several_bytes_fires_though_its_bytes_come_apart() -> None:
    decoder = kimi_decoder(stop_sequences=("世界",))
    told = "".join(output.text for output in fed(decoder, "Hello 世界 x"))
    assert (told, decoder.matched_stop) == ("Hello ", "世界")


def test_a_stop_token_gives_out_the_jail_and_the_unfinished_character() -> None:
    end = small("kimi_small").token_to_id("<|im_end|>")
    assert end is not None
    decoder = kimi_decoder(stop_tokens=frozenset({end}), stop_sequences=("abc",))
    fed(decoder, "ab")
    assert decoder.process("世".encode()[0]) == HELD
    assert decoder.process(end) == Output("stopped_with_text", "ab�")
    assert decoder.matched_stop == end


def test_visible_stop_tokens_are_shown_unless_specials_are_skipped() -> None:
    stops = StopSequences(visible_stop_tokens=frozenset({999}))
    for skip, shown in ((False, "<eos>"), (True, "")):
        decoder = StopSequenceDecoder(MockTokenizer(), stops, skip_special_tokens=skip)
        assert decoder.process(1) == Output("text", "Hello")
        assert decoder.process(999) == Output("stopped_with_text", shown)


def test_reset_makes_it_new() -> None:
    decoder = kimi_decoder(stop_sequences=("abc",))
    fed(decoder, "ab")
    decoder.reset()
    assert fed(decoder, "cx") == [Output("text", "c"), Output("text", "x")]
    fed(decoder, "abc")
    assert decoder.stopped
    decoder.reset()
    assert (decoder.stopped, decoder.matched_stop) == (False, None)
    assert fed(decoder, "y") == [Output("text", "y")]


def test_empty_stops_are_ignored() -> None:
    decoder = kimi_decoder(stop_sequences=("",), visible_stop_sequences=("",))
    assert fed(decoder, "ab") == [Output("text", "a"), Output("text", "b")]


@pytest.mark.parametrize(("hold", "nothing"), [("partial", Output("text", "")), ("window", HELD)])
def test_flushing_nothing(hold: Hold, nothing: Output) -> None:
    assert StopSequenceDecoder(MockTokenizer(), StopSequences(), hold=hold).flush() == nothing
