"""Scenarios: short programs played against a target, each making several checks."""

import ast
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from types import ModuleType

from tinker_mock.contracts.ledger import requirement_of
from tinker_mock.suite.core.context import ScenarioContext

Play = Callable[[ScenarioContext], None]


@dataclass(frozen=True)
class Scenario:
    """A name, the ids of every check that is made, and how it is played.

    `reads_only` scenarios change nothing on the server and may run with --read-only. `patient`
    ones wait for real time to pass; the runner plays them beside the others. What may be too much
    for a server comes `last`, so that nothing else suffers from it.
    """

    id: str
    checks: tuple[str, ...]
    play: Play
    reads_only: bool = False
    patient: bool = False
    last: bool = False


def scenario(
    name: str,
    *,
    judged_by: Callable[..., object] | None = None,
    reads_only: bool = False,
    patient: bool = False,
    last: bool = False,
) -> Callable[[Play], Scenario]:
    """Make a scenario of a function. Its checks are those that the function writes down, or
    `judged_by` where it leaves them to another."""

    def make(play: Play) -> Scenario:
        return Scenario(name, checks_of(judged_by or play), play, reads_only, patient, last)

    return make


def checks_of(function: Callable[..., object]) -> tuple[str, ...]:
    """The check ids written in a function, in what it calls of its own module or class, and in
    the module's tables that it reads; in the ledger's order.

    Raises ValueError where `check("…")` or `applies("…")` asks for an id that the ledger lacks.
    """
    module = inspect.getmodule(function)
    assert module is not None
    known = definitions(module)
    found: set[str] = set()
    seen: set[str] = set()
    left = [function.__qualname__.rpartition(".")[2]]
    while left:
        name = left.pop()
        if name in known and name not in seen:
            seen.add(name)
            found.update(written(known[name], module.__name__))
            left += mentioned(known[name])
    return tuple(check for check in requirement_of() if check in found)


@cache
def definitions(module: ModuleType) -> dict[str, ast.AST]:
    """The functions, methods and tables of a module by name."""
    known: dict[str, ast.AST] = {}
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.FunctionDef):
            # Decorators name the scenario, which may be called like a check.
            known[node.name] = ast.Module(node.body, [])
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Name) and target.id.isupper():
                    known[target.id] = node
    return known


def written(node: ast.AST, where: str) -> Iterator[str]:
    """The check ids among the texts below a node."""
    rules = requirement_of()
    for one in ast.walk(node):
        match one:
            case ast.Constant(value=str(text)) if text in rules:
                yield text
            case ast.Call(
                func=ast.Attribute(attr="check" | "applies"), args=[ast.Constant(value=name)]
            ) if name not in rules:
                raise ValueError(f"{where} makes the check {name!r}, which no ledger row names")


def mentioned(node: ast.AST) -> Iterator[str]:
    """The functions and methods that are called, and the tables that are read, below a node."""
    for one in ast.walk(node):
        match one:
            case ast.Call(func=ast.Name(id=name)):
                yield name
            case ast.Call(func=ast.Attribute(value=ast.Name(id="self"), attr=name)):
                yield name
            case ast.Name(id=name) if name.isupper():
                yield name
