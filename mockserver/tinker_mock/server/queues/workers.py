"""Worker capacity per base model, first come first served, with an optional cold start."""

import asyncio
from collections import deque
from dataclasses import dataclass, field

from tinker_mock.server.clock import Clock


@dataclass
class WorkerPool:
    """`workers` slots of one base model. The first `enter` starts the cold start."""

    base_model: str
    workers: int
    cold_start: float
    clock: Clock
    warm_at: float | None = None
    holders: set[str] = field(default_factory=set)
    waiting: deque[tuple[str, asyncio.Event]] = field(default_factory=deque)
    resized: asyncio.Event = field(default_factory=asyncio.Event)

    async def enter(self, request_id: str) -> None:
        """Return once the request holds a worker; on cancellation it holds none."""
        if self.warm_at is None:
            self.warm_at = self.clock.monotonic() + self.cold_start
        while self.clock.monotonic() < self.warm_at:
            left = self.warm_at - self.clock.monotonic()
            await self.clock.wait_for(self.resized, left, background=True)
        if not self.waiting and len(self.holders) < self.workers:
            self.holders.add(request_id)
            return
        turn = asyncio.Event()
        self.waiting.append((request_id, turn))
        try:
            await self.clock.wait_for(turn, None)
        except asyncio.CancelledError:
            self.leave(request_id)
            raise

    def leave(self, request_id: str) -> None:
        """Free the worker (or the place in the queue) and let the next one in."""
        self.holders.discard(request_id)
        for place in [place for place in self.waiting if place[0] == request_id]:
            self.waiting.remove(place)
            place[1].set()
        self._admit_next()

    def resize(self, workers: int, cold_start: float) -> None:
        """Another number of workers; without a cold start the pool is warm at once."""
        self.workers, self.cold_start = workers, cold_start
        if not cold_start and self.warm_at is not None:
            self.warm_at = min(self.warm_at, self.clock.monotonic())
        resized, self.resized = self.resized, asyncio.Event()
        resized.set()
        self._admit_next()

    def _admit_next(self) -> None:
        while self.waiting and len(self.holders) < self.workers:
            next_id, turn = self.waiting.popleft()
            self.holders.add(next_id)
            turn.set()

    def reason(self, request_id: str) -> str | None:
        """Why the request does not run yet, in the words shown to the client."""
        if request_id in self.holders:
            return None
        left = (self.warm_at or 0.0) - self.clock.monotonic()
        if left > 0:
            return f"{self.base_model} is being loaded, ready in {left:.0f} s"
        ahead = next((i for i, place in enumerate(self.waiting) if place[0] == request_id), 0)
        return (
            f"all {self.workers} workers of {self.base_model} are busy, "
            f"{ahead} operations are ahead"
        )
