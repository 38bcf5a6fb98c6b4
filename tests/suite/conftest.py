"""One run of the whole suite against a healthy mock, shared by the tests of this folder."""

from collections.abc import Iterator
from typing import Any

import pytest

from tinker_mock.suite.core.results import Run, results_of
from tinker_mock.suite.core.target import Target
from tinker_mock.suite.mock_process import mock_server
from tinker_mock.suite.server.runner import run_server_suite

MODEL = "Qwen/Qwen3-8B"
ABOUT = {"kind": "server", "name": "mock", "sdk": "all"}


def target(url: str, **options: Any) -> Target:
    options = {"timeout": 60.0, "long_poll": 60.0, **options}
    return Target(url, other_key="tml-other", base_model=MODEL, **options)


@pytest.fixture(scope="session")
def quick_mock() -> Iterator[str]:
    with mock_server(["--long-poll", "0.7"]) as url:
        yield url


@pytest.fixture(scope="session")
def healthy_run(quick_mock: str) -> Run:
    return run_server_suite(target(quick_mock))


@pytest.fixture(scope="session")
def healthy_results(healthy_run: Run) -> dict[str, Any]:
    return results_of(healthy_run, ABOUT, "2026-01-01T00:00:00+00:00")
