"""The releases at which the wire broke share one server at the same time; each gets its dialect."""

import pytest

from tinker_mock.suite.sdk.command import BREAKPOINTS, audit
from tinker_mock.suite.sdk.environment import newest
from tinker_mock.suite.sdk.matrix import Matrix
from tinker_mock.suite.sdk.release_run import ABSENT, Server
from tinker_mock.suite.sdk.server import TOKENIZED_MODEL, running_mock

TOGETHER = (*BREAKPOINTS, newest())


@pytest.fixture(scope="module")
def matrix() -> Matrix:
    with running_mock() as url:
        server = Server(url, TOKENIZED_MODEL)
        return audit([(release, server) for release in TOGETHER], jobs=len(TOGETHER) // 2)


def test_no_step_fails_in_any_of_them(matrix: Matrix) -> None:
    assert list(matrix.failures()) == []
    assert len(matrix.texts) >= 100


def test_every_exchange_was_judged(matrix: Matrix) -> None:
    assert all(column.exchanges > 150 for column in matrix.columns)


def test_what_a_release_lacks_is_said(matrix: Matrix) -> None:
    reasons = {c.reason for column in matrix.columns for c in column.cells.values()}
    absent = [c for column in matrix.columns for c in column.cells.values() if c.status == ABSENT]
    assert absent
    assert all(cell.reason for cell in absent)
    assert "no RestClient.search_sessions" in reasons
