"""Memory that was freed but is still held by the C library, and how it goes back to the system.

The engine's threads free large arrays into arenas of their own, which glibc keeps: several hundred
MiB after a busy minute, of a process that uses a hundred.
"""

import ctypes
from collections.abc import Callable

ARENA_MAX = -8
"""Of glibc's `mallopt`."""


def _found() -> Callable[[int], int] | None:
    try:
        trim: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):  # another C library
        return None
    return trim


_trim = _found()


def keep_together() -> bool:
    """All threads allocate from one place, as they take turns anyway: each of their own would keep
    a share of what is free. False where that cannot be asked for."""
    try:
        return bool(ctypes.CDLL(None).mallopt(ARENA_MAX, 1))
    except (AttributeError, OSError, TypeError):  # another C library
        return False


def give_back() -> bool:
    """Return what is free to the system, in milliseconds; False where that cannot be asked for."""
    return _trim is not None and bool(_trim(0))
