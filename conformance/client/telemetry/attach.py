"""Telemetry for a whole client, switched on by the config and off by `TINKER_TELEMETRY=0`."""

from collections.abc import Callable

from ..session.connection import Connection
from .reporter import ReporterSettings, TelemetryReporter

_REPORTED = ("future.", "retry.attempt.failed", "session.")


def attach_telemetry(connection: Connection, settings: ReporterSettings | None = None) -> None:
    """Report from the moment the session exists until the connection closes."""
    if not connection.config.telemetry_enabled:
        return

    async def begin(session_id: str) -> None:
        reporter = TelemetryReporter(connection.transport, session_id, settings)
        stops: list[Callable[[], None]] = [
            connection.events.subscribe(prefix, reporter.on_event) for prefix in _REPORTED
        ]
        reporter.start()

        async def end() -> None:
            for stop in stops:
                stop()
            await reporter.stop()

        connection.on_close.append(end)

    connection.on_session.append(begin)
