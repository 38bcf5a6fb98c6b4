"""Against deliberately wrong servers the suite finds the planted faults, no more and no fewer."""

from pathlib import Path

import pytest

from tests.fauxmplementations.faults import FAUX, faux_server
from tests.suite.conftest import target
from tinker_mock.suite.core.baseline import apply_baseline, read_baseline
from tinker_mock.suite.core.results import results_of
from tinker_mock.suite.server.runner import run_server_suite

FOLDER = Path(__file__).parents[1] / "fauxmplementations"


@pytest.mark.parametrize("name", FAUX)
def test_the_planted_faults_are_found(name: str) -> None:
    with faux_server(name) as url:
        run = run_server_suite(target(url, long_poll=20.0, timeout=20.0))
    about = {"kind": "server", "name": name, "sdk": "all"}
    results = results_of(run, about, "2026-01-01T00:00:00+00:00")
    judged = apply_baseline(results, read_baseline(FOLDER / f"{name}.yaml"))
    assert (judged.unlisted, judged.stale, judged.unused) == ([], [], [])
    assert judged.known
