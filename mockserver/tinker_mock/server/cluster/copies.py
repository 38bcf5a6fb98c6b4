"""What this server knows of what others own.

Copies of others' records are in the same tables as its own, but nobody keeps account of them: what
a server changes in one by mistake is never written, and gone with the next pull.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Any

import orjson

from tinker_mock.server.database.rows import record_of
from tinker_mock.server.database.shared_schema import COPIED
from tinker_mock.server.database.shared_store import SharedStore, stored
from tinker_mock.server.state.store import State
from tinker_mock.server.state.tables import Table

SHARED = ("tenants", "uploads")
"""Tables that belong to the service alone: others do not keep what they put there."""
NEWS = " UNION ALL ".join(
    [f"SELECT '{table}', place, id, unit, row FROM {table} WHERE xid >= %(since)s::xid8"
     for table in COPIED]
    + ["SELECT kind, NULL, id, NULL, NULL FROM gone WHERE xid >= %(since)s::xid8"]
    + ["SELECT '', NULL, pg_snapshot_xmin(pg_current_snapshot())::text, NULL, NULL"]
)  # fmt: skip
"""Everything of transactions that had not all ended before `since`, and the next `since`: what was
read twice is the same twice."""
Row = tuple[str, int | None, str, str | None, bytes | None]


class Copies:
    """Keeps a state's copies of what others own up to date."""

    def __init__(self, store: SharedStore) -> None:
        self.store = store
        self._since = "0"

    def forget(self) -> None:
        """Begin anew."""
        self._since = "0"

    def news(self) -> list[Row]:
        """What was committed since the last time; in a thread."""

        def work(connection: Any) -> list[Row]:
            return list(connection.execute(NEWS, {"since": self._since}).fetchall())

        return self.store.asking.transaction(work)

    def enter(self, state: State, news: list[Row], owned: Container[str]) -> None:
        """Put what others own into the tables; on the loop."""
        tables = state.tables()
        for kind, place, key, _, _ in news:
            if kind and place is None:
                _remove(tables[kind], stored(key))
        kept = [row for row in news if row[1] is not None]
        for kind, _, key, unit, row in sorted(kept, key=lambda row: row[1] or 0):
            if unit not in owned and row is not None:
                tables[kind].place(
                    stored(key), record_of(kind, orjson.loads(row), self.store.files), None
                )
        self._since = next(key for kind, _, key, _, _ in news if not kind)


def _remove(table: Table[Any], key: str) -> None:
    record = table.get(key)
    if record is None or not record.watched:  # else it was made anew, here
        dict.pop(table, key, None)
