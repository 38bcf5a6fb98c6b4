"""Getting ready for work in the background, once the server has shown that it is there."""

import threading
from typing import TYPE_CHECKING

from tinker_mock.server.clock import machine_timer
from tinker_mock.server.journal.entry import Entry
from tinker_mock.server.journal.ring import Journal
from tinker_mock.server.lazy_module import LazyModule

if TYPE_CHECKING:
    from tinker_mock.server import memory
    from tinker_mock.server.service import bases
else:
    memory = LazyModule("tinker_mock.server.memory")
    bases = LazyModule("tinker_mock.server.service.bases")

FIRST = tuple(
    f"tinker_mock.server.{name}"
    for name in (
        *("handlers.sessions", "handlers.models", "handlers.training"),  # none of which needs numpy
        *("service.operations", "handlers.futures", "handlers.sampling"),
    )
)
"""What clients ask for first."""
QUIET = 0.3
"""Seconds after which nobody seems to wait for a first answer."""


class Preparation:
    """After the first exchange, or when there is none for a moment, what others will need is
    imported, and what all tokenizers share is made if the disk does not have it.

    Before that, it would delay the first answer.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._begun = False
        journal.listeners.append(self._note)

    def expect(self) -> None:
        """On the loop: the server takes requests from now on."""
        machine_timer(QUIET, self._begin)

    def _note(self, entry: Entry) -> None:
        self._begin()

    def _begin(self) -> None:
        if self._begun:
            return
        self._begun = True
        self._journal.listeners = [one for one in self._journal.listeners if one != self._note]
        memory.keep_together()  # before the threads that it is about
        threading.Thread(target=prepare, name="preparation", daemon=True).start()


def prepare() -> None:
    """All of it."""
    LazyModule.load_all(*FIRST)
    bases.prepare_texts()
