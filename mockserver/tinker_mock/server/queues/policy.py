"""The completion policy: what the promises ask about time, capacity and limits."""

import asyncio
from typing import Any

from tinker_mock.server.clock import Clock
from tinker_mock.server.promises.policy import QueueState
from tinker_mock.server.promises.tokens import prompt_tokens, written_tokens
from tinker_mock.server.queues.cycles import PATIENCE, ClockCycles
from tinker_mock.server.queues.rates import BillingGate, RateWindow
from tinker_mock.server.queues.rules import Completion, QueueRules
from tinker_mock.server.queues.workers import WorkerPool
from tinker_mock.server.settings import Limits
from tinker_mock.server.state.promise import Promise
from tinker_mock.server.state.records import Tenant

UNLIMITED = 1_000_000
DEFAULT_LIMITS = Limits()


class QueuePolicy:
    """Implements `CompletionPolicy` from the rules of a scenario.

    A promise passes rate limits, then takes a worker of its base model, keeps it while it runs
    and while its completion rule withholds the outcome, and gives it back when it is finished.
    `cycle` is the length of clock cycles, in seconds, where the rules name none.
    """

    def __init__(
        self,
        rules: QueueRules,
        clock: Clock,
        seed: int = 0,
        defaults: Limits = DEFAULT_LIMITS,
        cycle: float | None = None,
    ) -> None:
        self.clock = clock
        self.seed = seed
        self.defaults = defaults
        self.default_cycle = cycle
        self._patience = clock.patience
        self.pools: dict[str, WorkerPool] = {}
        self._polled: dict[str, asyncio.Event] = {}
        self._released: dict[str, asyncio.Event] = {}
        self._pausing: dict[str, tuple[Promise, RateWindow]] = {}
        self._admitting: dict[str, Promise] = {}
        self._heads: dict[str, Promise] = {}
        self.apply(rules)

    def restart(self) -> None:
        """Forget who holds and who waits: all work has been cancelled and starts anew."""
        for held in (self.pools, self._polled, self._released, self._pausing, self._heads):
            held.clear()
        self._admitting.clear()
        if self.cycles is not None:
            self.cycles.restart()

    def apply(self, rules: QueueRules) -> None:
        """Judge by these rules from now on; limits start counting afresh."""
        self.rules = rules
        self.limits = rules.limits(self.defaults)
        self.windows = [RateWindow(limit, self.clock) for limit in rules.rate_limits]
        self.billing = BillingGate(rules.billing, self.clock) if rules.billing else None
        length = rules.cycle or self.default_cycle
        self.cycles = ClockCycles(length, self.clock) if length else None
        self.clock.patience = max(self._patience, PATIENCE) if length else self._patience
        for pool in self.pools.values():
            rule = rules.capacity_for(pool.base_model)
            pool.resize(rule.workers if rule else UNLIMITED, rule.cold_start if rule else 0.0)

    # --- the CompletionPolicy protocol ------------------------------------------------------

    def submitting(self, tenant: Tenant, operation: str, payload: dict[str, Any]) -> None:
        if self.billing is not None:
            self.billing.check(tenant.id)
        for window in self.windows:
            if window.limit.mode == "reject" and window.limit.concerns(operation):
                window.reject(tenant.id)

    async def admit(self, promise: Promise) -> None:
        self._admitting[promise.request_id] = promise
        self._heads[promise.lane_id] = promise
        cycles = self.cycles
        promise.cycle = cycles.assign(promise) if cycles else None
        try:
            for window in self.windows:
                if window.limit.mode == "pause" and window.limit.concerns(promise.operation):
                    await self._pause(promise, window)
            pool = self._pool(promise.base_model)
            if pool is not None:
                await pool.enter(promise.request_id)
            if cycles and promise.cycle is not None:
                await cycles.wait_for_start(promise.cycle)
        finally:
            self._admitting.pop(promise.request_id, None)
            if self._heads.get(promise.lane_id) is promise:
                del self._heads[promise.lane_id]

    async def settle(self, promise: Promise) -> None:
        rule = self.rules.completion_for(promise.operation, promise.base_model)
        if self.cycles and promise.cycle is not None:
            await self.cycles.wait_for_end(promise.cycle)
        seconds = rule.after + self._latency(rule, promise)
        if seconds > 0:
            await self.clock.sleep(seconds, background=True)
        while promise.open and promise.polls < rule.polls:
            event = self._polled[promise.request_id] = asyncio.Event()
            await self.clock.wait_for(event, None)
        if promise.open and rule.manual:
            released = self._released.setdefault(promise.request_id, asyncio.Event())
            await self.clock.wait_for(released, None)

    def polled(self, promise: Promise) -> None:
        event = self._polled.pop(promise.request_id, None)
        if event is not None:
            event.set()

    def finished(self, promise: Promise) -> None:
        """The promise has ended, one way or another: free what it held."""
        for waiting in (self._released, self._polled):
            event = waiting.pop(promise.request_id, None)
            if event is not None:
                event.set()
        pool = self.pools.get(promise.base_model)
        if pool is not None:
            pool.leave(promise.request_id)

    def queue_state(self, promise: Promise) -> QueueState:
        """Follows from what holds the promise, or the one its lane is waiting for."""
        head = promise
        if promise.state == "queued" and promise.request_id not in self._admitting:
            head = self._heads.get(promise.lane_id, promise)
        paused = self._pausing.get(head.request_id)
        if paused is not None:
            window = paused[1]
            delay = window.delay(head.tenant_id)
            words = f"rate limit: {window.rule()}; next start in {delay:.0f} s"
            return QueueState("paused_rate_limit", words)
        pool = self.pools.get(head.base_model)
        if pool is not None and head.state == "queued" and head.outcome is None:
            reason = pool.reason(head.request_id)
            if reason is not None:
                return QueueState("paused_capacity", reason)
        return QueueState()

    # --- for the control API ----------------------------------------------------------------

    def release(self, request_id: str) -> None:
        """Let a manually completed operation show its outcome (now, or once it is computed)."""
        self._released.setdefault(request_id, asyncio.Event()).set()

    def held(self) -> list[str]:
        """Request ids that wait for `release`."""
        return [key for key, event in self._released.items() if not event.is_set()]

    # --- inside -----------------------------------------------------------------------------

    async def _pause(self, promise: Promise, window: RateWindow) -> None:
        self._pausing[promise.request_id] = (promise, window)
        try:
            await window.wait(promise.tenant_id)
        finally:
            self._pausing.pop(promise.request_id, None)

    def _pool(self, base_model: str) -> WorkerPool | None:
        rule = self.rules.capacity_for(base_model)
        if rule is None or not base_model:
            return None
        if base_model not in self.pools:
            self.pools[base_model] = WorkerPool(
                base_model, rule.workers, rule.cold_start, self.clock
            )
        return self.pools[base_model]

    def _latency(self, rule: Completion, promise: Promise) -> float:
        if rule.latency is None:
            return 0.0
        return rule.latency.seconds(
            promise.operation,
            prompt_tokens(promise.payload),
            written_tokens(promise.outcome.result if promise.outcome else None),
            self.seed,
            promise.request_id,
        )
