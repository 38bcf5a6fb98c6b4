"""Named copies of what a store holds, in tables beside those of the state.

One transaction sees what was committed at one instant, and that is a state that servers can go on
with: it is what they would find if all of them ended then.
"""

from __future__ import annotations

import orjson

from tinker_mock.server.database.place import TIME
from tinker_mock.server.database.postgres import Connection
from tinker_mock.server.database.rows import KINDS
from tinker_mock.server.database.schema import BEHAVIOUR

VALUES = ("requests", "outcomes", "counters")
COLUMNS = {
    **dict.fromkeys(KINDS, "place, id, unit, row"),
    **dict.fromkeys(VALUES, "id, value"),
    "files": "id, owner, field",
}
"""What is copied of each table: `xid` is that of the transaction that writes, now and again."""


def names(connection: Connection) -> dict[str, float]:
    """The copies, and the Unix time of each, oldest first."""
    found = connection.execute("SELECT name, taken FROM snapshots").fetchall()
    times = [(name, float(orjson.loads(taken))) for name, taken in found]
    return dict(sorted(times, key=lambda one: (one[1], one[0])))


def take(connection: Connection, name: str) -> None:
    """Copy what is committed; the connection is in a transaction that has not begun to look."""
    # Weights that only a copy names are not swept away while it is made.
    connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    connection.execute("LOCK TABLE kept_files IN ROW EXCLUSIVE MODE")
    time = "SELECT %s, value FROM facts WHERE id = %s"
    connection.execute(f"INSERT INTO snapshots (name, taken) {time}", (name, TIME))
    for table, columns in COLUMNS.items():
        target = f"kept_{table} (snapshot, {columns})"
        connection.execute(f"INSERT INTO {target} SELECT %s, {columns} FROM {table}", (name,))
    target, facts = "kept_facts (snapshot, id, value)", list(BEHAVIOUR)
    told = "SELECT %s, id, value FROM facts WHERE id = ANY(%s)"
    connection.execute(f"INSERT INTO {target} {told}", (name, facts))


def put_back(connection: Connection, name: str) -> None:
    """Hold what a copy holds; nobody writes meanwhile. All sessions are anybody's."""
    for table, columns in COLUMNS.items():
        copied = f"SELECT {columns} FROM kept_{table} WHERE snapshot = %s"
        connection.execute(f"DELETE FROM {table}")
        connection.execute(f"INSERT INTO {table} ({columns}) {copied}", (name,))
    connection.execute("DELETE FROM leases")
    connection.execute("INSERT INTO leases (unit, server) SELECT id, '' FROM sessions")
    update = "ON CONFLICT (id) DO UPDATE SET value = excluded.value"
    facts = "SELECT id, value FROM kept_facts WHERE snapshot = %s"
    connection.execute(f"INSERT INTO facts (id, value) {facts} {update}", (name,))


def remove(connection: Connection, name: str) -> None:
    """Forget a copy."""
    connection.execute("DELETE FROM snapshots WHERE name = %s", (name,))
    for table in (*COLUMNS, "facts"):
        connection.execute(f"DELETE FROM kept_{table} WHERE snapshot = %s", (name,))
