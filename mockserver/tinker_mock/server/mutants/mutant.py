"""One mutant: which answers it touches, and what it does to them.

`of` names operations. `when` narrows: `status` (200, `4xx`), `request` and `answer` (JSON pointer →
value; `present`, `absent` or `long` instead of a value), `header` (request header → part of it),
`path` (part of the path), `result` (the operation whose result a poll gives). `do` is a list of
steps from `mutants/steps.py`. `ask` changes the request before it is served: JSON pointer
or `path.NAME` → value.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from tinker_mock.contracts.pointer import PointerError, find, put
from tinker_mock.server.mutants.steps import STEPS, Draft
from tinker_mock.server.wire.exchange import Answer, Exchange

ABSENT = object()
KEYS = ("of", "when", "do", "shares", "ask")
CONDITIONS = ("status", "request", "answer", "header", "path", "result")
NTH = ("from", "status", "body")


class MutantError(ValueError):
    """A mutant file that breaks its form, or a mutant that does not exist."""


@dataclass
class Mutant:
    """A broken rule. `count` numbers the answers it has touched."""

    check: str
    operations: tuple[str, ...]
    conditions: Mapping[str, Any] = field(default_factory=dict)
    steps: Sequence[tuple[str, Any]] = ()
    shares: tuple[str, ...] = ()
    asks: Mapping[str, Any] = field(default_factory=dict)
    count: int = 0

    @classmethod
    def parse(cls, check: str, row: Mapping[str, Any]) -> Mutant:
        """Read one row; raises MutantError naming the check and the fault."""
        when = row.get("when") or {}
        steps = [pair for step in row.get("do", ()) for pair in step.items()]
        _only(check, row, KEYS)
        _only(check, when, CONDITIONS)
        _only(check, dict(steps), STEPS)
        _only(check, dict(steps).get("nth", {}), NTH)
        if not (steps or row.get("ask")):
            raise MutantError(f"mutant {check}: does nothing: it needs do or ask")
        on = row.get("of") or ()
        return cls(
            check,
            (on,) if isinstance(on, str) else tuple(on),
            when,
            steps,
            tuple(row.get("shares") or ()),
            row.get("ask") or {},
        )

    def prepare(self, exchange: Exchange) -> None:
        """Change the request, if it is one of those."""
        if not self.asks or not self._concerns(exchange):
            return
        if _fits(exchange.body, self.conditions.get("request")):
            for pointer, value in self.asks.items():
                _put(exchange, pointer, value)

    def _concerns(self, exchange: Exchange) -> bool:
        operation = exchange.operation
        return not self.operations or (operation is not None and operation.id in self.operations)

    def touches(self, exchange: Exchange, draft: Draft) -> bool:
        """Whether this answer is one that the mutant breaks."""
        if not self._concerns(exchange):
            return False
        when = self.conditions
        return (
            _status_fits(draft.status, when.get("status"))
            and _fits(exchange.body, when.get("request"))
            and _fits(draft.value, when.get("answer"))
            and all(
                text in exchange.headers.get(k, "") for k, text in when.get("header", {}).items()
            )
            and when.get("path", "") in exchange.path
            and _result_fits(exchange.result_of or None, when.get("result"))
        )

    def rewrite(self, exchange: Exchange, answer: Answer) -> Answer:
        """The answer, broken if it is one of those."""
        draft = Draft.of(exchange, answer)
        if answer.stream is not None and "stream" not in dict(self.steps):
            return answer
        if not self.touches(exchange, draft):
            return answer
        self.count += 1
        draft.count = self.count
        if self.count < dict(self.steps).get("nth", {}).get("from", 1):
            return answer
        for name, argument in self.steps:
            STEPS[name](draft, argument)
        return draft.answer()


def _only(check: str, given: Iterable[str], known: Collection[str]) -> None:
    for key in given:
        if key not in known:
            raise MutantError(f"mutant {check}: unknown key {key!r}; known: {', '.join(known)}")


def _put(exchange: Exchange, pointer: str, value: Any) -> None:
    if pointer.startswith("path."):
        exchange.path_params[pointer.removeprefix("path.")] = value
        return
    with suppress(PointerError):
        put(exchange.body, pointer, value)


def _result_fits(actual: str | None, wanted: str | list[str] | None) -> bool:
    return wanted is None or actual in ([wanted] if isinstance(wanted, str) else wanted)


def _status_fits(status: int, wanted: Any) -> bool:
    if wanted is None:
        return True
    return f"{status // 100}xx" == wanted if isinstance(wanted, str) else status == wanted


def _fits(value: Any, wanted: Mapping[str, Any] | None) -> bool:
    for pointer, expected in (wanted or {}).items():
        actual = find(value, pointer, ABSENT)
        if expected in ("present", "absent"):
            fits = (actual is ABSENT) == (expected == "absent")
        elif expected == "long":
            fits = hasattr(actual, "__len__") and len(actual) > 1
        else:
            fits = actual == expected
        if not fits:
            return False
    return True
