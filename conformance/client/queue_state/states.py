"""The states of a server's queue."""

from enum import StrEnum


class QueueState(StrEnum):
    """What a server says about work that is not done yet."""

    ACTIVE = "active"
    PAUSED_RATE_LIMIT = "paused_rate_limit"
    PAUSED_CAPACITY = "paused_capacity"
    UNKNOWN = "unknown"

    @classmethod
    def parse(cls, text: object) -> "QueueState":
        """Any case, blanks around; everything else is `UNKNOWN`."""
        try:
            return cls(str(text).strip().lower())
        except ValueError:
            return cls.UNKNOWN

    @property
    def paused(self) -> bool:
        return self in (QueueState.PAUSED_RATE_LIMIT, QueueState.PAUSED_CAPACITY)
