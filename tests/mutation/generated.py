"""Mutants that nobody chose: cosmic-ray's operators over the server's own source."""

import random
from collections.abc import Container, Iterator
from dataclasses import dataclass
from difflib import unified_diff
from functools import cache
from importlib.resources import files
from pathlib import Path

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

SERVER = Path(str(files("tinker_mock.server")))
ROOMS = ("engine", "promises", "service", "state")
LEFT_OUT = ("core/RemoveDecorator", "core/ExceptionReplacer", "core/Variable")
"""Decorators are applied once, at import; another exception class is seen by no client; the last
need to be told variables."""


@dataclass(frozen=True)
class Generated:
    """One mutation: in a file below the server, by an operator, at its n-th place."""

    file: str
    operator: str
    place: int

    def source(self) -> tuple[str, str]:
        """The file's text, and the mutated one."""
        text = (SERVER / self.file).read_text("utf-8")
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


@cache
def positions(file: str) -> tuple[Generated, ...]:
    """Every mutation of a file."""
    tree = get_ast((SERVER / file).read_text("utf-8"))
    found = []
    for name in sorted(operator_names()):
        if name.startswith(LEFT_OUT):
            continue
        operator = get_operator(name)()
        count = sum(len(list(operator.mutation_positions(node))) for node in ast_nodes(tree))
        found += [Generated(file, name, place) for place in range(count)]
    return tuple(found)


def everything(but: Container[str] = ()) -> list[Generated]:
    """Every mutation of the rooms but those of some files, in a fixed order."""
    return [one for path in files_of(but) for one in positions(str(path.relative_to(SERVER)))]


def files_of(but: Container[str]) -> list[Path]:
    """The files of the rooms but some, in a fixed order."""
    paths = sorted(path for room in ROOMS for path in (SERVER / room).rglob("*.py"))
    return [path for path in paths if str(path.relative_to(SERVER)) not in but]


def drawn(seed: int, but: Container[str] = ()) -> Iterator[Generated]:
    """Mutations of files drawn by their size, in an order that the seed decides, each once."""
    dice = random.Random(seed)
    paths = files_of(but)
    sizes = [path.stat().st_size for path in paths]
    seen: set[Generated] = set()
    while True:
        (path,) = dice.choices(paths, sizes)
        found = positions(str(path.relative_to(SERVER)))
        if found and (one := dice.choice(found)) not in seen:
            seen.add(one)
            yield one
