"""The one table that binds operations to handlers.

That every operation has its function is checked at the start, by reading the modules' source;
a module is imported when one of its operations is first asked for. A server that has just been
started imports neither the engine nor numpy.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tinker_mock.server.errors import ConfigurationError

if TYPE_CHECKING:
    from tinker_mock.contracts import Operation
    from tinker_mock.server.http.endpoint import Handler
    from tinker_mock.server.wire.exchange import Exchange

CHAPTERS = (
    "service", "auth", "sessions", "models", "training", "sampling", "futures", "weights",
    "checkpoints", "runs", "telemetry", "billing",
)  # fmt: skip
PUBLIC = re.compile(r"^(?:async )?def ([a-z]\w*)\(", re.MULTILINE)
TEXT_HANDLERS = ("tinker_mock.server.handlers.text",)
TINKER_HANDLERS = tuple(f"tinker_mock.server.handlers.{chapter}" for chapter in CHAPTERS)


def bind(operations: Iterable[Operation], modules: Iterable[str]) -> dict[str, Handler]:
    """Operation id -> its handler; raises ConfigurationError when one is missing."""
    home = {name: module for module in modules for name in functions_of(module)}
    operations = list(operations)
    missing = [f"{op.id} ({op.method} {op.path})" for op in operations if op.id not in home]
    if missing:
        raise ConfigurationError(f"operations without a handler: {', '.join(missing)}")
    return {op.id: _imported_when_called(home[op.id], op.id) for op in operations}


def functions_of(module: str) -> list[str]:
    """Names of the public functions in a module's source."""
    spec = find_spec(module)
    assert spec is not None
    assert spec.origin is not None
    # Not `ast`: in Python 3.11 two threads that start servers break each other's parsing.
    return PUBLIC.findall(Path(spec.origin).read_text(encoding="utf-8"))


def _imported_when_called(module: str, name: str) -> Handler:
    def handler(exchange: Exchange) -> Any:
        return getattr(import_module(module), name)(exchange)

    return handler
