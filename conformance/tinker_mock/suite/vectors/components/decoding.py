"""Tokens one by one: streams, stops, sequences, and the two small tokenizers they are tried on."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tinker_mock.suite.vectors.comparison import Chosen, Component
from tinker_mock.tokenizer import (
    DecodeStream,
    StopSequenceDecoder,
    StopSequences,
    Tokenizer,
    text_until_stop,
)
from tinker_mock.tokenizer import Sequence as TokenSequence
from tinker_mock.tokenizer.mock import MockTokenizer
from tinker_mock.tokenizer.protocols import SpecialTokens
from tinker_mock.tokenizer.rendering import Templated
from tinker_mock.tokenizer.stops import Hold, Output

Entry = Mapping[str, Any]
PIECES = (
    *("Hello", " world", "\n", "Human", ":", " test", "\nHuman:"),
    *("ab", "abc", "bcd", "<|", "im_end", "|>", "世界", "😀"),
)
FIRST_SPECIAL = 900
DEFINITION: dict[str, Any] = {
    "rule": "id 0..255 = that single byte; 256+i = PIECES[i]; ids >= 900 are special and decode "
    'to "<|s{id}|>" (dropped when skip_special_tokens); decode = UTF-8 lossy decode of the '
    "concatenated bytes",
    "pieces": list(PIECES),
}


class PieceTokenizer(Templated):
    """The vectors' test double: single bytes, fifteen pieces, special ids from 900 on.

    Encoding is by single bytes; only decoding is of interest.
    """

    name = "piece"
    byte_level = True
    vocab_size = FIRST_SPECIAL
    special_tokens = SpecialTokens()

    def encode(
        self,
        text: str,
        *,
        add_special_tokens: bool = False,
        allow_special_tokens: bool | None = None,
    ) -> list[int]:
        return list(text.encode())

    def encode_batch(
        self,
        texts: Sequence[str],
        *,
        add_special_tokens: bool = False,
        allow_special_tokens: bool | None = None,
    ) -> list[list[int]]:
        return list(map(self.encode, texts))

    def decode(self, ids: Sequence[int], *, skip_special_tokens: bool = False) -> str:
        kept = (i for i in ids if not (skip_special_tokens and self.is_special(i)))
        return b"".join(map(self.token_bytes, kept)).decode("utf-8", "replace")

    def token_bytes(self, token_id: int) -> bytes:
        if token_id < 256:
            return bytes([token_id])
        if self.is_special(token_id):
            return f"<|s{token_id}|>".encode()
        return PIECES[token_id - 256].encode()

    def token_to_id(self, token: str) -> int | None:
        return 256 + PIECES.index(token) if token in PIECES else None

    def id_to_token(self, token_id: int) -> str | None:
        return self.decode([token_id])

    def is_special(self, token_id: int) -> bool:
        return token_id >= FIRST_SPECIAL


TEXT_FIRST = "the README's rule: what cannot become a stop is released at once"
LOSSLESS = "the older column loses text, or does not stop at the earliest match"


def _tokenizer(given: Entry) -> Tokenizer:
    kinds: dict[str, Callable[[], Tokenizer]] = {"mock": MockTokenizer, "piece": PieceTokenizer}
    return kinds[given["tokenizer"]]()


def stop_decoder(given: Entry, entry: Entry) -> Any:
    """Follows the older column (the README's), unless its text is not the right one."""
    older = "".join(output[1] for output in _said(entry["expected"]) if len(output) > 1)
    text, _ = text_until_stop(
        _tokenizer(given), given["tokens"], _stops(given), skip_special_tokens=_skip(given)
    )
    if older == text:
        return Chosen("expected", _decoded(given, "partial"), TEXT_FIRST)
    return Chosen("expected_at_head", _decoded(given, "window"), LOSSLESS)


def _said(expected: Mapping[str, Any]) -> list[list[str]]:
    return [*expected["outputs"], expected["flush"]]


def _skip(given: Entry) -> bool:
    return bool(given["skip_special_tokens"])


def _stops(given: Entry) -> StopSequences:
    return StopSequences(
        frozenset(given["stop_tokens"]),
        tuple(given["stop_sequences"]),
        frozenset(given["visible_stop_tokens"]),
        tuple(given["visible_stop_sequences"]),
    )


def _decoded(given: Entry, hold: Hold) -> dict[str, Any]:
    decoder = StopSequenceDecoder(
        _tokenizer(given), _stops(given), skip_special_tokens=_skip(given), hold=hold
    )
    outputs = [_spelled(decoder.process(token)) for token in given["tokens"]]
    return {"outputs": outputs, "stopped": decoder.stopped, "flush": _spelled(decoder.flush())}


def _spelled(output: Output) -> list[str]:
    return (
        [output.kind, output.text]
        if output.kind.startswith(("text", "stopped_"))
        else [output.kind]
    )


def decode_stream(given: Entry, entry: Entry) -> Any:
    stream = DecodeStream(_tokenizer(given), given["prompt"], skip_special_tokens=_skip(given))
    steps = [stream.step(token) for token in given["tokens"]]
    return _lossless_column(entry, {"steps": steps, "flush": stream.flush()})


def _told(column: Entry) -> str:
    return "".join(text or "" for text in [*column["steps"], column.get("flush")])


def sequence(given: Entry, entry: Entry) -> Any:
    tokens = TokenSequence(_tokenizer(given), given["prompt"], skip_special_tokens=_skip(given))
    steps = [tokens.append(token) for token in given["tokens"]]
    return _lossless_column(entry, {"steps": steps, "len": len(tokens)})


def _lossless_column(entry: Entry, actual: dict[str, Any]) -> Any:
    if entry["same_at_head"] or _told(entry["expected"]) == _told(actual):
        return actual
    return Chosen("expected_at_head", actual, "no character may be lost; the older code lost some")


def mock_tokenizer(given: Entry, entry: Entry) -> Any:
    tokenizer = MockTokenizer()
    if "encode" in given:
        return tokenizer.encode(given["encode"])
    return tokenizer.decode(given["decode"], skip_special_tokens=_skip(given))


def mock_tokenizers(given: Any, entry: Entry) -> Any:
    return DEFINITION


COMPONENTS: dict[str, Component] = {
    "stop_decoder": stop_decoder,
    "decode_stream": decode_stream,
    "sequence": sequence,
    "mock_tokenizer": mock_tokenizer,
    "mock_tokenizers": mock_tokenizers,
}
