import json
from pathlib import Path
from typing import Any

import pytest

from tinker_mock.suite.vectors import command
from tinker_mock.suite.vectors.catalogue import Catalogue
from tinker_mock.suite.vectors.comparison import Chosen, Partial, difference
from tinker_mock.suite.vectors.runner import (
    VectorFileError,
    load_vectors,
    run_vectors,
    selected,
)


def entry(component: str = "echo", name: str = "n", **fields: Any) -> dict[str, Any]:
    return {"component": component, "name": name, "input": None, "expected": None, **fields}


ECHO = Catalogue({"echo": lambda given, entry: given})


def test_a_pass_a_failure_and_an_unknown_component_are_three_things() -> None:
    report = run_vectors(
        [
            entry(input=1, expected=1),
            entry(name="off", input=1, expected=2),
            entry(component="nobody", name="x"),
        ],
        ECHO,
    )
    assert (report.total, report.passed, report.ok) == (3, 1, False)
    assert report.failed == [{"component": "echo", "name": "off", "reason": "/: expected 2, got 1"}]
    (unfit,) = report.unfit
    assert (unfit["component"], unfit["name"]) == ("nobody", "x")
    assert (unfit["pointer"], unfit["message"]) == ("/component", "unknown component")


def test_a_component_that_raises_fails_its_entry_only() -> None:
    def broken(given: Any, entry: Any) -> Any:
        raise KeyError("gone")

    table = Catalogue({"broken": broken, **ECHO.components})
    report = run_vectors([entry("broken"), entry(input=3, expected=3)], table)
    assert [row["reason"] for row in report.failed] == ["raised KeyError: 'gone'"]
    assert report.passed == 1


def test_a_choice_between_columns_is_judged_by_its_column_and_named() -> None:
    rows = [
        entry(name="top", input=1, expected=0, expected_new=1),
        entry(name="inner", input=2, expected={"a": 0, "b": 2}),
    ]
    columns = {"top": "expected_new", "inner": "expected.b"}
    table = {"echo": lambda given, row: Chosen(columns[row["name"]], given, "newer")}
    report = run_vectors(rows, Catalogue(table))
    assert report.passed == 2
    assert [row["column"] for row in report.choices] == ["expected_new", "expected.b"]
    assert {row["why"] for row in report.choices} == {"newer"}


def test_conflict_and_note_travel_with_a_failure() -> None:
    report = run_vectors([entry(input=1, expected=2, conflict="peers differ", note="see x")], ECHO)
    assert "conflict: peers differ" in report.failed[0]["reason"]
    assert "note: see x" in report.failed[0]["reason"]


@pytest.mark.parametrize(
    ("expected", "actual", "tolerance", "agrees"),
    [
        (1, 1.0, 0.0, True),
        (1, True, 0.0, False),
        (0, False, 0.0, False),
        (None, "", 0.0, False),
        (0.1 + 0.2, 0.3, 0.0, True),
        (0.3, 0.3001, 0.0, False),
        (0.3, 0.3001, 1e-3, True),
        ([1, 2], (1, 2), 0.0, True),
        ([1, 2], [1], 0.0, False),
        ({"a": 1}, {"a": 1, "b": 2}, 0.0, False),
        ({"a": 1}, Partial(a=1, b=2), 0.0, True),
        ({"a": None}, {}, 0.0, False),
        ({"error_contains": "beta"}, {"error": "beta1 must be positive"}, 0.0, True),
        ({"error_contains": "beta"}, {"error": "no"}, 0.0, False),
        ({"error_contains": "beta"}, {"ok": 1}, 0.0, False),
        ({"contains": ["a", "b"], "endswith": "c"}, "abc", 0.0, True),
        ({"contains": ["a", "x"], "endswith": "c"}, "abc", 0.0, False),
        ({"error_prefix": "no"}, {"error": "no template"}, 0.0, True),
        ({"error_prefix": "template"}, {"error": "no template"}, 0.0, False),
        ({"ids_one_of": [[1], [2, 3]]}, {"ids": [2, 3]}, 0.0, True),
        ({"one_of": [[1], [2, 3]]}, [4], 0.0, False),
    ],
)
def test_comparison(expected: Any, actual: Any, tolerance: float, agrees: bool) -> None:
    assert (difference(expected, actual, tolerance) is None) is agrees


def test_a_difference_points_at_its_place() -> None:
    assert difference({"a": [{"b": 1}]}, {"a": [{"b": 2}]}) == "/a/0/b: expected 1, got 2"


def test_selection_by_component_and_by_name() -> None:
    row = entry("kimi_files", "bad")
    assert selected(row, [])
    assert selected(row, ["kimi_*"])
    assert selected(row, ["other", "*/bad"])
    assert not selected(row, ["kimi"])


@pytest.mark.parametrize(
    ("text", "words"),
    [("{", "not JSON"), ("3", "list of entries"), ('[{"component": "c"}]', "lacks name, input")],
)
def test_unusable_files_say_why(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "v.json"
    path.write_text(text)
    with pytest.raises(VectorFileError, match=words):
        load_vectors(path)


class TestCommand:
    def run(self, tmp_path: Path, rows: list[Any], *options: str) -> int:
        import argparse

        path = tmp_path / "v.json"
        path.write_text(json.dumps(rows))
        parser = argparse.ArgumentParser()
        command.add_arguments(parser)
        return command.run(parser.parse_args([str(path), *options]))

    def test_json_result_and_exit_code(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        rows = [
            entry("mock_tokenizer", "good", input={"encode": "Hello world"}, expected=[1, 2]),
            entry("mock_tokenizer", "bad", input={"encode": "Hello"}, expected=[7]),
            entry("no_such_component", "x"),
        ]
        assert self.run(tmp_path, rows, "--json") == 1
        result = json.loads(capsys.readouterr().out)
        assert (result["total"], result["passed"]) == (3, 1)
        assert [row["name"] for row in result["failed"]] == ["bad"]
        assert [row["component"] for row in result["unfit"]] == ["no_such_component"]

    def test_what_does_not_fit_is_told_with_its_place_and_counted(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        rows = [
            entry("mock_tokenizer", "odd", input={"encode": 7}, expected=[1]),
            entry("no_such_component", "x"),
            entry("no_such_component", "y"),
        ]
        assert self.run(tmp_path, rows) == 1
        assert capsys.readouterr().out.splitlines() == [
            "DOES NOT FIT no_such_component: unknown component (2 entries)",
            "DOES NOT FIT mock_tokenizer/odd: /input/encode: 7 is not of type string (type)",
            "0 of 3 passed, 0 failed, 3 do not fit",
        ]

    def test_selection_narrows_the_run(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        rows = [
            entry("mock_tokenizer", "good", input={"encode": "Hello"}, expected=[1]),
            entry("no_such_component", "x"),
        ]
        assert self.run(tmp_path, rows, "--select", "mock_*") == 0
        assert "1 of 1 passed" in capsys.readouterr().out
        assert self.run(tmp_path, rows, "--select", "zzz") == 2

    def test_a_missing_file_is_a_usage_error(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        import argparse

        parser = argparse.ArgumentParser()
        command.add_arguments(parser)
        assert command.run(parser.parse_args([str(tmp_path / "none.json")])) == 2
        assert "none.json" in capsys.readouterr().err
