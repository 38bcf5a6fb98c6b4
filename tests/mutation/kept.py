"""What became of mutants, kept in a file: a long run goes on where it was stopped, or in parts."""

import hashlib
import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from tests.mutation.generated import ROOMS, Generated, files_of


@cache
def digest(rooms: tuple[str, ...]) -> str:
    """Of the source that is mutated: what was found of another one does not count."""
    content = b"".join(path.read_bytes() for path in files_of((), rooms))
    return hashlib.sha256(content).hexdigest()[:16]


def key(mutant: Generated) -> str:
    """A mutant's name in the file."""
    rooms = ("client",) if mutant.file.startswith("client/") else ROOMS
    return f"{digest(rooms)} {mutant.file} {mutant.operator} {mutant.place}"


class Kept:
    """A file of JSON lines; without one nothing is kept."""

    def __init__(self, file: Path | None) -> None:
        self.file = file
        self.said: dict[str, str] = {}
        if file is not None and file.exists():
            for line in file.read_text("utf-8").splitlines():
                self.said.update(json.loads(line))

    def add(self, mutant: Generated, said: str) -> None:
        """One more; several processes may write."""
        self.said[key(mutant)] = said
        if self.file is not None:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with self.file.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps({key(mutant): said}) + "\n")

    def left(self, mutants: Sequence[Generated]) -> list[Generated]:
        """Those that nothing is known of."""
        return [one for one in mutants if key(one) not in self.said]
