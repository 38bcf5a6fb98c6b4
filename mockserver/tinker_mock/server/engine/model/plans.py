"""Where questions lie in a table, kept for those that are asked again and again."""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary

from tinker_mock.server.engine.model.contexts import Contexts
from tinker_mock.server.engine.model.keys import Floats, Ints
from tinker_mock.server.engine.model.layouts import Layout

MOST_ENTRIES = 2**18
"""So many entries, some 45 bytes each, have all plans of one base model."""
MOST_PLANS = 64


@dataclass(frozen=True)
class Questions:
    """M tokens, each asked at one of N contexts: `owner` [M], None where M = N, one each.

    `name` is the same for the same questions; without one they are not expected again.
    """

    contexts: Contexts
    tokens: Ints
    owner: Ints | None = None
    name: bytes | None = None

    def spread(self, values: Any) -> Any:
        """What is known per context, per token."""
        return values if self.owner is None else values[..., self.owner]


@dataclass(frozen=True)
class Place:
    """Where M tokens lie that are asked at N contexts.

    `chains` [orders, N] are each context and its shorter ones, `deepest` [N] the longest of them
    that is listed, `entries` [M] the tokens' in the longest context that lists them, else -1.
    """

    chains: Ints
    deepest: Ints
    entries: Ints


@dataclass(frozen=True)
class Plan(Place):
    """And all else that the answers to `questions` take, as long as the table has this `revision`.

    Per token: `places` of the entries in the layout, -1 for those of order 0 that are not listed,
    the log weight without parameters, `plain`, and the log of the grammar's `factor`.
    """

    questions: Questions
    revision: tuple[int, ...]
    layout: Layout
    places: Ints
    plain: Floats
    factor: Floats


class Plans:
    """The plans used last, by whose they are and by the name of their questions.

    They go when their owner goes. Safe to use from several threads.
    """

    def __init__(self, limit: int = MOST_ENTRIES) -> None:
        self._limit = limit
        self._turn = 0
        self._kept: WeakKeyDictionary[object, dict[bytes, tuple[int, Plan]]] = WeakKeyDictionary()
        self._lock = Lock()

    def __deepcopy__(self, memo: dict[int, object]) -> Plans:
        """A copy keeps nothing: what is kept can be made again."""
        return Plans(self._limit)

    def get(self, owner: object, name: bytes) -> Plan | None:
        """The plan, which counts as used; None if there is none."""
        with self._lock:
            own = self._kept.get(owner, {})
            if name not in own:
                return None
            self._turn += 1
            plan = own[name][1]
            own[name] = self._turn, plan
            return plan

    def put(self, owner: object, name: bytes, plan: Plan) -> None:
        """Keep a plan, unless it is too large; those used longest ago make room."""
        with self._lock:
            own = self._kept.setdefault(owner, {})
            own.pop(name, None)
            if plan.layout.entries.size > self._limit:
                return
            self._turn += 1
            own[name] = self._turn, plan
            self._make_room()

    def _make_room(self) -> None:
        kept = [
            (turn, own, name, plan.layout.entries.size)
            for own in self._kept.values()
            for name, (turn, plan) in own.items()
        ]
        kept.sort(key=lambda one: one[0], reverse=True)
        held = 0
        for place, (_, own, name, size) in enumerate(kept):
            held += size
            if held > self._limit or place >= MOST_PLANS:
                del own[name]
