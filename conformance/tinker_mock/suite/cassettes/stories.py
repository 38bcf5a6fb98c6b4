"""All programs of cassettes, with the server that each needs and the clients that tell it."""

import httpx
import yaml

from tinker_mock.suite.cassettes import records, situations, text_programs
from tinker_mock.suite.cassettes.programs import PROGRAMS
from tinker_mock.suite.cassettes.situation import SITUATIONS, Situation
from tinker_mock.suite.sdk import environment

STORIES: dict[str, Situation] = {
    **{name: Situation(run) for name, run in PROGRAMS.items()},
    **SITUATIONS,
}
SOURCES = (situations, records, text_programs)
"""The modules whose programs are in SITUATIONS."""

IN_FULL = ("tinker-0.7.0", "tinker-0.24.1", "tinker-0.38.0")
"""The releases that tell every story: each has a preset of the reference client."""

SMALL = (
    "supervised-steps",
    "sample-narrowly",
    "checkpoints",
    "waiting",
    "throttled",
    "unknown-run",
)
"""What every other release of the SDK tells."""


def told_by(client: str) -> tuple[str, ...]:
    """The stories of a client: an SDK release, a preset of the reference client, a text client."""
    if not client.startswith("tinker-"):
        return tuple(name for name, one in STORIES.items() if client in one.clients)
    if client not in IN_FULL:
        return SMALL
    return tuple(name for name, one in STORIES.items() if not one.clients)


def tellers() -> tuple[str, ...]:
    """Every client that tells stories, those in full first."""
    others = {name for one in STORIES.values() for name in one.clients}
    small = [f"tinker-{release}" for release in environment.releases()]
    return (*IN_FULL, *sorted(others), *(one for one in small if one not in IN_FULL))


def flags(program: str) -> tuple[str, ...]:
    """The options that a mock must be started with for a program."""
    return STORIES[program].options if program in STORIES else ()


def play(url: str, program: str) -> None:
    """Put a mock into a program's scenario, or back into none. Raises `httpx.HTTPError`."""
    scenario = STORIES[program].scenario if program in STORIES else {}
    text = yaml.safe_dump({"summary": program, **scenario})
    told = {"yaml": text} if scenario else {"name": "healthy"}
    httpx.put(f"{url}/_mock/scenario", json=told, timeout=60).raise_for_status()
