"""The engine's threads."""

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Generic, TypeVar

Work = TypeVar("Work")


class Threads(Generic[Work]):
    """Daemon threads; one is made when all others are busy. Not safe by itself.

    A thread keeps the arrays it worked on last, so those of a server that ended must end too.
    """

    def __init__(self, run: Callable[[Work], None]) -> None:
        self.idle = 0
        self._count = 0
        self._run = run
        self._todo: SimpleQueue[Work | None] = SimpleQueue()

    def begin(self, work: Work) -> None:
        """Do it in a thread, which says `idle` when it is done."""
        self._todo.put(work)
        if self.idle:
            self.idle -= 1
        else:
            self._count += 1
            threading.Thread(target=self._serve, name="engine", daemon=True).start()

    def end(self) -> None:
        """Let every thread end when it has done what was begun."""
        for _ in range(self._count):
            self._todo.put(None)

    def _serve(self) -> None:
        while (work := self._todo.get()) is not None:
            self._run(work)
