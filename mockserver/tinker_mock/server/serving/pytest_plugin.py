"""pytest fixtures that start the mock.

`tinker_mock` is a fresh server per test, `tinker_mock_session` one per run (and per xdist worker).
Choose settings with the marker: `@pytest.mark.tinker_mock(scenario="rate-limited", seed=7)`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tinker_mock.server.serving.in_thread import RunningServer

MARKER = "tinker_mock(scenario=None, seed=0, **settings): how tinker_mock starts its server"


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", MARKER)


@pytest.fixture
def tinker_mock(request: pytest.FixtureRequest) -> Iterator[RunningServer]:
    """A server on a free port, started for this test as its marker says.

    `.url` is the address, `.journal` what was called (`.last("optim_step").body`, `.calls`),
    `.mock` the mock itself, `.call(coroutine)` runs on its loop, `.script(pattern=…, completion=…)`
    and `.answer(function)` set what it says.
    """
    given: tuple[Any, ...] = ()
    settings: dict[str, Any] = {}
    for marker in request.node.iter_markers("tinker_mock"):  # the test's first, then its class's
        given, settings = given + marker.args, {**marker.kwargs, **settings}
    yield from _served(given, settings)


@pytest.fixture(scope="session")
def tinker_mock_session() -> Iterator[RunningServer]:
    """A server on a free port for the whole session, with default settings."""
    yield from _served((), {})


def _served(given: tuple[Any, ...], settings: dict[str, Any]) -> Iterator[RunningServer]:
    # Imported here: a plugin that is merely installed must not cost anything.
    from tinker_mock.server.errors import ConfigurationError
    from tinker_mock.server.serving.in_thread import RunningServer
    from tinker_mock.server.serving.marker import fault_of
    from tinker_mock.server.settings import Settings

    if fault := fault_of(given, settings):
        pytest.fail(fault, pytrace=False)
    with ExitStack() as stack:
        try:
            server = stack.enter_context(RunningServer(Settings(**{"port": 0, **settings})))
        except ConfigurationError as error:
            pytest.fail(f"the marker tinker_mock: {error}", pytrace=False)
        yield server
