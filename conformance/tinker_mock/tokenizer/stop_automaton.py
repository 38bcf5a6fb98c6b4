"""All stop strings in one machine (Aho and Corasick's), one step a character.

A state is the longest suffix of the text so far that begins some stop string; its depth is that
suffix's length, which is how much must be held back.
"""

import re
from collections import deque
from collections.abc import Sequence

Match = tuple[int, int, str | None, bool]
"""State, end of the match in the text, the stop (None: there was none), whether it is shown."""


class StopAutomaton:
    """Built once for the stops: (text, shown in the output)."""

    def __init__(self, stops: Sequence[tuple[str, bool]]) -> None:
        self.depths = [0]
        self._next: list[dict[str, int]] = [{}]
        self._fails = [0]
        # The longest stop that ends at a state, hidden before shown.
        self._ends: list[tuple[str, bool] | None] = [None]
        for stop, shown in stops:
            self._insert(stop, shown)
        self._link()
        firsts = "".join(re.escape(first) for first in self._next[0])
        self.firsts = re.compile(f"[{firsts}]")

    def _insert(self, stop: str, shown: bool) -> None:
        state = 0
        for character in stop:
            following = self._next[state].get(character)
            if following is None:
                following = len(self._next)
                self._next[state][character] = following
                self._next.append({})
                self._fails.append(0)
                self._ends.append(None)
                self.depths.append(self.depths[state] + 1)
            state = following
        before = self._ends[state]
        if before is None or before[1]:
            self._ends[state] = (stop, shown)

    def _link(self) -> None:
        waiting = deque(self._next[0].values())
        while waiting:
            state = waiting.popleft()
            if self._ends[state] is None:
                self._ends[state] = self._ends[self._fails[state]]
            for character, following in self._next[state].items():
                fail = self._fails[state]
                while fail and character not in self._next[fail]:
                    fail = self._fails[fail]
                self._fails[following] = self._next[fail].get(character, 0)
                waiting.append(following)

    def scan(self, state: int, text: str) -> Match:
        """Go through `text` up to the first end of a stop."""
        table, fails, ends = self._next, self._fails, self._ends
        for at, character in enumerate(text):
            while state and character not in table[state]:
                state = fails[state]
            state = table[state].get(character, 0)
            found = ends[state]
            if found is not None:
                return state, at + 1, *found
        return state, len(text), None, False
