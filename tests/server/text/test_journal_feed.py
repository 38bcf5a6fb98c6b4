"""The journal's feed shares the event writer and can be resumed."""

import json
from collections.abc import Iterator
from typing import Any

import httpx

from tinker_mock.server.serving.in_thread import RunningServer


def first_events(lines: Iterator[str], count: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    block: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        if name:
            block[name] = value.strip()
        elif "data" in block:
            found.append({"id": int(block["id"]), **json.loads(block["data"])})
            block = {}
        if len(found) == count:
            break
    return found


def test_a_broken_feed_is_resumed_behind_the_last_event(tinker_mock: RunningServer) -> None:
    feed, health = f"{tinker_mock.url}/_mock/journal/feed", f"{tinker_mock.url}/api/v1/healthz"
    for _ in range(3):
        httpx.get(health, timeout=60)
    with httpx.stream("GET", feed, headers={"Last-Event-ID": "1"}, timeout=60) as response:
        missed = first_events(response.iter_lines(), 2)
    assert [event["id"] for event in missed] == [2, 3]
    with httpx.stream("GET", feed, timeout=60) as response:
        lines = response.iter_lines()
        assert next(lines).startswith(":")
        httpx.get(health, timeout=60)
        live = first_events(lines, 1)
    assert live[0]["id"] == 4
    assert live[0]["path"] == "/api/v1/healthz"
