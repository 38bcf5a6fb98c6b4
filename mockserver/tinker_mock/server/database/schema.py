"""The tables, version by version: a new database goes through all of them, an older one through
what it lacks."""

from __future__ import annotations

from tinker_mock.server.database.rows import FILED, KINDS

RECORDS = "\n".join(
    f"CREATE TABLE {table} (place INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, row BLOB NOT NULL);"
    for table in KINDS
)
MIGRATIONS = (
    f"""
    {RECORDS}
    CREATE TABLE requests (id TEXT PRIMARY KEY, value BLOB NOT NULL);
    CREATE TABLE outcomes (id TEXT PRIMARY KEY, value BLOB NOT NULL);
    CREATE TABLE counters (id TEXT PRIMARY KEY, value INTEGER NOT NULL);
    CREATE TABLE facts (id TEXT PRIMARY KEY, value BLOB NOT NULL);
    """,
    """
    CREATE TABLE files (id TEXT NOT NULL, owner TEXT NOT NULL, field TEXT NOT NULL,
                        PRIMARY KEY (owner, field));
    CREATE INDEX files_by_id ON files (id);
    """
    + "".join(
        f"""
    INSERT INTO files SELECT json_extract(CAST(row AS TEXT), '$.{field}'), '{table} ' || id,
                             '{field}'
      FROM {table} WHERE json_extract(CAST(row AS TEXT), '$.{field}') IS NOT NULL;
    """
        for table, kind in KINDS.items()
        for field in FILED.get(kind, ())
    ),
)
"""SQL of version 1, 2, …: `requests` and `outcomes` are of promises, `facts` of the whole server,
`files` says which record holds which file of weights."""
VERSION = len(MIGRATIONS)
EVERYTHING = (*KINDS, "requests", "outcomes", "counters", "files")
"""What a reset empties."""
BEHAVIOUR = ("scenario", "quirks", "scripts")
"""Facts that a snapshot brings back."""
