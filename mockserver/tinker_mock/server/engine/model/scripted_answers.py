"""Scripted answers: prompts whose next tokens are set beforehand.

A scripted answer lifts the weights of its tokens so that the untrained model gives it exactly its
probability. It is part of the distribution: scoring and sampling agree on it, and training can
unlearn it. Where an answer may begin is read off the tokens alone (where an assistant's turn opens,
before or after a thinking block that the prompt brings along), and remembered of every prompt that
was sampled: so a prompt that breaks off anywhere has its answer, and is trained on as it was drawn.
"""

import bisect
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from tinker_mock.server.engine.errors import EngineError
from tinker_mock.server.engine.model.answer_paths import Answer, AnswerPaths, Path
from tinker_mock.server.engine.model.grammar import ChatGrammar
from tinker_mock.server.engine.model.keys import Ints
from tinker_mock.server.engine.model.search import check_pattern, found
from tinker_mock.server.lru import LruCache

Decode = Callable[[Sequence[int]], str]
KEPT_PROMPTS = 65536
LONGEST_PREFILL = 8
"""A thinking block that a prompt brings along has at most so many tokens."""


@dataclass(frozen=True)
class Prompt:
    """What stands before an answer. `turn` is where the assistant's turn begins in `tokens`.

    Ids from `size` on have no text.
    """

    tokens: tuple[int, ...]
    turn: int
    decode: Decode | None
    size: int

    @cached_property
    def text(self) -> str | None:
        """The prompt as text, pictures left out; None without a tokenizer."""
        return self._text(0)

    @cached_property
    def prefill(self) -> str:
        """What the prompt says in the assistant's name."""
        return self._text(self.turn) or ""

    def _text(self, begin: int) -> str | None:
        if self.decode is None:
            return None
        return self.decode([t for t in self.tokens[begin:] if 0 <= t < self.size])


class Script(Protocol):
    """Whoever has answers to prompts."""

    def answers(self, prompt: Prompt) -> Sequence[Answer]:
        """What may follow the prompt; nothing where the script does not apply."""
        ...

    def ends(self, tokens: list[int]) -> list[int]:
        """Places at which prompts of this script end, whatever their form."""
        ...


@dataclass(frozen=True)
class ScriptedAnswer:
    """One answer to a prompt whose text a regular expression finds, or that has these tokens.

    Tokens count wherever a turn opens after them, and where a plain prompt ends with them.
    `completion` is the answer's tokens, the end token included if wanted.
    """

    pattern: str | tuple[int, ...]
    completion: tuple[int, ...]
    probability: float = 0.999

    def __post_init__(self) -> None:
        if not 0.0 < self.probability < 1.0:
            raise EngineError(
                "probability", f"must lie between 0 and 1, got {self.probability}", "Use 0.999"
            )
        if not self.completion:
            raise EngineError("completion", "must have at least one token", "Add tokens")
        if not self.pattern:
            raise EngineError("pattern", "must not be empty", "Give text or tokens to look for")
        if isinstance(self.pattern, str):
            check_pattern(self.pattern)

    def answers(self, prompt: Prompt) -> Sequence[Answer]:
        """Its one answer, if the prompt has the pattern."""
        if isinstance(self.pattern, tuple):
            fits = bool(ends_of(list(prompt.tokens), self.pattern))
        else:
            fits = prompt.text is not None and found(self.pattern, prompt.text)
        return [Answer(self.completion, self.probability)] if fits else []

    def ends(self, tokens: list[int]) -> list[int]:
        return ends_of(tokens, self.pattern) if isinstance(self.pattern, tuple) else []


class ScriptedAnswers:
    """The scripts of one base model, newest first."""

    def __init__(self, grammar: ChatGrammar, tokenizer_size: int) -> None:
        self.grammar = grammar
        self.tokenizer_size = tokenizer_size
        self.decode: Decode | None = None
        self._scripts: tuple[Script, ...] = ()
        self._sampled: dict[int, None] = {}
        self._starts: LruCache[int, tuple[Path | None]] = LruCache(KEPT_PROMPTS)

    def __bool__(self) -> bool:
        return bool(self._scripts)

    @property
    def entries(self) -> tuple[Script, ...]:
        """The scripts in force, newest first."""
        return self._scripts

    def add(self, script: Script) -> None:
        """It goes before those that are there already."""
        self._replace((script, *self._scripts))

    def clear(self) -> None:
        self._replace(())

    def _replace(self, scripts: tuple[Script, ...]) -> None:
        self._scripts = scripts
        self._starts = LruCache(KEPT_PROMPTS)
        self._sampled = {}

    def use_text(self, decode: Decode | None) -> None:
        """Read prompts with this tokenizer."""
        if decode != self.decode:
            self.decode = decode
            self._starts = LruCache(KEPT_PROMPTS)

    def begin(self, tokens: Ints, answered: int = 0) -> Path | None:
        """Where a sample stands that goes on after `tokens`, of which the last `answered` are its
        own; the end of its prompt is remembered."""
        if not self._scripts:
            return None
        prompt = tokens[: tokens.size - answered]
        hashes = prefix_hashes(prompt)
        end = prompt.size - 1
        path = self.path_at_end(prompt)
        inside = path is not None and path.depth > 0
        if not inside or end in self._prefilled(prompt.tolist(), end):
            path = self._start(prompt.tolist(), end, int(hashes[end]))
            if path is not None:
                self._remember(int(hashes[end]))
        return self.path_at_end(tokens) if answered else path

    def _remember(self, key: int) -> None:
        self._sampled[key] = None
        if len(self._sampled) > KEPT_PROMPTS:
            self._sampled.pop(next(iter(self._sampled)), None)

    def path_at_end(self, tokens: Ints) -> Path | None:
        """Where the end of the tokens lies in an answer."""
        places = deque(self._follow(tokens, prefix_hashes(tokens)), maxlen=1)
        return places[0][1] if places and places[0][0] == tokens.size - 1 else None

    def due(self, tokens: Ints) -> list[tuple[int, list[tuple[int, float]]]]:
        """(position, its scripted successors with their log odds) wherever there are any."""
        if not self._scripts or tokens.size == 0:
            return []
        found = ((at, path.following()) for at, path in self._follow(tokens, prefix_hashes(tokens)))
        return [(at, following) for at, following in found if following]

    def _follow(self, tokens: Ints, hashes: NDArray[np.uint64]) -> Iterator[tuple[int, Path]]:
        """Every place inside an answer, or where one may begin.

        The end of a sampled prompt begins one in any case, other openings only where no answer is
        under way: a thinking block is part of an answer that has one.
        """
        listed: list[int] = tokens.tolist()
        headers = set(ends_of(listed, self.grammar.header)) if self.grammar.header else set()
        keys = hashes.tolist()
        known = self._sampled.keys() & keys
        sampled = {at for at, key in enumerate(keys) if key in known} if known else set()
        opens = headers | sampled
        for header in headers:
            opens |= self._prefilled(listed, header)
        for script in self._scripts:
            opens |= set(script.ends(listed))
        ordered = sorted(opens)
        path, at = None, ordered[0] if ordered else len(listed)
        while at < len(listed):
            if at in sampled or (path is None and at in opens):
                path = self._start(listed, at, int(hashes[at]))
            if path is None:
                later = bisect.bisect_right(ordered, at)
                at = ordered[later] if later < len(ordered) else len(listed)
                continue
            yield at, path
            at += 1
            path = path.step(listed[at]) if at < len(listed) else None

    def _start(self, listed: list[int], at: int, key: int) -> Path | None:
        return self._starts.get_or_make(key, lambda: (self._resolved(listed[: at + 1]),))[0]

    def _resolved(self, tokens: list[int]) -> Path | None:
        header = self.grammar.header
        turn = max(ends_of(tokens, header), default=len(tokens) - 1) + 1 if header else len(tokens)
        prompt = Prompt(tuple(tokens), turn, self.decode, self.tokenizer_size)
        for script in self._scripts:
            answers = tuple(script.answers(prompt))
            if answers:
                return AnswerPaths(answers, script).start()
        return None

    def _prefilled(self, listed: list[int], last: int) -> set[int]:
        """The ends of a thinking block, whole or begun, around or after place `last`."""
        header = self.grammar.header
        if not header or self.grammar.think_open is None:
            return set()
        marks = {self.grammar.think_open, self.grammar.think_close}
        begin = max((end for end in ends_of(listed[: last + 1], header)), default=None)
        found: set[int] = set()
        if begin is None:
            return found
        seen = False
        for at in range(begin + 1, min(len(listed), begin + 1 + LONGEST_PREFILL)):
            token = listed[at]
            seen = seen or token in marks
            if token not in marks and not self._blank(token):
                break
            if seen:
                found.add(at)
        return found

    def _blank(self, token: int) -> bool:
        known = self.decode is not None and 0 <= token < self.tokenizer_size
        return known and not (self.decode and self.decode([token]).strip())


def prefix_hashes(tokens: Ints) -> NDArray[np.uint64]:
    """A number for every beginning of the sequence; equal ones have the same number."""
    place = np.arange(tokens.size, dtype=np.uint64)
    mixed = (tokens.astype(np.uint64) + np.uint64(2)) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= (place + np.uint64(1)) * np.uint64(0xC2B2AE3D27D4EB4F)
    mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed ^= mixed >> np.uint64(32)
    found: NDArray[np.uint64] = np.cumsum(mixed, dtype=np.uint64)
    return found


def ends_of(tokens: list[int], wanted: Sequence[int]) -> list[int]:
    """Where the wanted tokens end."""
    size = len(wanted)
    row = np.asarray(tokens)
    ends = np.flatnonzero(row == wanted[-1])
    return [int(e) for e in ends if e + 1 >= size and tokens[e + 1 - size : e + 1] == [*wanted]]
