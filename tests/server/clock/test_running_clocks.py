"""Real and scaled clocks, and choosing a clock by name."""

import asyncio
import time

import pytest

from tinker_mock.server.clock import ManualClock, RealClock, ScaledClock, clock_from


def test_a_scaled_clock_sleeps_a_fraction_of_the_time() -> None:
    async def scenario() -> float:
        clock = ScaledClock(1000)
        before = clock.monotonic()
        await clock.sleep(20)
        return clock.monotonic() - before

    assert asyncio.run(scenario()) >= 20


def test_running_clocks_keep_the_order_of_equal_instants() -> None:
    async def scenario() -> list[int]:
        clock, fired, done = ScaledClock(100), list[int](), asyncio.Event()
        when = clock.monotonic() + 1
        for number in range(50):
            clock.call_at(when, lambda number=number: fired.append(number))  # type: ignore[misc]
        clock.call_at(when, done.set)
        await clock.wait_for(done, None)
        return fired

    assert asyncio.run(scenario()) == list(range(50))


def test_an_earlier_timer_set_later_still_fires_first() -> None:
    async def scenario() -> list[str]:
        clock, fired, done = ScaledClock(1000), list[str](), asyncio.Event()
        now = clock.monotonic()
        clock.call_at(now + 30, done.set)
        clock.call_at(now + 20, lambda: fired.append("second"))
        clock.call_at(now + 10, lambda: fired.append("first"))
        await clock.wait_for(done, None)
        return fired

    assert asyncio.run(scenario()) == ["first", "second"]


def test_a_failing_timer_does_not_stop_the_others() -> None:
    async def scenario() -> tuple[bool, list[str]]:
        clock, done, complaints = ScaledClock(1000), asyncio.Event(), list[str]()
        asyncio.get_running_loop().set_exception_handler(
            lambda _loop, context: complaints.append(repr(context["exception"]))
        )
        clock.call_at(clock.monotonic() + 1, lambda: 1 / 0)
        clock.call_at(clock.monotonic() + 2, done.set)
        return await clock.wait_for(done, 100_000), complaints

    assert asyncio.run(scenario()) == (True, ["ZeroDivisionError('division by zero')"])


def test_the_real_clock_tells_unix_time() -> None:
    assert abs(RealClock().now() - time.time()) < 5


@pytest.mark.parametrize("jump", [1e6, -1e6])
def test_a_jump_of_the_machines_clock_moves_nothing(
    monkeypatch: pytest.MonkeyPatch, jump: float
) -> None:
    clock, real = RealClock(), time.time
    before, started = clock.now(), clock.monotonic()
    monkeypatch.setattr(time, "time", lambda: real() + jump)
    passed = clock.monotonic() - started
    assert abs(clock.now() - before - passed) < 5
    assert clock.monotonic() >= started


@pytest.mark.parametrize(
    ("spec", "kind", "autojump"),
    [
        ("real", RealClock, None),
        ("x60", ScaledClock, None),
        ("manual", ManualClock, False),
        ("auto", ManualClock, True),
    ],
)
def test_clocks_by_name(spec: str, kind: type, autojump: bool | None) -> None:
    clock = clock_from(spec)
    assert type(clock) is kind
    assert getattr(clock, "autojump", None) is autojump


@pytest.mark.parametrize("spec", ["", "fast", "x", "x0", "xnan", "x-2", "manual:x"])
def test_an_unknown_clock_is_refused_by_name(spec: str) -> None:
    with pytest.raises(ValueError, match="clock"):
        clock_from(spec)
