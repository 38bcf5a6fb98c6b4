"""Whether a failure, or one that caused it, is the user's own."""

from collections.abc import Mapping
from typing import Any

_LINKS = ("cause", "reason", "__cause__", "__context__")
_STATUS_NAMES = ("status", "status_code", "plug_status")


def user_error_in_chain(failure: Any) -> Any | None:
    """The first user error along causes and contexts, or `None`. Cycles are harmless.

    A failure is an exception or a mapping with the same names.
    """
    return _search(failure, set())


def is_user_error(failure: Any) -> bool:
    """Category user, or a 4xx other than 408 and 429, which speak about time."""
    if str(_get(failure, "category") or "").lower() == "user":
        return True
    status = next((s for name in _STATUS_NAMES if isinstance(s := _get(failure, name), int)), None)
    return status is not None and 400 <= status < 500 and status not in (408, 429)


def _search(failure: Any, seen: set[int]) -> Any | None:
    if failure is None or isinstance(failure, (str, int, float)) or id(failure) in seen:
        return None
    seen.add(id(failure))
    if is_user_error(failure):
        return failure
    found = (_search(_get(failure, link), seen) for link in _LINKS)
    return next((one for one in found if one is not None), None)


def _get(failure: Any, name: str) -> Any:
    if isinstance(failure, Mapping):
        return failure.get(name)
    return getattr(failure, name, None)
