"""The server has one clock: no module but `clock` reads time or sets timers of its own."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import tinker_mock.server

ROOT = Path(tinker_mock.server.__file__).parent
FORBIDDEN = {
    "time.sleep",
    "time.time",
    "time.monotonic",
    "asyncio.timeout",
    "asyncio.wait_for",
    "datetime.now",
    "datetime.utcnow",
    "loop.call_later",
    "loop.call_at",
    "loop.time",
}
BREAKING = "mutants"  # whose job is to break rules, this one included


def uses(tree: ast.AST) -> Iterator[str]:
    """Dotted names of calls that read time or wait; `asyncio.sleep(0)` only yields the turn."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        name = ast.unparse(node.func)
        yields = node.args and isinstance(node.args[0], ast.Constant) and node.args[0].value == 0
        if name in FORBIDDEN or (name == "asyncio.sleep" and not yields):
            yield f"{name} (line {node.lineno})"


def modules() -> list[Path]:
    found = sorted(path.relative_to(ROOT) for path in ROOT.rglob("*.py"))
    return [p for p in found if p != Path("clock.py") and p.parts[0] != BREAKING]


@pytest.mark.parametrize("module", modules(), ids=str)
def test_time_comes_from_the_clock(module: Path) -> None:
    assert list(uses(ast.parse((ROOT / module).read_text("utf-8")))) == []


def test_the_check_finds_what_it_looks_for() -> None:
    code = "import time, asyncio\ntime.time()\nasyncio.sleep(0)\nasyncio.wait_for(x, 1)"
    assert list(uses(ast.parse(code))) == ["time.time (line 2)", "asyncio.wait_for (line 4)"]
