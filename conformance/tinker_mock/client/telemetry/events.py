"""Telemetry events as they travel."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any


class EventType(StrEnum):
    """What happened; upper case on the wire."""

    SESSION_START = "session_start"
    SESSION_END = "session_end"
    UNHANDLED_EXCEPTION = "unhandled_exception"
    GENERIC_EVENT = "generic_event"

    @property
    def wire(self) -> str:
        return self.value.upper()

    @classmethod
    def from_wire(cls, text: str) -> "EventType":
        return cls(text.lower())


class Severity(StrEnum):
    """How bad it is; upper case on the wire."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"
    CRITICAL = "critical"

    @property
    def wire(self) -> str:
        return self.value.upper()

    @classmethod
    def from_wire(cls, text: str) -> "Severity":
        return cls(text.lower())


@dataclass(frozen=True, slots=True)
class Stamp:
    """What every event carries: an id, its number in the session, and when it happened."""

    event_id: str
    index: int
    timestamp: str


def event(kind: EventType, stamp: Stamp, severity: Severity, **fields: Any) -> dict[str, Any]:
    """An event's JSON object; fields that are None are left out."""
    return {
        "event": kind.wire,
        "event_id": stamp.event_id,
        "event_session_index": stamp.index,
        "severity": severity.wire,
        "timestamp": stamp.timestamp,
        **{name: value for name, value in fields.items() if value is not None},
    }


def generic_event(
    stamp: Stamp, name: str, data: Mapping[str, Any] | None, severity: Severity
) -> dict[str, Any]:
    return event(
        EventType.GENERIC_EVENT, stamp, severity, event_name=name, event_data=dict(data or {})
    )


def iso_time(unix_seconds: float) -> str:
    """A wire time stamp in UTC."""
    return datetime.fromtimestamp(unix_seconds, UTC).isoformat().replace("+00:00", "Z")


def duration_text(seconds: float) -> str:
    """`H:MM:SS`, with microseconds when there are any."""
    whole, micro = divmod(round(seconds * 1_000_000), 1_000_000)
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    fraction = f".{micro:06d}" if micro else ""
    return f"{hours}:{minute:02d}:{second:02d}{fraction}"
