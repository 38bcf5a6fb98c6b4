"""The tokenizer's parity vectors: those of this repository, and the shared ones where they are."""

import os
from pathlib import Path

import pytest

from tinker_mock.suite.vectors.runner import load_vectors, run_vectors
from tinker_mock.suite.vectors.tokenizer_components import COMPONENTS

ROOT = Path(__file__).parents[2]
OWN = ROOT / "fixtures" / "vectors" / "tokenizer.json"
NEEDED = ("kimi_k2", "kimi_toy", "templates")


def test_the_vectors_of_this_repository() -> None:
    report = run_vectors(load_vectors(OWN), COMPONENTS)
    assert (report.failed, report.unknown) == ([], [])
    assert report.total > 200


@pytest.mark.shared
def test_the_shared_vectors() -> None:
    default = ROOT.parent / "shared"
    vectors = Path(os.environ.get("TINKER_MOCK_VECTORS") or default / "vectors")
    tokenizers = Path(os.environ.get("TINKER_MOCK_TOKENIZERS") or default / "tokenizers")
    if not vectors.is_dir() or not all((tokenizers / name).is_dir() for name in NEEDED):
        pytest.skip(f"needs TINKER_MOCK_VECTORS ({vectors}), TINKER_MOCK_TOKENIZERS ({tokenizers})")
    entries = [entry for path in sorted(vectors.glob("*.json")) for entry in load_vectors(path)]
    ours = [entry for entry in entries if entry["component"] in COMPONENTS]
    report = run_vectors(ours)
    assert (report.failed, report.unknown) == ([], [])
    assert {entry["component"] for entry in ours} == COMPONENTS.keys()


def test_choices_between_columns_are_named_with_their_reason() -> None:
    entries = [entry for entry in load_vectors(OWN) if entry["component"] == "stop_decoder"]
    report = run_vectors(entries, COMPONENTS)
    assert len(report.choices) == len(entries)
    assert {row["column"] for row in report.choices} == {"expected", "expected_at_head"}
    assert all(row["why"] for row in report.choices)


def test_a_wrong_vector_fails() -> None:
    entries = load_vectors(OWN)
    for entry in entries:
        entry["expected"] = entry["expected_at_head"] = {"not": "this"}
    report = run_vectors(entries, COMPONENTS)
    assert (report.passed, len(report.failed)) == (0, len(entries))
