"""Scenarios: short stories played against a target, each telling about many checks."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from tinker_mock.contracts.ledger import CHAPTERS

if TYPE_CHECKING:
    from tinker_mock.suite.core.context import Stage

Play = Callable[["Stage"], None]
MODULES = (*CHAPTERS, "cases")


@dataclass(frozen=True)
class Scenario:
    """A story with a name, and the ids of every check it can speak to.

    `reads_only` stories change nothing on the server and may run with --read-only. `patient`
    stories wait for real time to pass; the runner plays them beside the others.
    """

    id: str
    checks: tuple[str, ...]
    play: Play
    reads_only: bool = False
    patient: bool = False


SCENARIOS: dict[str, Scenario] = {}


def scenario(
    name: str, *checks: str, reads_only: bool = False, patient: bool = False
) -> Callable[[Play], Play]:
    """Enter a function into the table of scenarios; raises ValueError for a name used twice."""

    def enter(play: Play) -> Play:
        add(Scenario(name, checks, play, reads_only, patient))
        return play

    return enter


def add(story: Scenario) -> None:
    """Enter one scenario; its id and its checks must be new."""
    if story.id in SCENARIOS:
        raise ValueError(f"scenario {story.id} exists already")
    SCENARIOS[story.id] = story


def load_scenarios() -> dict[str, Scenario]:
    """Every scenario of every chapter, in chapter order."""
    for module in MODULES:
        name = f"tinker_mock.suite.server.scenarios.{module}"
        try:
            import_module(name)
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
    return SCENARIOS
