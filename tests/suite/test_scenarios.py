"""A scenario's checks are those that its function writes down."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

HEAD = """
from tinker_mock.suite.core.context import ScenarioContext
from tinker_mock.suite.server.scenario import scenario

TABLE = {"futures/hold/within-45s": 45, "no-check": 1}
OTHERS = ("futures/cancel/terminal",)


def step(context: ScenarioContext) -> None:
    with context.check("futures/result/again"):
        pass


def waiting(context: ScenarioContext) -> None:
    with context.check("futures/wake/soon"):
        pass
"""
SCENARIO = """
@scenario("futures/unknown/404", patient=True)
def told(context: ScenarioContext) -> None:
    step(context)
    for name in TABLE:
        with context.check(name):
            pass
    with context.check("futures/submit/answer"):
        waiting = context.aside(lambda: None)
        waiting.result()
"""


def written(folder: Path, text: str, patch: pytest.MonkeyPatch) -> ModuleType:
    path = folder / "chapter.py"
    path.write_text(HEAD + text)
    spec = importlib.util.spec_from_file_location("chapter", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    patch.setitem(sys.modules, "chapter", module)
    spec.loader.exec_module(module)
    return module


def test_in_itself_in_what_it_calls_and_in_the_tables_it_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = written(tmp_path, SCENARIO, monkeypatch).told
    assert set(found.checks) == {
        "futures/submit/answer", "futures/result/again", "futures/hold/within-45s",
    }  # fmt: skip
    assert (found.id, found.patient, found.reads_only) == ("futures/unknown/404", True, False)


def test_a_check_that_no_ledger_row_names_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match="makes the check 'futures/no-such', which no ledger row"):
        written(tmp_path, SCENARIO.replace("futures/submit/answer", "futures/no-such"), monkeypatch)
