"""The SQL that keeps a change."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tinker_mock.server.database.changes import OWNERS, Change, Row, body_of, name_of
from tinker_mock.server.database.rows import KINDS
from tinker_mock.server.database.sqlite import Statement
from tinker_mock.server.database.values import encode

UPDATE = "ON CONFLICT(id) DO UPDATE SET"
UPSERTS = {
    table: f"INSERT INTO {table} (id, row) VALUES (?, ?) {UPDATE} row=excluded.row"
    for table in KINDS
}
"""SQL that writes a record of each table."""


def upsert(table: str, key: str, row: dict[str, Any], body: bytes) -> Statement:
    """SQL that writes one record."""
    return UPSERTS[table], (key, body)


def statements(change: Change, written: Callable[..., Statement] = upsert) -> list[Statement]:
    """SQL for a change whose files are written; `written` makes that of one record."""
    found: list[Statement] = []
    for row in change.rows:
        if row.table in OWNERS:
            found += _with_files(row, written, steady=row.owner in change.steady)
        else:
            found.append(_row(row, written))
    update = f"{UPDATE} value=excluded.value"
    for table, values in (("requests", change.requests), ("outcomes", change.outcomes)):
        for key, value in values:
            sql = f"INSERT INTO {table} (id, value) VALUES (?, ?) {update}"
            found.append((sql, (key, encode(value))))
    for table, keys in (("requests", change.requests_done), ("outcomes", change.outcomes_gone)):
        found += [(f"DELETE FROM {table} WHERE id = ?", (key,)) for key in keys]
    for table, told in (("counters", change.counters), ("facts", change.facts)):
        for key, value in told.items():
            if value is None:
                found.append((f"DELETE FROM {table} WHERE id = ?", (key,)))
                continue
            found.append((f"INSERT INTO {table} (id, value) VALUES (?, ?) {update}", (key, value)))
    return found


def _row(row: Row, written: Callable[..., Statement]) -> Statement:
    if row.fields is None:
        return f"DELETE FROM {row.table} WHERE id = ?", (row.key,)
    body = body_of(row.fields) if row.body is None else row.body
    return written(row.table, row.key, row.fields, body)


def _with_files(row: Row, written: Callable[..., Statement], *, steady: bool) -> list[Statement]:
    """A row, and which files it names unless the database knows."""
    if steady:
        return [_row(row, written)]
    found = [("DELETE FROM files WHERE owner = ?", (row.owner,)), _row(row, written)]
    for name in OWNERS[row.table]:
        told = None if row.fields is None else row.fields[name]
        if told is not None:
            found.append(("INSERT INTO files VALUES (?, ?, ?)", (name_of(told), row.owner, name)))
    return found
