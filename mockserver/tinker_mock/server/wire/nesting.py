"""How deep JSON may nest: the one limit of whatever a client sends.

Everything that reads a body after it was decoded (validators, the journal, its exports) can go
deeper than that.
"""

from typing import TYPE_CHECKING

from tinker_mock.server.budget import checkpoint
from tinker_mock.server.lazy_module import LazyModule

if TYPE_CHECKING:
    from tinker_mock.server.wire import levels
else:
    levels = LazyModule("tinker_mock.server.wire.levels")

DEEPEST = 128
"""Levels of arrays and objects."""


def too_deep(content: bytes, most: int = DEEPEST) -> bool:
    """Whether arrays and objects of valid JSON nest deeper than so many levels."""
    if content.count(b"[") + content.count(b"{") <= most:
        return False
    for part in levels.levels(content):
        checkpoint()
        if part.depth.max() > most:
            return True
    return False
