"""An answer as its model would write it after what the prompt brings along."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from tinker_mock.server.catalog import CatalogModel
from tinker_mock.server.scripts.formats import (
    CALL,
    FRAME,
    REASONING,
    TEXT,
    AnswerFormat,
    Span,
    format_of,
)
from tinker_mock.server.scripts.script import Spoken

WORDS = "\0"
"""Stands for an answer's words that were given as ids; no prompt has it."""


class Encode(Protocol):
    """Text to ids, marks in it as themselves."""

    def __call__(self, text: str, *, allow_special_tokens: bool) -> list[int]: ...


@dataclass(frozen=True)
class RenderedAnswer:
    """`spans` are (kind, ids) in order; `spoken` is what they say.

    `in_turn`: it is one of a sequence.
    """

    spoken: Spoken
    spans: tuple[tuple[str, tuple[int, ...]], ...]
    in_turn: bool = False

    @property
    def tokens(self) -> tuple[int, ...]:
        """All of it."""
        return tuple(token for _, ids in self.spans for token in ids)


def rendered(
    spoken: Spoken, model: CatalogModel, encode: Encode | None, prefill: str, first_call: int = 0
) -> RenderedAnswer:
    """The answer's ids after a turn that the prompt begins with `prefill`.

    Words given as ids stand where the text would; ids with a mark among them are the whole answer.
    `encode` is None for a model without text, whose answers are ids.
    """
    ends = model.end_tokens[:1] if spoken.end_turn else ()
    ids = spoken.tokens
    if ids is not None and (encode is None or any(map(model.is_mark, ids))):
        return RenderedAnswer(spoken, ((TEXT, ids), (FRAME, ends)))
    assert encode is not None
    form = format_of(model)
    said = spoken if ids is None else replace(spoken, text=WORDS)
    spans = _after(prefill, said, form, first_call)
    mark = form.calls_end if spoken.calls else None
    if spoken.end_turn and mark is not None:
        spans, ends = [*spans, (FRAME, mark)], ()
    found = [
        (kind, ids if ids and text == WORDS else tuple(encode(text, allow_special_tokens=True)))
        for kind, text in spans
        if text
    ]
    return RenderedAnswer(spoken, (*found, (FRAME, ends)))


def _after(prefill: str, spoken: Spoken, form: AnswerFormat, first_call: int) -> list[Span]:
    body = _body(spoken, form, first_call)
    if form.reasoning is None:
        return _beyond(prefill, body)
    opened, closed = form.reasoning
    thought: list[Span] = [(FRAME, opened), (REASONING, spoken.reasoning), (FRAME, closed)]
    if not prefill.strip():
        return [*thought, *body] if spoken.reasoning else body
    if closed.strip() in prefill:
        said = prefill.rpartition(closed.strip())[2].lstrip("\n")
        return _beyond(said, body)
    if opened.strip() not in prefill:
        return _beyond(prefill, body)
    whole = "".join(text for _, text in thought)
    if whole.startswith(prefill):
        return [*_beyond(prefill, thought), *body]
    return [*thought[1:], *body]


def _body(spoken: Spoken, form: AnswerFormat, first_call: int) -> list[Span]:
    around = form.text
    if spoken.calls and form.text_before_calls is not None:
        around = form.text_before_calls
    spans: list[Span] = []
    if spoken.text or not spoken.calls:
        spans = [(FRAME, around[0]), (TEXT, spoken.text), (FRAME, around[1])]
    if spoken.calls and form.calls is not None:
        spans += form.calls(spoken.calls, bool(spoken.text), first_call)
    return spans


def _beyond(prefill: str, spans: Sequence[Span]) -> list[Span]:
    """What is left of the spans where the prompt says their beginning already; else all."""
    if not "".join(text for _, text in spans).startswith(prefill):
        return [*spans]
    left, size = [], len(prefill)
    for kind, text in spans:
        cut, size = text[size:], max(0, size - len(text))
        left.append((kind, "" if kind == CALL and cut != text else cut))
    return left
