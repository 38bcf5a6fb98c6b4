"""The parity vectors of this repository, and the shared ones where they are."""

import os
from pathlib import Path
from typing import Any

import pytest

from tinker_mock.suite.vectors.catalogue import FAMILIES, Catalogue, catalogue
from tinker_mock.suite.vectors.runner import load_vectors, run_vectors

ROOT = Path(__file__).parents[2]
OWN = ROOT / "fixtures" / "vectors"
NEEDED = ("kimi_k2", "kimi_toy", "templates")
UNCHECKED = Catalogue(catalogue().components)
"""The same components, but any entry fits: what is wrong must show in what they do."""


def own(name: str = "*") -> list[dict[str, Any]]:
    return [entry for path in sorted(OWN.glob(f"{name}.json")) for entry in load_vectors(path)]


@pytest.fixture(scope="module")
def shared() -> list[dict[str, Any]]:
    default = ROOT.parent / "shared"
    vectors = Path(os.environ.get("TINKER_MOCK_VECTORS") or default / "vectors")
    tokenizers = Path(os.environ.get("TINKER_MOCK_TOKENIZERS") or default / "tokenizers")
    if not vectors.is_dir() or not all((tokenizers / name).is_dir() for name in NEEDED):
        pytest.skip(f"needs TINKER_MOCK_VECTORS ({vectors}), TINKER_MOCK_TOKENIZERS ({tokenizers})")
    return [entry for path in sorted(vectors.glob("*.json")) for entry in load_vectors(path)]


@pytest.mark.parametrize(("name", "least"), [("tokenizer", 200), ("kimi", 150), ("streams", 20)])
def test_the_vectors_of_this_repository(name: str, least: int) -> None:
    report = run_vectors(own(name))
    assert (report.failed, report.unfit) == ([], [])
    assert report.passed == report.total > least


@pytest.mark.shared
def test_the_shared_vectors(shared: list[dict[str, Any]]) -> None:
    """All pass, but those of components that are plain tests by now, which do not fit."""
    report = run_vectors(shared)
    known = [entry for entry in shared if entry["component"] in catalogue().components]
    assert report.failed == []
    assert {(row["pointer"], row["rule"]) for row in report.unfit} == {("/component", "enum")}
    assert report.passed == len(known) > 500
    assert len(report.unfit) == len(shared) - len(known)
    assert {entry["component"] for entry in known} == catalogue().components.keys()


def test_choices_between_columns_are_named_with_their_reason() -> None:
    entries = [entry for entry in own("tokenizer") if entry["component"] == "stop_decoder"]
    report = run_vectors(entries)
    assert len(report.choices) == len(entries)
    assert {row["column"] for row in report.choices} == {"expected", "expected_at_head"}
    assert all(row["why"] for row in report.choices)


def test_a_wrong_vector_fails() -> None:
    entries = own()
    for entry in entries:
        entry["expected"] = entry["expected_at_head"] = {"not": "this"}
    report = run_vectors(entries, UNCHECKED)
    assert (report.passed, len(report.failed)) == (0, len(entries))


class TestForms:
    def test_every_component_has_one_and_a_name_of_its_own(self) -> None:
        assert catalogue().forms.keys() == catalogue().components.keys()
        assert len(catalogue().components) == sum(len(one.COMPONENTS) for one in FAMILIES)

    @pytest.mark.parametrize("field", ["input", "expected"])
    def test_an_entry_of_another_form_does_not_fit(self, field: str) -> None:
        one_each = {entry["component"]: entry for entry in own()}
        report = run_vectors({**one, field: {"no such": "form"}} for one in one_each.values())
        assert (report.passed, report.failed) == (0, [])
        assert len(report.unfit) == len(one_each)
        assert {row["pointer"].split("/")[1] for row in report.unfit} == {field}

    def test_a_column_has_the_form_of_the_first(self) -> None:
        (entry, *_) = (one for one in own() if one["component"] == "decode_stream")
        (row,) = run_vectors([{**entry, "expected_at_head": {"steps": [], "flush": 1}}]).unfit
        assert (row["pointer"], row["rule"]) == ("/expected_at_head/flush", "type")
        del entry["expected_at_head"]
        (row,) = run_vectors([entry]).unfit
        assert (row["pointer"], row["rule"]) == ("/expected_at_head", "required")

    def test_what_is_expected_has_the_form_of_that_kind_of_input(self) -> None:
        """Both forms are known, but not together."""
        decode = {"decode": [1, 2], "skip_special_tokens": False}
        entry = {"component": "mock_tokenizer", "name": "n", "input": decode}
        assert run_vectors([{**entry, "expected": "Hello world"}]).ok
        (row,) = run_vectors([{**entry, "expected": [1, 2]}]).unfit
        assert (row["pointer"], row["message"]) == (
            "/expected",
            "[1, 2] is not of type string",
        )
