"""The manual clock: time stands still, leaps exactly, and fires in order."""

import asyncio
import time

import pytest

from tinker_mock.server.clock import DEFAULT_START, ManualClock, skew


def test_time_stands_still_until_advanced() -> None:
    clock = ManualClock(start=1000.0)
    assert (clock.now(), clock.monotonic()) == (1000.0, 0.0)
    clock.advance(12.5)
    assert (clock.now(), clock.monotonic()) == (1012.5, 12.5)
    assert ManualClock().now() == DEFAULT_START


def test_time_never_goes_back() -> None:
    with pytest.raises(ValueError, match="seconds must be >= 0, got -1"):
        ManualClock().advance(-1)


def test_timers_fire_by_time_then_by_the_order_they_were_set() -> None:
    clock = ManualClock()
    fired: list[tuple[str, float]] = []

    def record(name: str) -> None:
        fired.append((name, clock.monotonic()))

    clock.call_at(5, lambda: record("late"))
    clock.call_at(2, lambda: record("first of two"))
    clock.call_at(2, lambda: record("second of two"))
    clock.call_at(2, lambda: record("cancelled")).cancel()
    clock.advance(4)
    assert fired == [("first of two", 2), ("second of two", 2)]
    clock.advance(4)
    assert fired[2:] == [("late", 5)]


def test_a_timer_set_by_a_timer_fires_within_the_same_advance() -> None:
    clock = ManualClock()
    ticks: list[float] = []

    def tick() -> None:
        ticks.append(clock.monotonic())
        clock.call_at(clock.monotonic() + 1, tick)

    clock.call_at(1, tick)
    clock.advance(3.5)
    assert ticks == [1, 2, 3]


async def _loop_of_sleeps(clock: ManualClock, log: list[float]) -> None:
    while True:
        await clock.sleep(10)
        log.append(clock.monotonic())


def test_run_for_lets_woken_tasks_reach_their_next_wait() -> None:
    async def scenario() -> list[float]:
        clock, log = ManualClock(), list[float]()
        sleeper = asyncio.create_task(_loop_of_sleeps(clock, log))
        await clock.run_for(35)
        sleeper.cancel()
        assert clock.monotonic() == 35
        return log

    assert asyncio.run(scenario()) == [10, 20, 30]


def test_run_for_waits_for_work_in_a_thread() -> None:
    async def scenario() -> tuple[float, list[float]]:
        clock, log = ManualClock(), list[float]()

        async def compute() -> None:
            await clock.sleep(1)
            with clock.busy():
                await asyncio.to_thread(sum, range(300_000))
            await clock.sleep(1)
            log.append(clock.monotonic())

        task = asyncio.create_task(compute())
        await clock.run_for(10)
        assert task.done()
        return clock.monotonic(), log

    assert asyncio.run(scenario()) == (10, [2])


def test_an_event_ends_a_wait_and_a_timeout_says_so() -> None:
    async def scenario() -> list[bool]:
        clock, event = ManualClock(), asyncio.Event()
        parked = asyncio.create_task(clock.wait_for(event, 30))
        gives_up = asyncio.create_task(clock.wait_for(event, 5))
        await clock.run_for(6)
        event.set()
        return [await parked, await gives_up, await clock.wait_for(event, 0)]

    assert asyncio.run(scenario()) == [True, False, True]


def test_a_cancelled_wait_leaves_no_timer_behind() -> None:
    async def scenario() -> int:
        clock = ManualClock()
        parked = asyncio.create_task(clock.wait_for(asyncio.Event(), 30))
        await clock.settle()
        parked.cancel()
        await asyncio.gather(parked, return_exceptions=True)
        return len(clock.timers.pending())

    assert asyncio.run(scenario()) == 0


def test_autojump_passes_an_hour_at_once() -> None:
    async def scenario() -> float:
        clock = ManualClock(autojump=True)
        await asyncio.gather(clock.sleep(3600), clock.sleep(10))
        return clock.monotonic()

    before = time.perf_counter()
    assert asyncio.run(scenario()) == 3600
    assert time.perf_counter() - before < 60


def test_autojump_waits_while_work_is_under_way() -> None:
    async def scenario() -> tuple[float, float]:
        clock = ManualClock(autojump=True)
        sleeper = asyncio.create_task(clock.sleep(5))
        with clock.busy():
            await asyncio.to_thread(sum, range(300_000))
            during = clock.monotonic()
        await sleeper
        return during, clock.monotonic()

    assert asyncio.run(scenario()) == (0, 5)


def test_waiting_on_the_clock_inside_busy_is_not_work() -> None:
    async def scenario() -> float:
        clock = ManualClock(autojump=True)
        with clock.busy():
            await clock.sleep(7)
        return clock.monotonic()

    assert asyncio.run(scenario()) == 7


def test_a_task_made_inside_busy_may_wait_for_it() -> None:
    async def scenario() -> float:
        clock = ManualClock(autojump=True)
        with clock.busy():
            await asyncio.wait({asyncio.create_task(clock.sleep(7))})
        with clock.busy():
            left_behind = asyncio.create_task(clock.sleep(3))
            await asyncio.sleep(0)
        await left_behind
        await clock.sleep(1)
        return clock.monotonic()

    assert asyncio.run(scenario()) == 11


def test_background_timers_fire_on_the_way_but_never_start_a_jump() -> None:
    async def scenario() -> tuple[list[str], list[str], float]:
        clock, fired = ManualClock(autojump=True), list[str]()
        clock.call_at(100, lambda: fired.append("expiry"), background=True)
        await clock.settle()
        await clock.settle()
        alone = list(fired)
        await clock.sleep(150)
        return alone, fired, clock.monotonic()

    assert asyncio.run(scenario()) == ([], ["expiry"], 150)


def test_skew_moves_wire_times_only() -> None:
    clock = ManualClock(start=1000.0)
    token = skew.set(-30)
    try:
        assert (clock.now(), clock.monotonic()) == (970.0, 0.0)
    finally:
        skew.reset(token)
    assert clock.now() == 1000.0
