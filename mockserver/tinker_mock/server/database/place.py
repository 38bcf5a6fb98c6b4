"""Where a state is kept: a directory of one server, or a database that several share."""

from __future__ import annotations

from typing import Any, Protocol

from tinker_mock.server.database.changes import Change
from tinker_mock.server.errors import StorageFull
from tinker_mock.server.state.store import State

SEED, TIME = "seed", "time"
"""Facts: what ids follow from, and the Unix time of the last commit."""


class Files(Protocol):
    """Weights, by the SHA-256 of their bytes."""

    def read(self, name: str) -> Any:
        """The value of that name. Raises Unreadable when it is not what was written."""


class Place(Protocol):
    """What a keeper needs of it. Not for two threads at once, but for `files`."""

    at_once: int
    """Commits of fewer bytes take no time worth a thread."""
    shared: bool
    """Other servers read what this one keeps."""

    @property
    def failures(self) -> tuple[type[Exception], ...]:
        """What `write` raises when it cannot."""

    @property
    def files(self) -> Files:
        """The weights."""

    def load(self) -> State:
        """What a server that starts here begins with."""

    def write(self, change: Change) -> None:
        """Keep all of it or nothing; fills in the names of its files."""

    def refusal(self, error: Exception) -> StorageFull:
        """What clients are told of a failure."""

    def fact(self, name: str) -> Any:
        """Something about the whole mock, None when it was never told."""

    def request(self, request_id: str) -> tuple[str, dict[str, Any]]:
        """Operation and body of a request that may have to be done again."""

    def copies(self) -> dict[str, float]:
        """Names of the copies of the state, and the Unix time of each."""

    def copy(self, name: str) -> None:
        """Keep a copy of the state, whole or not at all."""

    def become(self, name: str) -> None:
        """Hold what a copy holds."""

    def forget(self, name: str) -> None:
        """Remove a copy."""

    def close(self) -> None:
        """Let go."""
