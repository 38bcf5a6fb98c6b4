"""Ids and chances as pure functions of the seed and of what is named.

An id never depends on arrival order where the request itself carries an order (session counters,
seq_ids), so two runs of one script give the same bytes whatever the network did.
"""

import hashlib
import json

from tinker_mock.server.state.store import Store


class IdSource:
    """Names things. Same seed and same questions: same answers."""

    def __init__(self, seed: int, store: Store | None = None) -> None:
        self.seed = seed
        self.store = store or Store()

    def derive(self, kind: str, *parts: object) -> str:
        """A UUID-shaped id of `kind` for `parts`."""
        text = "\x1f".join([str(self.seed), kind, *map(str, parts)])
        digits = hashlib.sha256(text.encode()).hexdigest()
        # Version 4 of RFC 9562, with its variant in the upper bits of a digit.
        variant = "89ab"[int(digits[16], 16) & 3]
        last = digits[20:32]
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{last}"

    def next(self, kind: str, *parts: object) -> str:
        """The next id of `kind` under `parts`, for things that carry no number of their own."""
        return self.derive(kind, *parts, self.count(kind, *parts))

    def count(self, kind: str, *parts: object) -> int:
        """How many of `kind` there are under `parts`, with one more: 1, 2, 3, …"""
        key = "\x1f".join([kind, *map(str, parts)])
        counters = self.store.current.counters
        counters[key] += 1
        return counters[key]

    def serial(self, kind: str) -> str:
        """A key of its own for each of `kind`, in order; servers that share a store mark theirs."""
        who = self.store.server
        return f"{self.count(kind, *([who] if who else [])):012d}{who}"

    def number(self, kind: str, *parts: object) -> int:
        """A 63-bit number of `kind` for `parts`: seeds of generators, key ids."""
        text = "\x1f".join([str(self.seed), kind, *map(str, parts)])
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def draw(*parts: object) -> float:
    """A number in [0, 1) that is a pure function of `parts`."""
    digest = hashlib.sha256(json.dumps([str(part) for part in parts]).encode()).digest()
    return int.from_bytes(digest[:7], "big") / 2**56
