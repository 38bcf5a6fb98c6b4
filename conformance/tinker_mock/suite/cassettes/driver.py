"""What every client that tells stories has.

Loaded in a real SDK's environment too: standard library only.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

KEY = "tml-cassette"


class NotInReleaseError(Exception):
    """This client has no such call."""


class Driver(ABC):
    """What every client has: an end, and errors with a status."""

    @abstractmethod
    def close(self) -> None:
        """Say goodbye as this client does."""

    def failure(self, work: Callable[[], Any]) -> dict[str, Any]:
        """Status or category of the error a call ends in."""
        try:
            work()
        except Exception as error:
            return _described(error)
        return {"kind": "none"}


def _described(error: BaseException | None) -> dict[str, Any]:
    """The first error along the causes that has a status or a category."""
    while error is not None:
        status = getattr(error, "status_code", None) or getattr(error, "status", None)
        if isinstance(status, int):
            return {"kind": "status", "status": status}
        category = getattr(error, "category", None)
        if category is not None:
            return {"kind": "failed", "category": str(getattr(category, "value", category)).lower()}
        error = error.__cause__ or error.__context__
    return {"kind": "other"}
