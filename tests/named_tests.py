"""The test functions of a file, for rows that name them."""

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]


@cache
def tests_of(path: str) -> frozenset[str]:
    """The names of the tests that a file of the repository defines; none where it is missing."""
    file = ROOT / path
    if not file.is_file():
        return frozenset()
    tree = ast.parse(file.read_text("utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    names = [node.name for node in ast.walk(tree) if isinstance(node, kinds)]
    return frozenset(name for name in names if name.startswith("test_"))


def missing(named: str) -> bool:
    """Whether `tests/file.py::test_name` is not there."""
    path, _, name = named.partition("::")
    return name not in tests_of(path)
