"""Regular expressions looked for in prompts, for no longer than a moment.

Backtracking may take for ever, and `re` lets nobody else run meanwhile. Where `regex` is installed
(the extra `text`, without which no prompt has text) it looks instead: the same language, with a
time limit, beside other threads.
"""

import re
from functools import lru_cache
from typing import Any

from tinker_mock.server.engine.errors import EngineError

SECONDS = 1.0
"""For one pattern in one prompt."""


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> Any:
    try:
        import regex
    except ImportError:
        return None
    try:
        return regex.compile(pattern)
    except regex.error:  # a few signs mean something else there
        return None


def check_pattern(pattern: str) -> None:
    """Raises EngineError for what is no regular expression."""
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as problem:
        raise EngineError(
            "pattern", f"is not a regular expression ({problem})", "Escape special signs"
        ) from None


def found(pattern: str, text: str) -> bool:
    """Whether the text has the pattern. Raises EngineError when it takes too long to say."""
    compiled = _compiled(pattern)
    if compiled is None:
        return bool(re.search(pattern, text))
    try:
        return bool(compiled.search(text, timeout=SECONDS, concurrent=True))
    except TimeoutError:
        raise EngineError(
            "prompt",
            f"the script's pattern {pattern[:80]!r} takes more than {SECONDS:g} s to look for "
            f"in its {len(text)} characters",
            "Write the pattern without repetitions of repetitions",
        ) from None
