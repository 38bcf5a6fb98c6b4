"""Mutants that nobody chose: cosmic-ray's operators over the server's or the client's source."""

import random
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from functools import cache
from importlib.resources import files
from pathlib import Path

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

SERVER = Path(str(files("tinker_mock.server")))
CLIENT = Path(str(files("tinker_mock.client")))
ROOMS = ("engine", "promises", "service", "state")
LEFT_OUT = ("core/RemoveDecorator", "core/ExceptionReplacer", "core/Variable")
"""Decorators are applied once, at import; another exception class is seen by no client; the last
need to be told variables."""


@dataclass(frozen=True)
class Generated:
    """One mutation: in a file of the server or `client/…`, by an operator, at its n-th place."""

    file: str
    operator: str
    place: int

    def source(self) -> tuple[str, str]:
        """The file's text, and the mutated one."""
        text = place_of(self.file).read_text("utf-8")
        return text, str(mutate_code(text, get_operator(self.operator)(), self.place) or text)

    def lines(self) -> list[str]:
        """The unified diff of the two texts, without its head."""
        before, after = self.source()
        return list(unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm=""))[2:]

    def changed(self) -> str:
        """The changed lines, for people and for `argued.yaml`."""
        changed = [" ".join(line.split()) for line in self.lines() if line[:1] in "+-"]
        return " → ".join(one[1:].strip() for one in changed)

    def shown(self) -> str:
        """Where it is, and the changed lines."""
        where = next((line.split()[1].lstrip("-").split(",")[0] for line in self.lines()), "")
        return f"{self.file}:{where} `{self.changed()}`"


def place_of(file: str) -> Path:
    """Where a file is."""
    return (CLIENT.parent if file.startswith("client/") else SERVER) / file


def name_of(path: Path) -> str:
    """A file's name in mutations."""
    return str(path.relative_to(CLIENT.parent if path.is_relative_to(CLIENT) else SERVER))


@cache
def positions(file: str) -> tuple[Generated, ...]:
    """Every mutation of a file."""
    tree = get_ast(place_of(file).read_text("utf-8"))
    found = []
    for name in sorted(operator_names()):
        if name.startswith(LEFT_OUT):
            continue
        operator = get_operator(name)()
        count = sum(len(list(operator.mutation_positions(node))) for node in ast_nodes(tree))
        found += [Generated(file, name, place) for place in range(count)]
    return tuple(found)


def everything(but: Container[str] = (), rooms: Sequence[str] = ROOMS) -> list[Generated]:
    """Every mutation of the rooms but those of some files, in a fixed order."""
    return [one for path in files_of(but, rooms) for one in positions(name_of(path))]


def files_of(but: Container[str], rooms: Sequence[str] = ROOMS) -> list[Path]:
    """The files of the rooms but some, in a fixed order."""
    paths = sorted(path for room in rooms for path in place_of(f"{room}/").rglob("*.py"))
    return [path for path in paths if name_of(path) not in but]


def drawn(seed: int, but: Container[str] = (), rooms: Sequence[str] = ROOMS) -> Iterator[Generated]:
    """Mutations of files drawn by their size, in an order that the seed decides, each once."""
    dice = random.Random(seed)
    paths = files_of(but, rooms)
    sizes = [path.stat().st_size for path in paths]
    seen: set[Generated] = set()
    while True:
        (path,) = dice.choices(paths, sizes)
        found = positions(name_of(path))
        if found and (one := dice.choice(found)) not in seen:
            seen.add(one)
            yield one
