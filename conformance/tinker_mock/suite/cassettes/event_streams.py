"""Streamed answers: server-sent events, compared one by one."""

from typing import Any

from tinker_mock.client.http.sse import SseDecoder
from tinker_mock.suite.cassettes.comparing import differences
from tinker_mock.suite.cassettes.ids import json_of

EVENT_STREAM = "text/event-stream"


def stream_differences(recorded: bytes, live: bytes, *, values: bool) -> list[str]:
    """Every difference. Without values two streams may say more or less, but begin and end alike
    and have the same kinds of events."""
    then, now = _events(recorded), _events(live)
    kinds, others = {kind for kind, _ in then}, {kind for kind, _ in now}
    if kinds != others:
        return [f"events {sorted(others)}, recorded {sorted(kinds)}"]
    if values and len(then) != len(now):
        return [f"{len(now)} events, recorded {len(then)}"]
    if not values:
        then, now = [*then[:1], *then[-1:]], [*now[:1], *now[-1:]]
    return [
        f"event {number}{what}"
        for number, ((_, told), (_, tells)) in enumerate(zip(then, now, strict=True))
        for what in differences(told, tells, values=values)
    ]


def _events(content: bytes) -> list[tuple[str, Any]]:
    """(kind, data) of each; data that is no JSON is text."""
    events = SseDecoder().feed(content)
    return [(one.event or "message", _data(one.data)) for one in events]


def _data(text: str) -> Any:
    body = json_of(text.encode())
    return text if body is None else body
