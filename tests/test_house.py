"""The rules that keep the house simple, checked over the source itself."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE_ROOTS = ("contracts", "mockserver", "conformance")


def modules() -> Iterator[tuple[str, Path]]:
    for root in SOURCE_ROOTS:
        for path in sorted((ROOT / root / "tinker_mock").rglob("*.py")):
            parts = path.relative_to(ROOT / root).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def imported(path: Path, module: str) -> Iterator[str]:
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - max(node.level - 1, 0)]
            prefix = ".".join(above) + "." if node.level else ""
            source = (prefix + (node.module or "")).rstrip(".")
            if source == "tinker_mock":  # a namespace: what is imported is the package itself
                yield from (f"{source}.{alias.name}" for alias in node.names)
            else:
                yield source


def import_graph() -> dict[str, set[str]]:
    """Module → modules of ours that it imports, late and type-checking imports included."""
    files = dict(modules())
    graph = {}
    for module, path in files.items():
        found = set(imported(path, module))
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and not node.level:
                parts = {f"{node.module}.{alias.name}" for alias in node.names} & files.keys()
                found |= parts
                if len(parts) == len(node.names):  # only files of the package, not itself
                    found.discard(str(node.module))
        graph[module] = (found & files.keys()) - {module}
    return graph


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """What is left when modules that import nothing of the rest are taken away again and again,
    from both ends."""
    rest = {module: set(names) for module, names in graph.items()}
    while True:
        wanted = {name for names in rest.values() for name in names}
        ends = {module for module, names in rest.items() if not names or module not in wanted}
        if not ends:
            return sorted([module, *sorted(names)] for module, names in rest.items())
        rest = {m: names - ends for m, names in rest.items() if m not in ends}


def tracked(*suffixes: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    return [p for name in listed if (p := ROOT / name).suffix in suffixes and p.exists()]


def test_no_files_import_each_other_in_a_circle() -> None:
    assert circles(import_graph()) == []
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == [["b", "c"], ["c", "b"]]


def test_names_say_something() -> None:
    empty = {"utils", "util", "helpers", "helper", "common", "misc", "base"}
    assert not [path for path in tracked(".py") if path.stem in empty]


def test_files_have_one_job() -> None:
    long = {str(p.relative_to(ROOT)): n for p in tracked(".py") if (n := lines(p)) > 450}
    assert not long


def lines(path: Path) -> int:
    return path.read_text().count("\n")


def test_nobody_sleeps_to_synchronise() -> None:
    sleeps = re.compile(r"\b(time\.sleep\(|asyncio\.sleep\((?!0\)))")
    allowed = {ROOT / "mockserver/tinker_mock/server/clock.py", Path(__file__)}
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in tracked(".py")
        if path not in allowed and "bench" not in path.parts and "client" not in path.parts
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if sleeps.search(line)
    ]
    assert not found


def test_nothing_built_is_kept() -> None:
    """Wheels, archives and programs come from where they are made, least of all other people's."""
    assert tracked(".whl", ".zip", ".tar", ".tgz", ".exe", ".so", ".jar") == []


@pytest.mark.parametrize(
    "pattern",
    [
        r"(?<![\w.])/(work|farm|root|home/\w+)/",
        r"BaseHTTPMiddleware",
        r"\b(TODO|FIXME|XXX)\b",
    ],
)
def test_source_never_mentions(pattern: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}"
        for path in tracked(".py", ".md", ".toml", ".yaml", ".yml", ".sh")
        if path != Path(__file__)
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if re.search(pattern, line)
    ]
    assert not found
