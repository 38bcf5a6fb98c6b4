"""When accepted work may run, and what a waiting client is told meanwhile."""

from dataclasses import dataclass
from typing import Any, Protocol

from tinker_mock.server.settings import Limits
from tinker_mock.server.state.promise import Promise
from tinker_mock.server.state.records import Tenant

ACTIVE = "active"


@dataclass(frozen=True)
class QueueState:
    """`active`, `paused_capacity` or `paused_rate_limit`, with the reason shown to the client."""

    state: str = ACTIVE
    reason: str | None = None


class CompletionPolicy(Protocol):
    """Decides on time and capacity; the promises decide on order.

    `submitting` may raise `TooManyRequests` or `PaymentRequired` before a promise exists.
    `admit` returns when the work may start (a promise reaches it only when its lane lets it),
    `settle` when the computed outcome may become visible. Both run on the event loop, are awaited
    once per promise, and are cancelled with it. `polled` is called for each poll of a promise,
    `finished` once it has ended, one way or another.
    """

    @property
    def limits(self) -> Limits: ...

    def submitting(self, tenant: Tenant, operation: str, payload: dict[str, Any]) -> None: ...

    async def admit(self, promise: Promise) -> None: ...

    async def settle(self, promise: Promise) -> None: ...

    def polled(self, promise: Promise) -> None: ...

    def finished(self, promise: Promise) -> None: ...

    def queue_state(self, promise: Promise) -> QueueState: ...
