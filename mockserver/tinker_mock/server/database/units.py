"""What belongs together: a session with all that is under it, and the rest of the service.

Where servers share a database, each unit has one owner. Ids say what they belong to: those of
models and samplers begin with their session's, and paths of checkpoints name the model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SERVICE = "service"
"""The unit of what belongs to no session: API keys, uploads, lists, the text endpoints."""
OF_SESSIONS = ("runs", "checkpoints", "samplers", "promises", "usage", "storage")
COUNTED_IN_SESSIONS = ("sample", "unnumbered-request")
"""Counters of samplers and lanes; see `ids.py`."""


def unit_of_id(identity: str) -> str:
    """The session that a model, sampler or session id belongs to."""
    return identity.partition(":")[0]


def unit_of_lane(lane_id: str) -> str:
    """The session that a lane belongs to."""
    return unit_of_id(lane_id.partition(":")[2])


def unit_of_path(path: str) -> str:
    """The session that a checkpoint's path names."""
    return unit_of_id(path.removeprefix("tinker://").partition("/")[0])


def unit_of_row(table: str, key: str, row: Mapping[str, Any]) -> str:
    """What a record belongs to."""
    if table in ("sessions", "telemetry"):
        return key
    if table == "lanes":
        return unit_of_lane(key)
    return row["session_id"] or SERVICE if table in OF_SESSIONS else SERVICE


def unit_of_counter(key: str) -> str:
    """What a counter belongs to."""
    kind, _, of = key.partition("\x1f")
    if kind not in COUNTED_IN_SESSIONS:
        return SERVICE
    owner = of.partition("\x1f")[0]
    return unit_of_id(owner) if kind == "sample" else unit_of_lane(owner)
