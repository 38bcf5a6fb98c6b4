"""Reading and moving the server's clock."""

from __future__ import annotations

from typing import Any

from tinker_mock.server.clock import ManualClock, RealClock, ScaledClock
from tinker_mock.server.control.call import Call, Handler, done
from tinker_mock.server.errors import Conflict
from tinker_mock.server.wire.exchange import Answer


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


async def get_clock(call: Call) -> Answer:
    return done(clock_state(call.simulator.clock))


async def advance_clock(call: Call) -> Answer:
    clock = call.simulator.clock
    if not isinstance(clock, ManualClock):
        raise Conflict(
            "clock: only a manual clock can be advanced",
            rule="real and scaled clocks run by themselves",
            fix="start the mock with --clock manual or --clock auto",
        )
    await clock.run_for(call.body["seconds"])
    return done(clock_state(clock))


HANDLERS: dict[str, Handler] = {"get_clock": get_clock, "advance_clock": advance_clock}
