"""Reading and moving the server's clock."""

from typing import Any

from tinker_mock.server.clock import LATEST, ManualClock, RealClock, ScaledClock
from tinker_mock.server.control.mock_control import MockControl
from tinker_mock.server.errors import BadRequest, Conflict
from tinker_mock.server.wire.exchange import Exchange


def clock_state(clock: Any) -> dict[str, Any]:
    """The contract's ClockState."""
    kind = "manual"
    if isinstance(clock, ScaledClock):
        kind = "real" if isinstance(clock, RealClock) else "scaled"
    elif clock.autojump:
        kind = "auto"
    return {
        "kind": kind,
        "now": clock.now(),
        "monotonic": clock.monotonic(),
        "timers": len(clock.timers.pending()),
    }


async def get_clock(control: MockControl, exchange: Exchange) -> dict[str, Any]:
    return clock_state(control.backend.clock)


async def advance_clock(control: MockControl, exchange: Exchange) -> dict[str, Any]:
    clock = control.backend.clock
    if not isinstance(clock, ManualClock):
        raise Conflict(
            "clock: only a manual clock can be advanced",
            rule="real and scaled clocks run by themselves",
            fix="start the mock with --clock manual or --clock auto",
        )
    seconds = exchange.body["seconds"]
    if clock.now() + seconds > LATEST:
        raise BadRequest(
            f"seconds: {seconds} lead beyond the year 9999",
            pointer="/seconds",
            rule="times on the wire have years of four digits",
            fix=f"advance by at most {LATEST - clock.now():.0f}",
        )
    await clock.run_for(seconds)
    return clock_state(clock)
