"""How deep JSON may nest: the one limit of whatever a client sends.

Everything that reads a body after it was decoded (validators, the journal, its exports) can go
deeper than that.
"""

import re

DEEPEST = 128
"""Levels of arrays and objects."""
STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
ONE_KIND = bytes.maketrans(b"{}", b"[]")
NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


def too_deep(content: bytes, levels: int = DEEPEST) -> bool:
    """Whether arrays and objects of valid JSON nest deeper than so many levels."""
    if content.count(b"[") + content.count(b"{") <= levels:
        return False
    brackets = STRING.sub(b"", content).translate(ONE_KIND, NO_BRACKETS)
    for _ in range(levels):  # each turn takes away what has nothing inside
        if not brackets:
            break
        brackets = brackets.replace(b"[]", b"")
    return bool(brackets)
