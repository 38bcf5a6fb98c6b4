"""What happened on the wire: every exchange with its verdict, queried, exported, watched."""

from mockserver.journal.entry import Entry
from mockserver.journal.ring import Journal

__all__ = ["Entry", "Journal"]
