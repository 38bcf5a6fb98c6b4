"""A scripted answer as events: reasoning, text and calls, each where its tokens are."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator, Sequence

from tinker_mock.server.scripts.formats import CALL, REASONING, TEXT
from tinker_mock.server.scripts.rendering import RenderedAnswer
from tinker_mock.server.text.events import CallArguments, CallBegun, Ended, Event, TextDelta
from tinker_mock.server.text.generation import TextRun, Token
from tinker_mock.server.tokenizers import stop_decoder

KIMI_ID = re.compile(r"functions\.[^:]+:\d+")


class ToldAnswer:
    """`run` has drawn the answer's tokens, all of them or as many as the limit let it.

    `call_seed` is what the ids of calls follow from.
    """

    def __init__(
        self, run: TextRun, answer: RenderedAnswer, stops: tuple[str, ...], call_seed: str
    ) -> None:
        self.run = run
        self.answer = answer
        self.stops = stops
        self.call_seed = call_seed
        self.thoughts = 0
        self.calls = 0

    def events(self) -> Iterator[Event]:
        """The answer, and its end."""
        at, stopped, tokens = 0, None, self.run.taken
        surplus = max(0, len(tokens) - len(self.answer.tokens))
        if self.answer.spoken.end_turn:
            surplus = 0
        for kind, size in [*((kind, len(ids)) for kind, ids in self.answer.spans), (TEXT, surplus)]:
            part = tokens[at : at + size]
            at += len(part)
            if kind == REASONING:
                self.thoughts += len(part)
                yield from self._text(part, (), thinking=True)
            elif kind == TEXT:
                stopped = yield from self._text(part, self.stops, thinking=False)
            elif kind == CALL and len(part) == size:
                yield from self._call(part)
            if stopped is not None:
                break
        finish = self.run.finish
        reason = "length" if finish is None or finish.reason == "length" else "stop"
        if stopped is not None:
            reason = "stop"
        elif self.calls and reason == "stop":
            reason = "tool_calls"
        yield Ended(reason, stopped, at, self.thoughts)

    def _text(
        self, part: Sequence[Token], stops: tuple[str, ...], *, thinking: bool
    ) -> Generator[Event, None, str | None]:
        """The text that the tokens make; returns the stop string that ended it, if one did."""
        decoder = stop_decoder(self.run.model.tokenizer, stops)
        pending: list[Token] = []
        for token in part:
            text = decoder.process(token.id).text
            pending.append(token)
            if text:
                yield TextDelta(text, tuple(pending), thinking)
                pending = []
            if decoder.stopped:
                return str(decoder.matched_stop)
        if text := decoder.flush().text:
            yield TextDelta(text, tuple(pending), thinking)
        return None

    def _call(self, part: Sequence[Token]) -> Iterator[Event]:
        call, number = self.answer.spoken.calls[self.calls], self.calls
        self.calls += 1
        written = self.run.model.tokenizer.decode([token.id for token in part])
        known = KIMI_ID.search(written) if self.run.model.is_kimi else None
        digest = self.run.backend.ids.derive("tool-call", self.call_seed, number).replace("-", "")
        yield CallBegun(number, known[0] if known else f"call_{digest[:24]}", call.name)
        yield CallArguments(number, call.arguments)
