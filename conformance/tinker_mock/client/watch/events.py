"""What the client tells about itself while it works.

One hub per client. Metrics, the telemetry reporter and OpenTelemetry spans are subscribers; a
subscriber that raises is logged and never disturbs the work it watches.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, e.g. `http.request.stop` with its `duration_ms`."""

    name: str
    data: Mapping[str, Any] = field(default_factory=dict)


Subscriber = Callable[[Event], None]


class EventHub:
    """Hands each event to the subscribers of its name's prefix."""

    def __init__(self) -> None:
        self._subscribers: list[tuple[str, Subscriber]] = []

    def subscribe(self, prefix: str, subscriber: Subscriber) -> Callable[[], None]:
        """Call `subscriber` for every event whose name starts so; returns the unsubscriber."""
        entry = (prefix, subscriber)
        self._subscribers.append(entry)

        def stop() -> None:
            if entry in self._subscribers:
                self._subscribers.remove(entry)

        return stop

    @contextmanager
    def span(self, name: str, /, **data: Any) -> Iterator[dict[str, Any]]:
        """Tell of the body's start, and of its stop or exception with `duration_ms`.

        What the body puts into the dict is told at the end.
        """
        found: dict[str, Any] = {}
        started = time.monotonic()
        self.emit(f"{name}.start", **data)
        try:
            yield found
        except BaseException as error:
            elapsed = (time.monotonic() - started) * 1000
            self.emit(f"{name}.exception", **data, **found, duration_ms=elapsed, error=error)
            raise
        elapsed = (time.monotonic() - started) * 1000
        self.emit(f"{name}.stop", **data, **found, duration_ms=elapsed)

    def emit(self, name: str, /, **data: Any) -> None:
        """Tell everybody who listens."""
        event = Event(name, data)
        for prefix, subscriber in tuple(self._subscribers):
            if name.startswith(prefix):
                try:
                    subscriber(event)
                except Exception:
                    logger.exception("a subscriber failed on %s", name)
