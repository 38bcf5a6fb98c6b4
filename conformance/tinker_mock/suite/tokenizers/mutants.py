"""Tokenizers that break exactly one rule each: the proof that every check can fail."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

from tinker_mock.suite.tokenizers.subject import Subject
from tinker_mock.tokenizer import (
    DecodeStream,
    Output,
    SpecialTokens,
    StopSequenceDecoder,
    StopSequences,
    Tokenizer,
)

Change = Callable[[Subject], Subject]


class Changed:
    """A tokenizer with some of its methods replaced."""

    def __init__(self, tokenizer: Tokenizer, **changes: Any) -> None:
        self._tokenizer = tokenizer
        self.__dict__.update(changes)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tokenizer, name)


def _changed(subject: Subject, **changes: Any) -> Subject:
    return replace(subject, tokenizer=Changed(subject.tokenizer, **changes))


def _forgetful(subject: Subject) -> Subject:
    calls = count()
    encode = subject.tokenizer.encode
    return _changed(subject, encode=lambda text, **o: encode(text, **o) + [0] * (next(calls) % 2))


def _short_batches(subject: Subject) -> Subject:
    batch = subject.tokenizer.encode_batch
    return _changed(subject, encode_batch=lambda texts, **o: [ids[1:] for ids in batch(texts, **o)])


def _beyond(subject: Subject) -> Subject:
    encode, size = subject.tokenizer.encode, subject.tokenizer.vocab_size
    return _changed(subject, encode=lambda text, **o: [*encode(text, **o), size])


def _strict_text(subject: Subject) -> Subject:
    encode = subject.tokenizer.encode
    return _changed(subject, encode=lambda text, **o: encode(text.encode().decode(), **o))


def _specials(allowed: bool) -> Change:
    def change(subject: Subject) -> Subject:
        encode = subject.tokenizer.encode
        return _changed(
            subject, encode=lambda text, **o: encode(text, **{**o, "allow_special_tokens": allowed})
        )

    return change


def _decoding(decode: Callable[..., str]) -> Change:
    """`decode` is called with the real decode, the ids and the options."""

    def change(subject: Subject) -> Subject:
        real = subject.tokenizer.decode
        return _changed(subject, decode=lambda ids, **o: decode(real, ids, **o))

    return change


def _any_text(subject: Subject) -> Subject:
    real, size = subject.tokenizer.decode, subject.tokenizer.vocab_size
    return _changed(subject, decode=lambda ids, **o: real([i % size for i in ids], **o))


def _ignorant(subject: Subject) -> Subject:
    """Unfinished characters are dropped."""

    def decode(ids: Sequence[int], **options: Any) -> str:
        return b"".join(subject.tokenizer.token_bytes(i) or b"" for i in ids).decode(
            errors="ignore"
        )

    return _changed(subject, decode=decode)


class _HastyStream:
    """Every token at once, half characters and all; `drops` leaves those out."""

    def __init__(self, tokenizer: Tokenizer, prompt: Sequence[int], drops: bool = False) -> None:
        self._tokenizer = tokenizer
        self._drops = drops

    def step(self, token_id: int) -> str | None:
        text = self._tokenizer.decode([token_id])
        return text.replace("\ufffd", "") if self._drops else text

    def flush(self) -> str | None:
        return None


class _ParrotStream(DecodeStream):
    """Says the prompt again."""

    def __init__(self, tokenizer: Tokenizer, prompt: Sequence[int]) -> None:
        super().__init__(tokenizer)
        self._again = tokenizer.decode(prompt)

    def flush(self) -> str | None:
        return self._again + (super().flush() or "")


def _stopping(change: Callable[[StopSequences], StopSequences]) -> Change:
    def stopper(tokenizer: Tokenizer, stops: StopSequences) -> StopSequenceDecoder:
        return StopSequenceDecoder(tokenizer, change(stops))

    return lambda subject: replace(subject, stopper=stopper)


def _swapped(stops: StopSequences) -> StopSequences:
    return StopSequences(
        stops.stop_tokens,
        stops.visible_stop_sequences,
        stops.visible_stop_tokens,
        stops.stop_sequences,
    )


class _Forgetting(StopSequenceDecoder):
    """Keeps what it holds to itself at the end."""

    def flush(self) -> Output:
        super().flush()
        return Output("text")


class _Abrupt(StopSequenceDecoder):
    """Drops what it holds when a stop token comes."""

    def process(self, token_id: int) -> Output:
        output = super().process(token_id)
        return Output("stopped") if self.matched_stop == token_id else output


class _ByToken(StopSequenceDecoder):
    """Looks for stops in each token's own text."""

    def process(self, token_id: int) -> Output:
        return Output("text", self._tokenizer.decode([token_id]))


def _misnamed(subject: Subject) -> Subject:
    """Counts the unnamed slots from 0 instead of naming their ids."""
    ids = subject.tokenizer.special_tokens.ids
    base = subject.tokenizer.vocab_size - 256
    names = {
        text.replace(f"reserved_token_{i}", f"reserved_token_{i - base}"): i
        for text, i in ids.items()
    }
    return _changed(subject, special_tokens=SpecialTokens(ids=names))


def _turnless(subject: Subject) -> Subject:
    real = subject.tokenizer.apply_chat_template
    return _changed(
        subject,
        apply_chat_template=lambda messages, add_generation_prompt=False, **o: real(messages, **o),
    )


def _shifted(subject: Subject) -> Subject:
    real = subject.tokenizer.token_to_id
    return _changed(subject, token_to_id=lambda token: (real(token) or 0) + 1)


MUTANTS: dict[str, Change] = {
    "tokenizer/encode/deterministic": _forgetful,
    "tokenizer/encode/batch": _short_batches,
    "tokenizer/encode/range": _beyond,
    "tokenizer/encode/surrogates": _strict_text,
    "tokenizer/encode/specials": _specials(allowed=False),
    "tokenizer/encode/specials-off": _specials(allowed=True),
    "tokenizer/decode/round-trip": _decoding(lambda real, ids, **o: real(ids, **o).strip()),
    "tokenizer/decode/partial": _ignorant,
    "tokenizer/decode/skip-special": _decoding(lambda real, ids, **o: real(ids)),
    "tokenizer/decode/unknown-id": _any_text,
    "tokenizer/vocabulary/both-ways": _shifted,
    "tokenizer/stream/joins": lambda subject: replace(
        subject, stream=lambda tokenizer, prompt: _HastyStream(tokenizer, prompt, drops=True)
    ),
    "tokenizer/stream/whole-characters": lambda subject: replace(subject, stream=_HastyStream),
    "tokenizer/stream/prompt": lambda subject: replace(subject, stream=_ParrotStream),
    "tokenizer/stop/hidden": _stopping(_swapped),
    "tokenizer/stop/visible": _stopping(_swapped),
    "tokenizer/stop/earliest": _stopping(
        lambda stops: replace(stops, stop_sequences=stops.stop_sequences[:1])
    ),
    "tokenizer/stop/split-characters": lambda subject: replace(subject, stopper=_ByToken),
    "tokenizer/stop/nothing-lost": lambda subject: replace(subject, stopper=_Forgetting),
    "tokenizer/stop/token": lambda subject: replace(subject, stopper=_Abrupt),
    "tokenizer/template/generation-prompt": _turnless,
    "tokenizer/template/specials": _specials(allowed=False),
    "tokenizer/kimi/slots": _misnamed,
    "tokenizer/kimi/markers": _specials(allowed=False),
}
