"""The one table that binds operations to handlers."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import TYPE_CHECKING

from mockserver.errors import ConfigurationError

if TYPE_CHECKING:
    from contracts import Operation
    from mockserver.edge.pipeline import Handler

CHAPTERS = (
    "service", "auth", "sessions", "models", "training", "sampling", "futures", "weights",
    "checkpoints", "runs", "telemetry", "billing",
)  # fmt: skip


def bind(operations: Iterable[Operation], modules: Iterable[str]) -> dict[str, Handler]:
    """Operation id -> the function of that name; raises ConfigurationError when one is missing."""
    rooms = [import_module(name) for name in modules]
    table: dict[str, Handler] = {}
    missing = []
    for operation in operations:
        found = [room for room in rooms if hasattr(room, operation.id)]
        if found:
            table[operation.id] = getattr(found[0], operation.id)
        else:
            missing.append(f"{operation.id} ({operation.method} {operation.path})")
    if missing:
        raise ConfigurationError(f"operations without a handler: {', '.join(missing)}")
    return table


TEXT_HANDLERS = ("mockserver.handlers.text",)
TINKER_HANDLERS = tuple(f"mockserver.handlers.{chapter}" for chapter in CHAPTERS)
