"""Choosing checks by id: a prefix (`futures/`), a glob (`*/reject/*`), several with commas."""

from collections.abc import Iterable
from fnmatch import fnmatchcase


def selects(patterns: Iterable[str], check: str) -> bool:
    """Whether any pattern names the check; no pattern at all selects everything."""
    patterns = tuple(patterns)
    return not patterns or any(matches(pattern, check) for pattern in patterns)


def matches(pattern: str, check: str) -> bool:
    """Whether one pattern is the id, one of its leading parts, or a glob that fits it."""
    if any(sign in pattern for sign in "*?["):
        return fnmatchcase(check, pattern)
    return check == pattern or check.startswith(pattern.rstrip("/") + "/")


def split_patterns(text: str | None) -> tuple[str, ...]:
    """The patterns of a command-line value."""
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())
