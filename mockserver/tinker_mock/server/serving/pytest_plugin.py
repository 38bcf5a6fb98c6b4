"""pytest fixtures that start the mock.

`tinker_mock` is a fresh server per test, `tinker_mock_session` one per run (and per xdist worker).
Choose settings with the marker: `@pytest.mark.tinker_mock(scenario="rate-limited", seed=7)`.
"""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
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
    marker = request.node.get_closest_marker("tinker_mock")
    yield from _served(dict(marker.kwargs) if marker else {})


@pytest.fixture(scope="session")
def tinker_mock_session() -> Iterator[RunningServer]:
    """A server on a free port for the whole session, with default settings."""
    yield from _served({})


def _served(settings: dict[str, Any]) -> Iterator[RunningServer]:
    # Imported here: a plugin that is merely installed must not cost anything.
    from tinker_mock.server.serving.in_thread import RunningServer
    from tinker_mock.server.settings import Settings

    known = Settings.__dataclass_fields__
    for name in settings.keys() - known:
        close = get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}"
        pytest.fail(f"the marker tinker_mock has no setting {name!r}; {hint}", pytrace=False)
    with RunningServer(Settings(**{"port": 0, **settings})) as server:
        yield server
