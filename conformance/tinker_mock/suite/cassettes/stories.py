"""All programs of cassettes, with the server that each needs."""

import httpx
import yaml

from tinker_mock.suite.cassettes.programs import PROGRAMS
from tinker_mock.suite.cassettes.situations import SITUATIONS, Situation

STORIES: dict[str, Situation] = {
    **{name: Situation(run) for name, run in PROGRAMS.items()},
    **SITUATIONS,
}

SMALL = (
    "supervised-steps",
    "sample-narrowly",
    "checkpoints",
    "waiting",
    "throttled",
    "unknown-run",
)
"""What every release of the SDK records; all else, the newest, the oldest and one between."""


def flags(program: str) -> tuple[str, ...]:
    """The options that a mock must be started with for a program."""
    return STORIES[program].options if program in STORIES else ()


def play(url: str, program: str) -> None:
    """Put a mock into a program's scenario, or back into none. Raises `httpx.HTTPError`."""
    scenario = STORIES[program].scenario if program in STORIES else {}
    text = yaml.safe_dump({"summary": program, **scenario})
    told = {"yaml": text} if scenario else {"name": "healthy"}
    httpx.put(f"{url}/_mock/scenario", json=told, timeout=60).raise_for_status()
