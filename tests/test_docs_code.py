"""Every block of code in the documentation runs, or says that it is an illustration.

A block runs here, or in the test that `ELSEWHERE` names. Others stand after a line
`<!-- illustration -->` (which no reader sees); output, drawings and diagrams are `text` and
`mermaid`. Command lines of illustrations are parsed all the same.
"""

import ast
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from importlib import import_module
from pathlib import Path

import pytest

from tests.test_docs import ROOT, pages
from tinker_mock.cli.commands import COMMANDS
from tinker_mock.cli.parser import Parser

FENCE = re.compile(
    r"^(?P<mark><!-- illustration -->\n)?```(?P<kind>[^\n]*)\n(?P<code>.*?)^```$", re.M | re.S
)
ELSEWHERE = {
    ("docs/client/*.md", "python"): "tests/client/test_guide.py",
    ("examples/README.md", "console"): "tests/examples/test_examples.py",
    ("mockserver/tinker_mock/server/scenarios/README.md", "yaml"): (
        "tests/server/scenarios/test_pages.py"
    ),
}
DRAWN = ("text", "mermaid")
SHELLS = {"console": r"\$ ", "sh": "", "": ""}


@dataclass(frozen=True)
class Block:
    """A fenced block, and where it begins."""

    page: str
    line: int
    kind: str
    code: str
    illustration: bool

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def elsewhere(self) -> str | None:
        for (page, kind), test in ELSEWHERE.items():
            if fnmatch(self.page, page) and kind == self.kind:
                return test
        return None

    @property
    def runs_here(self) -> bool:
        return not (self.illustration or self.elsewhere or self.kind in DRAWN)


def blocks() -> Iterator[Block]:
    for page in pages():
        text = page.read_text("utf-8")
        for found in FENCE.finditer(text):
            line = text.count("\n", 0, found.start("kind")) + 1
            name = str(page.relative_to(ROOT))
            yield Block(name, line, found["kind"], found["code"], bool(found["mark"]))


BLOCKS = list(blocks())
LINE = r"(?P<line>(?:\w+=\S+ )*tinker-mock .*)$"
COMMANDS_SHOWN = {kind: re.compile(f"^{start}{LINE}", re.M) for kind, start in SHELLS.items()}


def test_there_is_no_other_kind() -> None:
    """What does not run here, is not drawn and is not marked has a test that is there."""
    assert {b.elsewhere for b in BLOCKS if b.elsewhere} == set(ELSEWHERE.values())
    assert all((ROOT / test).exists() for test in ELSEWHERE.values())
    odd = [str(b) for b in BLOCKS if b.runs_here and b.kind not in ("python", "console")]
    assert not odd, "mark these `<!-- illustration -->`, or let a test run them"


@pytest.mark.parametrize(
    "block", [b for b in BLOCKS if b.runs_here and b.kind == "python"], ids=str
)
def test_python_does_what_its_comments_say(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    if "def test_" in block.code:
        _run_pytest(block, tmp_path)
        return
    namespace = _namespace_of(block)
    lines = block.code.splitlines()
    for statement in ast.parse(block.code).body:
        told = _comments(lines[statement.end_lineno or 0 :])
        code = compile(ast.Module([statement], []), str(block), "exec")
        if isinstance(statement, ast.Expr):
            value = eval(compile(ast.Expression(statement.value), str(block), "eval"), namespace)
            assert told is None or value == ast.literal_eval(told)
        else:
            exec(code, namespace)


def _namespace_of(block: Block) -> dict[str, object]:
    """What earlier blocks of the page defined."""
    namespace: dict[str, object] = {}
    for earlier in BLOCKS:
        before = earlier.page == block.page and earlier.line < block.line
        if before and earlier.runs_here and earlier.kind == "python":
            exec(compile(earlier.code, str(earlier), "exec"), namespace)
    return namespace


def _comments(lines: list[str]) -> str | None:
    told = []
    for line in lines:
        if not line.startswith("# "):
            break
        told.append(line[2:])
    return "\n".join(told) or None


def _run_pytest(block: Block, folder: Path) -> None:
    (folder / "test_block.py").write_text(block.code)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "."]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stdout


@pytest.mark.parametrize(
    "block", [b for b in BLOCKS if b.runs_here and b.kind == "console"], ids=str
)
def test_commands_print_what_is_shown(block: Block) -> None:
    for part in re.split(r"^\$ ", block.code, flags=re.M)[1:]:
        command, _, shown = part.partition("\n")
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        ran = subprocess.run(
            ["bash", "-c", command],
            cwd=ROOT,
            env={**os.environ, "PATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
        )
        assert ran.stdout.rstrip() == shown.rstrip()


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.kind in SHELLS], ids=str)
def test_commands_have_the_options_that_are_shown(block: Block) -> None:
    joined = block.code.replace("\\\n", " ")
    for found in COMMANDS_SHOWN[block.kind].finditer(joined):
        words = shlex.split(found["line"], comments=True)
        words = words[words.index("tinker-mock") + 1 :]
        _parse(words[: _end_of(words)])


def _end_of(words: list[str]) -> int:
    ends = [words.index(mark) for mark in ("|", ">", "&", "&&", ";") if mark in words]
    return min(ends, default=len(words))


def _parse(words: list[str]) -> None:
    """As the command line does; SystemExit for an option that there is not."""
    name = " ".join(words[:2]) if " ".join(words[:2]) in COMMANDS else words[0]
    if name in ("help", "--version"):
        return
    parser = Parser(prog=f"tinker-mock {name}")
    import_module(f"tinker_mock.{COMMANDS[name][0]}").add_arguments(parser)
    parser.parse(words[len(name.split()) :])
