"""Which scenarios come through which functions: no other can notice a mutant there."""

import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType

from tests.mutation.generated import ROOMS, SERVER

EVERYWHERE = "*"
"""Reached while the server starts and warms up: what it makes then is used by all."""
Reach = dict[str, list[str]]


class Tracer:
    """Notes each function of the rooms that is entered, in every thread."""

    def __init__(self) -> None:
        self.rooms = tuple(str(SERVER / room) for room in ROOMS)
        self.seen: set[str] = set()
        self.names: dict[int, tuple[CodeType, str]] = {}
        """By the code's identity, which is kept alive; its hash would take longer than the call."""

    def __call__(self, frame: FrameType, event: str, argument: object) -> None:
        known = self.names.get(id(frame.f_code))
        if known is None:
            known = self.names[id(frame.f_code)] = (frame.f_code, self.name(frame.f_code))
        if known[1]:
            self.seen.add(known[1])

    def name(self, code: CodeType) -> str:
        """File and outermost function; empty for code of elsewhere."""
        if not code.co_filename.startswith(self.rooms):
            return ""
        file = str(Path(code.co_filename).relative_to(SERVER))
        return f"{file}:{code.co_qualname.partition('.<locals>')[0]}"

    def taken(self) -> set[str]:
        """What was entered since the last time."""
        found, self.seen = self.seen, set()
        return found


@contextmanager
def tracing() -> Iterator[Tracer]:
    """A tracer at work."""
    tracer = Tracer()
    threading.settrace(tracer)  # type: ignore[arg-type]  # nothing is traced within a function
    sys.settrace(tracer)  # type: ignore[arg-type]
    try:
        yield tracer
    finally:
        sys.settrace(None)
        threading.settrace(None)  # type: ignore[arg-type]


def keep(reach: dict[str, set[str]], file: Path) -> None:
    """Write it down."""
    file.write_text(json.dumps({name: sorted(found) for name, found in reach.items()}), "utf-8")


def read(file: Path) -> Reach:
    """What was written down; nothing where nothing was."""
    return dict(json.loads(file.read_text("utf-8"))) if file.exists() else {}
