"""Getting ready for work in the background, once the server has shown that it is there."""

import threading

from tinker_mock.server.journal.entry import Entry
from tinker_mock.server.journal.ring import Journal
from tinker_mock.server.lazy_module import LazyModule


class Preparation:
    """A listener of the journal: after the first exchange it imports what others will need.

    Before that, it would delay the first answer.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def __call__(self, entry: Entry) -> None:
        self._journal.listeners = [one for one in self._journal.listeners if one is not self]
        threading.Thread(target=LazyModule.load_all, name="preparation", daemon=True).start()
