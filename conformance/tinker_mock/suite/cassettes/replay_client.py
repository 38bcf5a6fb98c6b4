"""One direction: the reference client meets a recorded server.

The client runs the cassette's program again; its requests must be the recorded ones, and it must
come to the recorded values. Where it differs on purpose, `deviations.yaml` says why.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from tinker_mock.client.config import presets
from tinker_mock.suite.cassettes.cassette import Cassette
from tinker_mock.suite.cassettes.comparing import unequal
from tinker_mock.suite.cassettes.deviations import unexplained
from tinker_mock.suite.cassettes.drivers import ReferenceDriver
from tinker_mock.suite.cassettes.recorded_server import Difference, RecordedServer
from tinker_mock.suite.cassettes.stories import STORIES

PRESETS = {
    "tinker-0.7.0": "python-0.7",
    "tinker-0.24.1": "python-0.24",
    "tinker-0.38.0": "python-latest",
}
"""The releases that a preset claims to be."""

LONGEST_REPLAY = 60.0
"""Seconds after which a replay is said to hang: no wait in it takes any time."""
_FOREVER = 60.0  # seconds: retries wait less, heartbeats' and refreshes' loops are longer


class ReplayDiffersError(AssertionError):
    """The client sent other requests than the recorded one; `differences` has each."""

    def __init__(self, differences: list[Difference]) -> None:
        super().__init__("; ".join(map(str, differences[:5])))
        self.differences = differences


@dataclass(frozen=True, slots=True)
class Replay:
    """What the client came to, and how its requests differ from the recorded ones."""

    preset: str
    values: dict[str, Any]
    differences: list[Difference]


class ReplayClock:
    """Waits take no time, for a recorded server has all its answers; long ones never end."""

    def __init__(self) -> None:
        self._elapsed = 0.0

    def now(self) -> float:
        return 1_750_000_000.0 + self._elapsed

    def monotonic(self) -> float:
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        if seconds > _FOREVER:
            await asyncio.Event().wait()
        self._elapsed += max(0.0, seconds)
        await asyncio.sleep(0)


def replayed(
    cassette: Cassette, preset: str | None = None, server: RecordedServer | None = None
) -> Replay:
    """Run the program in the preset that fits the recorded client, against the recorded server.

    Raises `ReplayDiffersError` for a replay without end, and what the program raises.
    """
    recorded = str(cassette.provenance["client"])
    preset = preset or PRESETS.get(recorded, recorded)
    recorder = server or RecordedServer(cassette)

    def play() -> dict[str, Any]:
        driver = ReferenceDriver("http://tinker", preset, recorder, ReplayClock())
        try:
            return STORIES[cassette.program].run(driver)
        finally:
            driver.close()

    return Replay(preset, _in_time(play), recorder.differences())


def _in_time(play: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What it returns or raises; `ReplayDiffersError` if it comes to no end."""
    outcome: Future[dict[str, Any]] = Future()

    def run() -> None:
        try:
            outcome.set_result(play())
        except BaseException as error:
            outcome.set_exception(error)

    threading.Thread(target=run, name="replay", daemon=True).start()
    try:
        return outcome.result(LONGEST_REPLAY)
    except TimeoutError:
        if outcome.done():
            raise
        waits = Difference("", "replayed", "", f"nothing for {LONGEST_REPLAY:g} s: it hangs")
        raise ReplayDiffersError([waits]) from None


def replay_to_client(
    cassette: Cassette, preset: str | None = None, server: RecordedServer | None = None
) -> dict[str, Any]:
    """The values the client comes to.

    Raises `ReplayDiffersError` when it sends anything that was not recorded, or leaves out what
    was, and no deviation is listed for it.
    """
    replay = replayed(cassette, preset, server)
    differences = unexplained(str(cassette.provenance["client"]), replay.differences)
    if differences:
        raise ReplayDiffersError(differences)
    return replay.values


def has_preset(cassette: Cassette) -> bool:
    """Whether a preset of the reference client stands for the recorded client."""
    recorded = str(cassette.provenance["client"])
    return PRESETS.get(recorded, recorded) in presets.PRESETS


def replay_problems(cassette: Cassette) -> list[str]:
    """Everything in which a replay differs from its recording; nothing for SDK-only programs."""
    if not STORIES[cassette.program].reference:
        return []
    try:
        return unequal(cassette.values, replay_to_client(cassette))
    except AssertionError as error:
        return str(error).split("; ")
