"""`tinker_mock.journal` in tests: what the mock saw, read on its own loop."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from tinker_mock.server.journal.calls import Call, Calls, calls_of, last_of

if TYPE_CHECKING:
    from tinker_mock.server.journal import Journal

Run = Callable[[Coroutine[Any, Any, Any]], Any]


class Seen:
    """Calls that the mock has answered, up to now.

    `journal.calls` is all of them, `journal.calls_of("optim_step")` those of one operation,
    `journal.last("optim_step").body` what the newest one sent.
    """

    def __init__(self, journal: Journal, run: Run) -> None:
        self._journal = journal
        self._run = run

    @property
    def calls(self) -> Calls:
        """All calls, oldest first."""
        return self.calls_of(None)

    @property
    def called(self) -> bool:
        """Whether anything was called."""
        return self.calls.called

    @property
    def violations(self) -> Calls:
        """Calls with which the client broke the contract."""
        return Calls(call for call in self.calls if call.verdict == "request")

    def calls_of(self, operation: str | None) -> Calls:
        """The calls of an operation (an operationId of the contract).

        Raises ValueError with a near match for a name that no operation has.
        """

        async def read() -> Calls:
            return calls_of(self._closed(), operation)

        found: Calls = self._run(read())
        return found

    def last(self, operation: str | None = None) -> Call:
        """The newest call. Raises LookupError, with what was called instead."""

        async def read() -> Call:
            return last_of(self._closed(), operation)

        found: Call = self._run(read())
        return found

    def reset(self) -> None:
        """Forget all calls so far."""

        async def forget() -> int:
            return self._journal.reset()

        self._run(forget())

    def _closed(self) -> list[Any]:
        return [entry for entry in self._journal.entries if entry.verdict != "open"]
