"""The book of promises: submit, run in order, wait, cancel, retain, expire.

Everything here runs on the event loop. One event per open promise wakes its waiters; nothing
polls. Retention and lost predecessors are judged when somebody asks, so no timer is needed.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from tinker_mock.server.clock import Clock
from tinker_mock.server.errors import (
    Conflict,
    Gone,
    NotFound,
    OperationFailed,
    ServiceError,
    StorageFull,
)
from tinker_mock.server.promises.policy import CompletionPolicy
from tinker_mock.server.promises.retention import Retention
from tinker_mock.server.promises.room import Room
from tinker_mock.server.settings import KEPT_RESULTS, MAX_QUEUED, MAX_RESULTS
from tinker_mock.server.state.promise import DONE, Lane, Outcome, Promise
from tinker_mock.server.state.store import Store

log = logging.getLogger(__name__)
Perform = Callable[[Promise], Awaitable[Any]]
SWEEP_EVERY, SWEEP_AFTER = 60.0, 1000
"""Seconds, and promises, between looks for results that need not be kept any longer."""


class PromiseBook:
    """All promises of a server."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        policy: CompletionPolicy,
        perform: Perform,
        kept_results: int = KEPT_RESULTS,
        max_queued: int = MAX_QUEUED,
        max_results: int = MAX_RESULTS,
    ) -> None:
        self.store = store
        self.clock = clock
        self.policy = policy
        self.perform = perform
        self._finished: dict[str, asyncio.Event] = {}
        self._lane_changed: dict[str, asyncio.Event] = {}
        self._draining: dict[str, asyncio.Task[None]] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._gate = asyncio.Event()
        self._gate.set()
        self._active = 0
        self._quiet = asyncio.Event()
        self._swept, self._added = clock.now(), 0
        self.room = Room(max_queued)
        self.retention = Retention(
            store, clock, lambda: self.policy.limits.retention, kept_results, max_results
        )

    @property
    def promises(self) -> dict[str, Promise]:
        """Every promise by its request id."""
        return self.store.current.promises

    @property
    def lanes(self) -> dict[str, Lane]:
        """Every lane by its id."""
        return self.store.current.lanes

    # --- submitting -------------------------------------------------------------------------

    def lane(self, lane_id: str, *, ordered: bool) -> Lane:
        """The lane of that id, made when it is new."""
        return self.lanes.setdefault(lane_id, Lane(lane_id, ordered))

    def previous(self, lane_id: str, seq_id: int | None, fingerprint: str) -> Promise | None:
        """The promise an identical submission got before.

        Raises Conflict when the number was used for another body or has been passed.
        """
        lane = self.lanes.get(lane_id)
        if lane is None or (not seq_id and lane.ordered) or seq_id is None:
            return None
        promise = self._known(lane.submitted.get(seq_id, ""))
        if promise is None:
            if lane.ordered and seq_id < lane.expected:
                raise _passed(seq_id, lane)
            return None
        if promise.fingerprint != fingerprint:
            raise _reused(seq_id, lane)
        return promise

    def awaited(self, lane_id: str, seq_id: int | None) -> bool:
        """Whether what is in the lane waits for this number."""
        lane = self.lanes.get(lane_id)
        return lane is not None and lane.blocked() and seq_id == lane.expected

    def add(self, promise: Promise, *, ordered: bool) -> Promise:
        """Accept a promise and start it as soon as its lane lets it run."""
        self._sweep()
        lane = self.lane(promise.lane_id, ordered=ordered)
        promise.lane_id = lane.id  # one text for all of them
        self.promises[promise.request_id] = promise
        self._finished[promise.request_id] = asyncio.Event()
        lane.enter_promise(promise)
        self.room.enter(promise)
        if lane.ordered:
            self._drain(lane)
        else:
            self._start_unordered(promise)
        return promise

    def skip(self, lane_id: str, seq_id: int) -> None:
        """A rejected request has used up its number: those behind it must not wait for it."""
        lane = self.lanes.get(lane_id)
        if lane is None or not lane.ordered or seq_id in lane.submitted or seq_id < lane.expected:
            return
        lane.slots.setdefault(seq_id, None)
        lane.touch()
        self._drain(lane)

    # --- asking -----------------------------------------------------------------------------

    def get(self, tenant_id: str, request_id: str) -> Promise:
        """The tenant's promise. Raises NotFound, or Gone once its result is no longer kept."""
        promise = self._known(request_id)
        if promise is None or promise.tenant_id != tenant_id:
            raise NotFound(
                f"request_id: no promise {request_id!r} for this API key",
                pointer="/request_id",
                rule="the id comes from the answer to a submitted operation",
                fix="submit the operation and poll the request_id it returned",
                requirement="futures/unknown/404",
            )
        if promise.state == "expired":
            raise Gone(
                f"request_id: the promise {request_id!r} has expired",
                pointer="/request_id",
                rule=f"results are kept {self.policy.limits.retention:g} s",
                fix="submit the operation again, with a seq_id of its own",
            )
        return promise

    def read(self, promise: Promise) -> None:
        """A finished promise's outcome is told to its client."""
        if not promise.acknowledged:
            promise.acknowledged = True
        self.retention.read(promise)

    async def wait(self, promise: Promise, timeout: float) -> bool:
        """Wait until the promise is finished; False when `timeout` seconds pass first."""
        event = self._finished.get(promise.request_id)
        if not promise.open or event is None:
            return True
        return await self.clock.wait_for(event, timeout)

    def open_in(self, lane_id: str) -> list[Promise]:
        """The promises of a lane that have not finished."""
        lane = self.lanes.get(lane_id)
        known = [self.promises.get(r) for r in lane.submitted.values()] if lane else []
        return [promise for promise in known if promise is not None and promise.open]

    async def wait_lane(self, lane_id: str, after: int, timeout: float) -> list[Promise]:
        """Completions of a lane after position `after`, waiting for one if there is none."""
        lane = self.lane(lane_id, ordered=False)
        if lane.completed <= after and timeout > 0:
            event = self._lane_changed.setdefault(lane_id, asyncio.Event())
            await self.clock.wait_for(event, timeout)
        found = [self._known(request_id) for request_id in lane.after(after)]
        return [promise for promise in found if promise is not None]

    def cancel(self, promise: Promise) -> bool:
        """Cancel an open promise. Work that already runs in an ordered lane is finished."""
        lane = self.lanes[promise.lane_id]
        if not promise.open or (lane.ordered and promise.state == "running"):
            return False
        task = self._running.get(promise.request_id)
        for number, request_id in lane.slots.items():
            if request_id == promise.request_id:
                lane.slots[number] = None
                lane.touch()
        lane.arrivals.pop(promise.request_id, None)
        self._finish(promise, Outcome("cancelled", error="cancelled by client", category="user"))
        if task is not None:
            task.cancel()
        return True

    def expire(self, promise: Promise) -> None:
        """Make a promise unreadable (410) at once, whatever its state."""
        if promise.open and not self.cancel(promise):
            self._finish(promise, Outcome("expired"))
        self.retention.expire(promise)
        self._wake(promise)

    def fail(self, promise: Promise, outcome: Outcome) -> None:
        """Replace whatever became (or would have become) of a promise by a failure."""
        if promise.open:
            self._finish(promise, outcome)
        else:
            promise.state, promise.outcome = outcome.state, outcome

    # --- running ----------------------------------------------------------------------------

    def _drain(self, lane: Lane) -> None:
        task = self._draining.get(lane.id)
        if task is None or task.done():
            self._draining[lane.id] = asyncio.create_task(self._run_lane(lane))

    async def _run_lane(self, lane: Lane) -> None:
        while True:
            await self._gate.wait()
            lane.current = lane.current or lane.next_ready()
            if lane.current is None:
                self._draining.pop(lane.id, None)
                return
            await self._run(self.promises[lane.current])
            lane.current = None

    def _start_unordered(self, promise: Promise) -> None:
        task = asyncio.create_task(self._run(promise))
        self._running[promise.request_id] = task
        task.add_done_callback(lambda _: self._running.pop(promise.request_id, None))

    async def _run(self, promise: Promise) -> None:
        """Admit, perform, settle; every failure becomes the promise's own."""
        if promise.outcome is None and promise.open:
            promise.outcome = await self._accepted(promise)
        if promise.outcome is None and promise.open:
            await self.policy.admit(promise)
            await self._gate.wait()
            if promise.open:
                promise.state, promise.started_at = "running", self.clock.now()
                outcome = await self._outcome(promise)
                # It may have been failed or expired by hand meanwhile.
                promise.outcome = outcome if promise.open else promise.outcome
        if promise.outcome is not None and promise.open:
            await self.policy.settle(promise)
            self._finish(promise, promise.outcome)

    async def _accepted(self, promise: Promise) -> Outcome | None:
        """Nothing is done before it is kept that it was asked for; how it ends if that fails."""
        keeper = self.store.keeper
        if keeper is not None and not keeper.knows(promise):
            try:
                await keeper.kept_in_time()
            except StorageFull as error:
                return Outcome("failed", error=_sentence(error), category="server")
        return None

    async def _outcome(self, promise: Promise) -> Outcome:
        self._active += 1
        self._quiet.clear()
        try:
            result = await self.perform(promise)
            return promise.outcome or Outcome("completed", result=result)
        except OperationFailed as failure:
            return Outcome("failed", error=failure.message, category=failure.category)
        except ServiceError as failure:
            return Outcome("failed", error=_sentence(failure), category="user")
        except Exception as failure:
            log.exception("operation %s of promise %s", promise.operation, promise.request_id)
            reason = f"internal error: {type(failure).__name__}: {failure}"
            return Outcome("failed", error=reason, category="server")
        finally:
            self._active -= 1
            if not self._active:
                self._quiet.set()

    def _finish(self, promise: Promise, outcome: Outcome) -> None:
        if not promise.open:
            return
        promise.state, promise.outcome = outcome.state, outcome
        promise.finished_at = self.clock.now()
        promise.payload = DONE
        self.room.leave(promise)
        self.lanes[promise.lane_id].complete(promise)
        self.policy.finished(promise)
        self.retention.finished(promise)
        self._wake(promise)

    def _wake(self, promise: Promise) -> None:
        event = self._finished.pop(promise.request_id, None)
        if event is not None:
            event.set()
        changed = self._lane_changed.pop(promise.lane_id, None)
        if changed is not None:
            changed.set()

    # --- time -------------------------------------------------------------------------------

    def _known(self, request_id: str) -> Promise | None:
        """A promise, once the limits that depend on time were applied to it."""
        promise = self.promises.get(request_id)
        if promise is None:
            return None
        self.retention.judge(promise)
        lane = self.lanes[promise.lane_id]
        waited = self.clock.now() - promise.submitted_at
        if promise.state == "queued" and lane.blocked() and waited > self.policy.limits.gap:
            self._give_up(lane)
        return self.promises.get(request_id)

    def _give_up(self, lane: Lane) -> None:
        missing = lane.expected
        for request_id in lane.give_up_gap():
            message = (
                f"seq_id: {missing} never arrived on {lane.id}; operations run in seq_id order, "
                f"and this one waited {self.policy.limits.gap:g} s behind the missing one"
            )
            outcome = Outcome("failed", error=message, category="user")
            self._finish(self.promises[request_id], outcome)
        self._drain(lane)

    def _sweep(self) -> None:
        self._added += 1
        if self.clock.now() >= self._swept + SWEEP_EVERY or self._added >= SWEEP_AFTER:
            self._swept, self._added = self.clock.now(), 0
            self.retention.sweep()

    # --- pausing and closing ----------------------------------------------------------------

    async def pause(self) -> None:
        """Start no more work and return once none is running: the moment for a snapshot."""
        self._gate.clear()
        if self._active:
            await self._quiet.wait()

    def resume(self) -> None:
        """Let work start again."""
        self._gate.set()

    def reload(self) -> None:
        """The store has another state: waiters are woken, queued work starts again."""
        self.stop()
        self.retention.restart()
        events, self._finished = self._finished, {}
        changed, self._lane_changed = self._lane_changed, {}
        for event in [*events.values(), *changed.values()]:
            event.set()
        self.room.clear()
        self._go_on(self.promises.values(), self.lanes.values())

    def take_up(self, promises: Iterable[Promise], lanes: Iterable[Lane]) -> None:
        """These have come into the store: what is queued there starts."""
        self.retention.restart()
        self._go_on(promises, lanes)

    def _go_on(self, promises: Iterable[Promise], lanes: Iterable[Lane]) -> None:
        for promise in promises:
            if not promise.open:
                continue
            self.room.enter(promise)
            promise.state = "queued"
            self._finished[promise.request_id] = asyncio.Event()
            if not self.lanes[promise.lane_id].ordered:
                self._start_unordered(promise)
        for lane in lanes:
            if lane.ordered:
                self._drain(lane)

    def stop(self) -> None:
        """Cancel every task of the book."""
        for task in [*self._running.values(), *self._draining.values()]:
            task.cancel()
        self._running.clear()
        self._draining.clear()


def _sentence(failure: ServiceError) -> str:
    return failure.message if not failure.fix else f"{failure.message}; {failure.fix}"


def _passed(seq_id: int, lane: Lane) -> Conflict:
    return Conflict(
        f"seq_id: {seq_id} has been passed on {lane.id}, the next one is {lane.expected}",
        pointer="/seq_id",
        rule="a model's operations carry seq_ids 1, 2, 3, …, each used once",
        fix=f"submit with seq_id {lane.expected}",
    )


def _reused(seq_id: int, lane: Lane) -> Conflict:
    return Conflict(
        f"seq_id: {seq_id} was already used on {lane.id} for a different request",
        pointer="/seq_id",
        rule="repeating a seq_id is only allowed with the same body",
        fix="repeat the original request unchanged or use the next free seq_id",
        requirement="futures/repeat/other-body",
    )
