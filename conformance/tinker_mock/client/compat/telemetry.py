"""What telemetry sends, as `tinker.types` names it. Source: SDK 0.38.0."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tinker_mock.client.compat.answers import EventType, Severity


@dataclass(frozen=True)
class SessionStartEvent:
    """The session began."""

    event: EventType
    event_id: str
    event_session_index: int
    severity: Severity
    timestamp: datetime


@dataclass(frozen=True)
class SessionEndEvent:
    """The session ended."""

    duration: str
    event: EventType
    event_id: str
    event_session_index: int
    severity: Severity
    timestamp: datetime


@dataclass(frozen=True)
class UnhandledExceptionEvent:
    """The program met an exception that nobody handled."""

    error_message: str
    error_type: str
    event: EventType
    event_id: str
    event_session_index: int
    severity: Severity
    timestamp: datetime
    traceback: str | None = None


@dataclass(frozen=True)
class GenericEvent:
    """Anything else, by its name."""

    event: EventType
    event_id: str
    event_name: str
    event_session_index: int
    severity: Severity
    timestamp: datetime
    event_data: Mapping[str, Any] = field(default_factory=dict)


TelemetryEvent = SessionStartEvent | SessionEndEvent | UnhandledExceptionEvent | GenericEvent


@dataclass(frozen=True)
class TelemetryBatch:
    """Some events of a session."""

    events: Sequence[TelemetryEvent]
    platform: str
    sdk_version: str
    session_id: str
    process_uuid: str


@dataclass(frozen=True)
class TelemetrySendRequest:
    """Some events of a session, on their way."""

    events: Sequence[TelemetryEvent]
    platform: str
    sdk_version: str
    session_id: str
    process_uuid: str
