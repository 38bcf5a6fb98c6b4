"""OpenTelemetry: spans for requests and their headers, where `opentelemetry-api` is installed."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from tinker_mock.client.watch.events import Event, EventHub


def trace_requests(events: EventHub, tracer: Any = None) -> Callable[[], None]:
    """One client span per HTTP attempt, named after method and path; returns how to stop.

    Does nothing, and says so by returning a no-op, when the package is missing and no tracer is
    given.
    """
    if tracer is None:
        try:
            tracer = import_module("opentelemetry.trace").get_tracer("tinker_mock.client")
        except ModuleNotFoundError:
            return lambda: None
    return events.subscribe("http.request.", RequestSpans(tracer))


def trace_headers() -> dict[str, str]:
    """`traceparent` and `tracestate` of the caller's span; none without one, or the package."""
    try:
        inject = import_module("opentelemetry.propagate").inject
    except ModuleNotFoundError:
        return {}
    carrier: dict[str, str] = {}
    inject(carrier)
    return carrier


class RequestSpans:
    """Makes a span of each finished attempt, with the start time it really had."""

    def __init__(self, tracer: Any) -> None:
        self._tracer = tracer

    def __call__(self, event: Event) -> None:
        if event.name == "http.request.start":
            return
        data = event.data
        end = int(data["ended_ns"])
        span = self._tracer.start_span(
            f"{data['method']} {data['path']}",
            start_time=end - int(data["duration_ms"] * 1e6),
            attributes={
                "http.request.method": data["method"],
                "url.path": data["path"],
                "http.request.resend_count": data["attempt"],
                **({"http.response.status_code": data["status"]} if data["status"] else {}),
            },
        )
        if data.get("error") is not None:
            span.record_exception(data["error"])
        span.end(end_time=end)
