"""One request of the control API, checked against its contract."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tinker_mock.server.wire.exchange import Answer

if TYPE_CHECKING:
    from tinker_mock.server.control.mock_control import Director
    from tinker_mock.server.simulator import Simulator


@dataclass(frozen=True)
class Call:
    """What a control handler gets. `query` values have the types of the contract."""

    director: Director
    path: dict[str, str] = field(default_factory=dict)
    query: dict[str, Any] = field(default_factory=dict)
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def simulator(self) -> Simulator:
        return self.director.simulator


Handler = Callable[[Call], Awaitable[Answer]]
NO_CONTENT = 204


def done(body: Any = None, status: int = 200) -> Answer:
    """An answer with a JSON body, or 204 without one."""
    return Answer(NO_CONTENT if body is None else status, body)
