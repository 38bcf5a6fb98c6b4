"""A recorded server: it answers from a cassette and notes how each request differs.

A request is compared with the recorded one in its path and query, the headers that a server acts
on, and its decoded body. Ids need no translation: the client only knows those of the recording.
"""

import asyncio
import threading
from collections import defaultdict, deque
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import parse_qsl, urlsplit

import httpx

from tinker_mock.suite.cassettes.bodies import decoded
from tinker_mock.suite.cassettes.cassette import (
    API,
    COMPARED_HEADERS,
    UNTIMELY,
    Cassette,
    Interaction,
)
from tinker_mock.suite.cassettes.comparing import unequal
from tinker_mock.suite.cassettes.ids import json_of
from tinker_mock.suite.core.http import Routes

_LONGEST_WAIT = 2.0  # seconds, for a request that may not come
LONGEST_HOLD = 10.0
"""Seconds that a poll without a recorded answer is held."""

Side = Literal["recorded", "replayed", "both"]


class UnexpectedRequestError(AssertionError):
    """The client asked for something the recorded client never did."""


@dataclass(frozen=True, slots=True, order=True)
class Difference:
    """A call only one side made, or one whose content differs; `at` says where in the request."""

    operation: str
    side: Side
    at: str = ""
    what: str = ""

    def __str__(self) -> str:
        if self.side == "both":
            return f"{self.operation}: {self.at}: {self.what}"
        return f"{self.operation}: only the {self.side} client asks {self.what}".rstrip()


class RecordedServer(httpx.AsyncBaseTransport):
    """Answers like the recorded server: promises by their id, the rest in recorded order.

    Polls for a promise that has no answer at all are held: its client had heard nothing when it
    cancelled. One that does not cancel is told so after `LONGEST_HOLD`.
    """

    def __init__(self, cassette: Cassette) -> None:
        self._left: dict[tuple[str, ...], deque[Interaction]] = defaultdict(deque)
        for one in cassette.interactions:
            self._left[_key(one.method, one.operation, one.request_body)].append(one)
        self._polled = frozenset(self._left)
        self._routes = Routes("tinker")
        self.noted: list[Difference] = []
        self._seen: defaultdict[str, threading.Event] = defaultdict(threading.Event)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        operation = request.url.path.partition(API)[2]
        self._seen[self._operation(request.method, request.url.path)].set()
        if operation in UNTIMELY:
            return httpx.Response(200, json={})
        key = _key(request.method, operation, body)
        left = self._left[key]
        if not left and operation == "retrieve_future" and key not in self._polled:
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.Event().wait(), LONGEST_HOLD)
        if not left:
            return self._unrecorded(request)
        mine = _content(_interaction(request, body))
        one = _best(left, mine)
        left.remove(one)
        self.noted += [
            Difference(self._name(one), "both", *found) for found in _compared(_content(one), mine)
        ]
        await asyncio.sleep(0)
        return httpx.Response(one.status, headers=one.response_headers, content=one.response_body)

    def until(self, operation: str) -> None:
        """Wait, in the client's thread, for a request of this operation; it may not come."""
        self._seen[operation].wait(_LONGEST_WAIT)

    def until_polled(self) -> None:
        """Wait, in the client's thread, until a promise has been asked for."""
        self.until("retrieve_future")

    def differences(self) -> list[Difference]:
        """All that was noted, and the recorded requests nobody sent."""
        unused = [
            Difference(self._name(one), "recorded", "", one.path)
            for left in self._left.values()
            for one in left
        ]
        return [*self.noted, *unused]

    def _unrecorded(self, request: httpx.Request) -> httpx.Response:
        """Ending a session may go unanswered; without any other answer no client can go on."""
        name = self._operation(request.method, request.url.path)
        path = request.url.raw_path.decode()
        if name != "finish_session":
            raise UnexpectedRequestError(f"nobody recorded {request.method} {path}")
        self.noted.append(Difference(name, "replayed", "", path))
        return httpx.Response(200, json={})

    def _name(self, one: Interaction) -> str:
        return self._operation(one.method, urlsplit(one.path).path)

    def _operation(self, method: str, path: str) -> str:
        operation = self._routes.match(method, path)
        return operation.id if operation is not None else f"{method} {path}"


def _key(method: str, operation: str, body: bytes) -> tuple[str, ...]:
    """Polls are told apart by their promise."""
    if operation == "retrieve_future":
        return method, operation, str((json_of(body) or {}).get("request_id"))
    return method, operation


def _interaction(request: httpx.Request, body: bytes) -> Interaction:
    headers = {name: value for name, value in request.headers.items() if name in COMPARED_HEADERS}
    path = request.url.raw_path.decode()
    return Interaction(request.method, path, headers, body, 0, {}, b"")


def _content(one: Interaction) -> dict[str, Any]:
    """What counts of a request."""
    headers = {name: v for name, v in one.request_headers.items() if name in COMPARED_HEADERS}
    kind, encoding = headers.get("content-type", ""), headers.get("content-encoding", "")
    if "accept" in headers:  # some releases name a type twice
        headers["accept"] = ", ".join(dict.fromkeys(headers["accept"].split(", ")))
    return {
        "query": dict(parse_qsl(urlsplit(one.path).query, keep_blank_values=True)),
        "headers": headers,
        "body": decoded(one.request_body, kind, encoding),
    }


def _best(left: "deque[Interaction]", mine: dict[str, Any]) -> Interaction:
    """Requests sent at once may arrive in another order: the equal one, else the first."""
    equal = (one for one in left if len(left) == 1 or not unequal(_content(one), mine))
    return next(equal, left[0])


def _compared(recorded: dict[str, Any], mine: dict[str, Any]) -> list[tuple[str, str]]:
    """(pointer, what differs) for every field."""
    return [
        (pointer, what) for pointer, _, what in (d.partition(": ") for d in fields(recorded, mine))
    ]


def fields(recorded: Any, mine: Any, at: str = "") -> list[str]:
    """As `unequal`, but a missing or additional field is told at its own pointer."""
    if isinstance(recorded, dict) and isinstance(mine, dict):
        missing = sorted(recorded.keys() - mine.keys())
        found = [f"{at}/{name}: not sent, recorded {recorded[name]!r}" for name in missing]
        found += [f"{at}/{name}: not recorded" for name in sorted(mine.keys() - recorded.keys())]
        for name in sorted(recorded.keys() & mine.keys()):
            found += fields(recorded[name], mine[name], f"{at}/{name}")
        return found
    if isinstance(recorded, list) and isinstance(mine, list) and len(recorded) == len(mine):
        pairs = enumerate(zip(recorded, mine, strict=True))
        return [one for i, (a, b) in pairs for one in fields(a, b, f"{at}/{i}")]
    return unequal(recorded, mine, at)
