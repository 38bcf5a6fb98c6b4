"""Holding the journal against expectations; a failed one names the nearest exchange and why."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from tinker_mock.contracts.pointer import find
from tinker_mock.server.journal.entry import Entry
from tinker_mock.server.journal.query import MISSING, Query

CONDITIONS = [f.name for f in fields(Query) if f.name not in ("limit", "offset", "after", "body")]


@dataclass(frozen=True)
class Expectation:
    """Exchanges that fit `query` must be seen at least, at most so often (default: once)."""

    query: Query
    at_least: int
    at_most: int | None

    @classmethod
    def of(cls, written: dict[str, Any]) -> Expectation:
        """From the control API's form; `count` is short for both limits."""
        rest = dict(written)
        count = rest.pop("count", None)
        at_most = rest.pop("at_most", count)
        at_least = rest.pop("at_least", count)
        if at_least is None:
            at_least = 0 if at_most is not None else 1
        return cls(Query(**rest), at_least, at_most)

    def holds(self, count: int) -> bool:
        return count >= self.at_least and (self.at_most is None or count <= self.at_most)

    def wanted(self) -> str:
        if self.at_most == self.at_least:
            return f"exactly {self.at_least}"
        limit = "" if self.at_most is None else f", at most {self.at_most}"
        return f"at least {self.at_least}{limit}"


@dataclass(frozen=True)
class Failure:
    """Which expectation failed, in a sentence, with the nearest exchange's differences."""

    position: int
    sentence: str
    nearest: dict[str, Any] | None


@dataclass(frozen=True)
class Result:
    counts: list[int]
    failure: Failure | None = None


def verify(entries: list[Entry], expectations: list[Expectation], *, in_order: bool) -> Result:
    """Count exchanges per expectation; in order, each one counts after the previous one's last."""
    counts: list[int] = []
    start = 0
    for position, expectation in enumerate(expectations):
        window = entries[start:]
        fitting = [i for i, entry in enumerate(window) if expectation.query.fits(entry)]
        counts.append(len(fitting))
        if not expectation.holds(len(fitting)):
            return Result(counts, _failure(position, expectation, len(fitting), window))
        if in_order and fitting:
            last = max(expectation.at_least, 1) if expectation.at_most is None else len(fitting)
            start += fitting[last - 1] + 1
    return Result(counts)


def _failure(position: int, expectation: Expectation, count: int, seen: list[Entry]) -> Failure:
    sentence = (
        f"expectation {position}: {_described(expectation.query)} was seen {count} times, "
        f"expected {expectation.wanted()}"
    )
    others = [entry for entry in seen if not expectation.query.fits(entry)]
    return Failure(position, sentence, near_miss(expectation.query, others))


def _described(query: Query) -> str:
    conditions = {name: getattr(query, name) for name in CONDITIONS}
    words = [f"{name}={value}" for name, value in conditions.items() if value is not None]
    words += [f"body{pointer}={value!r}" for pointer, value in query.body.items()]
    return " ".join(words) or "any exchange"


def near_miss(query: Query, entries: list[Entry]) -> dict[str, Any] | None:
    """The entry with the fewest differences (the latest of equals), field by field."""
    best: tuple[int, Entry, list[dict[str, Any]]] | None = None
    for entry in entries:
        found = differences(query, entry)
        if best is None or len(found) <= best[0]:
            best = (len(found), entry, found)
    if best is None:
        return None
    return {"number": best[1].number, "operation": best[1].operation, "differences": best[2]}


def differences(query: Query, entry: Entry) -> list[dict[str, Any]]:
    """Each condition of the query that the entry does not meet."""
    found = []
    for name in CONDITIONS:
        wanted = getattr(query, name)
        if wanted is not None and not Query(**{name: wanted}).fits(entry):
            found.append({"field": name, "expected": wanted, "actual": getattr(entry, name)})
    body = entry.request_body if query.body else None
    for pointer, wanted in query.body.items():
        actual = find(body, pointer, MISSING)
        if actual != wanted:
            shown = None if actual is MISSING else actual
            found.append({"field": f"body{pointer}", "expected": wanted, "actual": shown})
    return found
