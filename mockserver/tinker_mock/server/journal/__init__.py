"""What happened on the wire: every exchange with its verdict, queried, exported, watched."""

from tinker_mock.server.journal.entry import Entry
from tinker_mock.server.journal.ring import Journal

__all__ = ["Entry", "Journal"]
