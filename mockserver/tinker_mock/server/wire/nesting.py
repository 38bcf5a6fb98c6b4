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
SHORT = 64 * 1024
"""Bytes of which a copy is made to count: several times as fast, and no matter for the memory."""


def counted(content: bytes, signs: bytes) -> int:
    """How many of these bytes there are."""
    if len(content) > SHORT:
        return sum(content.count(sign) for sign in signs)
    return len(content) - len(content.translate(None, signs))


def too_deep(content: bytes, most: int = DEEPEST) -> bool:
    """Whether arrays and objects of valid JSON nest deeper than so many levels."""
    if counted(content, b"[{") <= most:
        return False
    for part in levels.levels(content):
        checkpoint()
        if part.depth.max() > most:
            return True
    return False
