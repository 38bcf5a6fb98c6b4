"""An answer leaves after what it tells of is kept, whatever the keeper does at that moment."""

import asyncio
from typing import Any

from tinker_mock.server.database.changes import Change
from tinker_mock.server.database.keeper import StateKeeper
from tinker_mock.server.state.records import TelemetrySummary
from tinker_mock.server.state.store import State


class Shelf:
    """A place that remembers which ids it was given; every commit is written in the thread."""

    at_once = 0
    failures: tuple[type[Exception], ...] = (OSError,)

    def __init__(self) -> None:
        self.kept: list[str] = []

    def load(self) -> State:
        return State()

    def write(self, change: Change) -> None:
        self.kept += [row.key for row in change.rows]

    def close(self) -> None:
        """Nothing is open."""


async def _changed_as_a_commit_ends() -> list[str]:
    shelf: Any = Shelf()
    keeper = StateKeeper(shelf, lambda: 0.0)
    state = keeper.load()
    state.telemetry["first"] = TelemetrySummary()
    waiting = asyncio.create_task(keeper.kept())
    await asyncio.sleep(0)
    here = {waiting, asyncio.current_task()}
    (commit,) = [task for task in asyncio.all_tasks() if task not in here]
    for _ in range(1_000_000):
        if commit.done():
            break
        await asyncio.sleep(0)
    state.telemetry["second"] = TelemetrySummary()
    await keeper.kept()
    kept = list(shelf.kept)
    await waiting
    keeper.close()
    return kept


def test_what_changes_in_the_turn_in_which_a_commit_ends_is_waited_for() -> None:
    assert asyncio.run(_changed_as_a_commit_ends()) == ["first", "second"]
