"""The states of a server's queue, and telling people about them without telling too often."""

import logging
from collections.abc import Callable
from enum import StrEnum
from typing import Literal

from tinker_mock.client.clock import Clock, RealClock

logger = logging.getLogger(__name__)

Kind = Literal["sampling", "training"]


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


Observer = Callable[[QueueState, str | None], None]
DEBOUNCE_SECONDS = 60.0
_CAPACITY = "Tinker backend is running short on capacity, please wait"

_RATE_LIMIT = {
    "sampling": "concurrent sampler weights limit hit",
    "training": "concurrent training clients rate limit hit",
}


class StateChanges:
    """Passes a state on only when it, or its reason, changed. A failing observer is logged.

    Loggers hear every state: they remind of a long pause once a minute by themselves.
    """

    def __init__(self, *observers: Observer) -> None:
        self._observers = observers
        self._last: tuple[QueueState, str | None] | None = None

    def notify(self, state: QueueState, reason: str | None) -> None:
        """Tell the observers if there is news."""
        news = (state, reason) != self._last
        self._last = (state, reason)
        for observer in self._observers:
            if not news and not isinstance(observer, QueueStateLogger):
                continue
            try:
                observer(state, reason)
            except Exception:
                logger.exception("a queue-state observer failed")


class QueueStateLogger:
    """Logs pauses of one client, at most once a minute; being active is never logged."""

    def __init__(
        self, kind: Kind, who: str, *, clock: Clock | None = None, debounce: float | None = None
    ) -> None:
        self._kind: Kind = kind
        self._who = who
        self._clock = clock or RealClock()
        self._debounce = DEBOUNCE_SECONDS if debounce is None else debounce
        self._last: float | None = None

    def should_log(self, state: QueueState) -> bool:
        """Whether this state, now, is worth a line."""
        if state is QueueState.ACTIVE:
            return False
        return self._last is None or self._clock.monotonic() - self._last >= self._debounce

    def __call__(self, state: QueueState, reason: str | None) -> None:
        if self.should_log(state):
            self._last = self._clock.monotonic()
            logger.warning("%s", pause_line(state, self._kind, self._who, reason))


def pause_line(state: QueueState, kind: Kind, who: str, server_reason: str | None = None) -> str:
    """The sentence for a log."""
    return f"{kind.capitalize()} is paused for {who}. Reason: " + reason_for(
        state, kind, server_reason
    )


def reason_for(state: QueueState, kind: Kind, server_reason: str | None = None) -> str:
    """The server's reason if it gave one, else what the state usually means."""
    if server_reason:
        return server_reason
    if state is QueueState.PAUSED_RATE_LIMIT:
        return _RATE_LIMIT[kind]
    return _CAPACITY if state is QueueState.PAUSED_CAPACITY else "unknown"
