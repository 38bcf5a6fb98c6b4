"""The other direction: a recorded client meets a live server.

The cassette's requests are sent again, recorded ids replaced by those the live server gave; its
answers must have the recorded status, content type and shape, and the same values where the
contract fixes them: results of the same weights, data and seed.
"""

from dataclasses import dataclass
from typing import Any

import httpx

from tinker_mock.suite.cassettes.cassette import Cassette, Interaction
from tinker_mock.suite.cassettes.comparing import differences
from tinker_mock.suite.cassettes.driver import KEY
from tinker_mock.suite.cassettes.event_streams import EVENT_STREAM, stream_differences
from tinker_mock.suite.cassettes.ids import IdMap, json_of

_POLLS = 40
PATIENCE = 15.0
"""Seconds until an answer: what was recorded had come, so it comes again."""
_BY_BEARER = "/oai/"
_HELD_HEADERS = frozenset({"accept", "content-type", "content-encoding", "x-tinker-request-type"})


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Where a live answer is not like the recorded one."""

    number: int
    operation: str
    what: str

    def __str__(self) -> str:
        return f"#{self.number} {self.operation}: {self.what}"


def replay_to_server(
    cassette: Cassette, url: str, *, api_key: str = KEY, values: bool = True
) -> list[Mismatch]:
    """All mismatches; with `values` False only shapes are compared (for other servers)."""
    ids = IdMap()
    found: list[Mismatch] = []
    unseeded = _unseeded(cassette.interactions)
    with httpx.Client(base_url=url, timeout=PATIENCE, follow_redirects=False) as http:
        for number, one in enumerate(cassette.interactions):
            if _superseded(cassette.interactions, number):
                continue
            try:
                live = _send(http, one, ids, api_key)
            except httpx.TimeoutException:
                late = f"no answer within {PATIENCE:g} s, recorded {one.status}"
                found.append(Mismatch(number, one.operation, late))
                continue
            found += [
                Mismatch(number, one.operation, what)
                for what in _compared(one, live, ids, values and number not in unseeded)
            ]
    return found


def _unseeded(interactions: list[Interaction]) -> set[int]:
    """Polls for samples that were drawn without a seed: nobody can draw the same again."""
    free: set[str] = set()
    found: set[int] = set()
    for number, one in enumerate(interactions):
        request = json_of(one.request_body) or {}
        if one.operation == "asample" and request.get("sampling_params", {}).get("seed") is None:
            free.add((json_of(one.response_body) or {}).get("request_id", ""))
        elif one.operation == "retrieve_future" and request.get("request_id") in free:
            found.add(number)
    return found


def _superseded(interactions: list[Interaction], number: int) -> bool:
    """A poll that was told to try again is repeated by the later one; we ask only once."""
    one = interactions[number]
    return _waits(one) and _pending(one.status, json_of(one.response_body))


def _waits(one: Interaction) -> bool:
    """Operations that a client asks again and again until they are done."""
    return one.operation == "retrieve_future" or one.operation.endswith("/trace_export")


def _pending(status: int, body: Any) -> bool:
    said = body if isinstance(body, dict) else {}
    return status == 408 or said.get("type") == "try_again" or said.get("status") == "pending"


def _send(http: httpx.Client, one: Interaction, ids: IdMap, api_key: str) -> httpx.Response:
    headers = {name: value for name, value in one.request_headers.items() if name in _HELD_HEADERS}
    if "user-agent" in one.request_headers:
        headers["user-agent"] = one.request_headers["user-agent"]
    if one.path.startswith(_BY_BEARER):
        headers["authorization"] = f"Bearer {api_key}"
    else:
        headers["x-api-key"] = api_key
    for _ in range(_POLLS):
        response = http.request(
            one.method,
            ids.replace(one.path),
            content=ids.replace_bytes(one.request_body) or None,
            headers=headers,
        )
        if not _waits(one) or not _pending(response.status_code, json_of(response.content)):
            break
    return response


def _compared(one: Interaction, live: httpx.Response, ids: IdMap, values: bool) -> list[str]:
    if live.status_code != one.status:
        return [f"status {live.status_code}, recorded {one.status}: {live.text[:200]}"]
    kind = live.headers.get("content-type", "").partition(";")[0]
    if kind != one.content_type:
        return [f"content type {kind!r}, recorded {one.content_type!r}"]
    if kind == EVENT_STREAM:
        return stream_differences(one.response_body, live.content, values=values)
    recorded, answered = json_of(one.response_body), json_of(live.content)
    if recorded is None or answered is None:
        same = not values or live.content == one.response_body
        return [] if same else ["the binary result differs from the recorded one"]
    ids.learn(recorded, answered)
    return differences(recorded, answered, values=values)
