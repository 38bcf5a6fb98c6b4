"""The releases at which the wire broke share one server at the same time; each gets its dialect.

The reference client, imported as `tinker`, is one of them.
"""

import pytest

from tinker_mock.suite.sdk.command import BREAKPOINTS, audit
from tinker_mock.suite.sdk.environment import newest
from tinker_mock.suite.sdk.matrix import Matrix
from tinker_mock.suite.sdk.release_run import ABSENT, CLIENT, PASS, Server
from tinker_mock.suite.sdk.server import TOKENIZED_MODEL, audit_mock

TOGETHER = (*BREAKPOINTS, newest(), CLIENT)


@pytest.fixture(scope="module")
def matrix() -> Matrix:
    with audit_mock() as url:
        server = Server(url, TOKENIZED_MODEL)
        return audit([(release, server) for release in TOGETHER], jobs=len(TOGETHER) // 2)


def test_no_step_fails_in_any_of_them(matrix: Matrix) -> None:
    assert list(matrix.failures()) == []
    assert len(matrix.texts) >= 100


def test_every_exchange_was_judged(matrix: Matrix) -> None:
    assert all(run.exchanges > 150 for run in matrix.runs)


def test_what_a_release_lacks_is_said(matrix: Matrix) -> None:
    reasons = {c.reason for run in matrix.runs for c in run.steps.values()}
    absent = [c for run in matrix.runs for c in run.steps.values() if c.status == ABSENT]
    assert absent
    assert all(result.reason for result in absent)
    assert "no RestClient.search_sessions" in reasons


def test_the_reference_client_has_every_step_of_the_newest_release(matrix: Matrix) -> None:
    runs = {run.release: run for run in matrix.runs}
    theirs, own = runs[newest()].steps, runs[CLIENT].steps
    had = [step for step, result in theirs.items() if result.status == PASS]
    assert len(had) > 100
    assert [step for step in had if own[step].status != PASS] == []
