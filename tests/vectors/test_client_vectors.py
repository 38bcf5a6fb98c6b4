"""The client's parity vectors: this repository's copy, and the shared file where it is."""

import json
import os
from pathlib import Path

import pytest

from tinker_mock.suite.vectors.client_components import COMPONENTS
from tinker_mock.suite.vectors.runner import load_vectors, run_vectors

ROOT = Path(__file__).parents[2]
OWN = ROOT / "fixtures" / "vectors" / "client.json"


def test_the_vectors_of_this_repository() -> None:
    report = run_vectors(load_vectors(OWN), COMPONENTS)
    assert (report.failed, report.unknown) == ([], [])
    assert report.total > 500


def test_every_component_has_a_vector_that_can_fail() -> None:
    """Changing what is expected makes each component's entries fail."""
    altered = [
        {**entry, "expected": {"no such": "answer"}, "tol": 0} for entry in load_vectors(OWN)
    ]
    one_each = {entry["component"]: entry for entry in altered}
    assert one_each.keys() == COMPONENTS.keys()
    report = run_vectors(one_each.values(), COMPONENTS)
    assert report.passed == 0


@pytest.mark.shared
def test_the_shared_vectors() -> None:
    folder = Path(os.environ.get("TINKER_MOCK_VECTORS") or ROOT.parent / "shared" / "vectors")
    path = folder / "client.json"
    if not path.is_file():
        pytest.skip(f"needs TINKER_MOCK_VECTORS ({folder})")
    entries = [one for one in json.loads(path.read_text()) if one["component"] in COMPONENTS]
    report = run_vectors(entries, COMPONENTS)
    assert (report.failed, report.unknown) == ([], [])
    assert {entry["component"] for entry in entries} == COMPONENTS.keys()
