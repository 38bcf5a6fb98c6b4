"""Reporting for a connection: from the moment its session exists until it closes."""

from collections.abc import Callable

from tinker_mock.client.session.connection import Connection
from tinker_mock.client.telemetry.reporter import ReporterSettings, TelemetryReporter
from tinker_mock.client.watch.events import Event

_REPORTED = (
    "future.",
    "http.request.",
    "queue.state_change",
    "regularizer.",
    "custom_loss.",
    "recovery.",
    "retry.attempt.failed",
    "session.",
)
_FAILURES = "operation.exception"


def attach_telemetry(connection: Connection, settings: ReporterSettings | None = None) -> None:
    """Report the session's events; before there is one, the newest SDK's failures only."""
    if not connection.config.telemetry_enabled:
        return

    def without_session(happened: Event) -> None:
        if connection.reporter is None:
            reporter = _begin(connection, None, (), settings)
            stops.append(connection.events.subscribe(_FAILURES, reporter.on_failure))
            reporter.on_failure(happened)

    stops: list[Callable[[], None]] = []
    if connection.preset.telemetry_without_session:
        stops.append(connection.events.subscribe(_FAILURES, without_session))

    async def begin(session_id: str) -> None:
        for stop in stops:
            stop()
        reporter = _begin(connection, session_id, _REPORTED, settings)
        stops[:] = [connection.events.subscribe(_FAILURES, reporter.on_failure)]

    connection.on_session.append(begin)


def _begin(
    connection: Connection,
    session_id: str | None,
    prefixes: tuple[str, ...],
    settings: ReporterSettings | None,
) -> TelemetryReporter:
    """Make the connection's reporter, and close it with the connection."""
    hub, reporter = connection.events, TelemetryReporter(connection.transport, session_id, settings)
    stops = [hub.subscribe(prefix, reporter.on_event) for prefix in prefixes]
    connection.reporter = reporter
    reporter.start()

    async def end() -> None:
        for stop in stops:
            stop()
        await reporter.stop()

    connection.on_close.append(end)
    return reporter
