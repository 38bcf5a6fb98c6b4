"""Room for requests that wait for their turn, shared by tenants, and for results that are kept.

What waits behind a seq_id that never comes, or behind long work, is held in memory until then.
"""

from collections import Counter

from tinker_mock.server.budget import MIB
from tinker_mock.server.errors import TooManyRequests
from tinker_mock.server.state.promise import Promise

LEAST_SHARES = 2
"""One tenant alone may hold this part of the room."""
RECORD = 2048
"""Bytes that a promise takes beside its request."""


class Room:
    """Requests of open promises: each tenant holds its share of `most` MiB at the most.

    All together hold no more than `most` times one and a harmonic sum over the tenants: 5 times
    with a hundred of them.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._held: Counter[str] = Counter()
        self._weights: dict[str, int] = {}

    @property
    def held(self) -> int:
        """Bytes of all tenants."""
        return self._held.total()

    def check(self, tenant_id: str, weight: int) -> None:
        """Raises TooManyRequests where the tenant's share is used up."""
        own = self._held.get(tenant_id, 0)
        share = self.most * MIB // max(LEAST_SHARES, len(self._held) + (not own))
        if own and own + weight + RECORD > share:
            error = TooManyRequests(
                f"queue: operations that wait hold {own / MIB:.1f} MiB of this API key's "
                f"{share / MIB:.1f} MiB",
                rule=f"at most {self.most} MiB for all that wait, shared by API keys",
                fix="wait until operations are done, send missing seq_ids, "
                "or serve with a greater --max-queued",
            )
            error.headers = {"Retry-After": "1"}
            raise error

    def enter(self, promise: Promise) -> None:
        """The promise waits from now on."""
        self.leave(promise)
        weight = self._weights[promise.request_id] = promise.weight + RECORD
        self._held[promise.tenant_id] += weight

    def leave(self, promise: Promise) -> None:
        """It has ended, if it was here at all: other servers of a store have some of their own."""
        weight = self._weights.pop(promise.request_id, 0)
        self._held[promise.tenant_id] -= weight
        if not self._held[promise.tenant_id]:
            del self._held[promise.tenant_id]

    def clear(self) -> None:
        """Nobody waits."""
        self._held.clear()
        self._weights.clear()
