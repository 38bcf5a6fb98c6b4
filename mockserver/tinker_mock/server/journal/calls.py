"""The journal for assertions in tests: which operations were called, and with what."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from tinker_mock.contracts import load_contract
from tinker_mock.server.journal.bodies import BODY_LIMIT, plain
from tinker_mock.server.journal.entry import Entry
from tinker_mock.server.journal.message_view import readable
from tinker_mock.server.wire.exchange import PROTOBUF


@dataclass(frozen=True)
class Call:
    """One exchange. Secrets are redacted; bodies above a megabyte are `{"omitted": bytes}`."""

    number: int
    """Place in the journal, from 1."""
    operation: str | None
    """None for a path that no operation has."""
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: Any
    """The request's JSON; a protobuf body as the same kind of object."""
    status: int | None
    """None if no answer was sent."""
    answer: Any
    """The answer's JSON; a stream is `{"frames": [{"t_ms", "text"}]}`."""
    verdict: str
    """`ok`, `request`, `response`, `refused`, `fault` or `gone`."""
    violations: list[dict[str, Any]]
    client: str
    """Who asked, such as `tinker 0.38.0`."""
    milliseconds: float

    @classmethod
    def of(cls, entry: Entry) -> Call:
        """From the journal's own record."""
        return cls(
            number=entry.number,
            operation=entry.operation,
            method=entry.method,
            path=entry.path,
            query=entry.query,
            headers=entry.request_headers,
            body=_body(entry),
            status=entry.status,
            answer=entry.response_body,
            verdict=entry.verdict,
            violations=list(entry.as_dict()["violations"]),
            client=entry.client,
            milliseconds=entry.milliseconds,
        )


class Calls(list[Call]):
    """Calls, oldest first."""

    @property
    def called(self) -> bool:
        """Whether there is one."""
        return bool(self)

    @property
    def call_count(self) -> int:
        """How many there are."""
        return len(self)

    @property
    def last(self) -> Call:
        """The newest. Raises LookupError if there is none."""
        if not self:
            raise LookupError("there was no such call")
        return self[-1]


def calls_of(entries: Iterable[Entry], operation: str | None) -> Calls:
    """The calls of one operation, of all with None, in order of arrival.

    Raises ValueError for a name that no operation has.
    """
    if operation is not None:
        _check(operation)
    return Calls(Call.of(e) for e in entries if operation in (None, e.operation))


def last_of(entries: Iterable[Entry], operation: str | None) -> Call:
    """The newest call. Raises LookupError with what there was instead."""
    entries = list(entries)
    found = calls_of(entries, operation)
    if not found:
        names = dict.fromkeys(e.operation or f"{e.method} {e.path}" for e in entries)
        seen = f"called were {', '.join(names)}" if names else "nothing was called"
        raise LookupError(f"{operation or 'no operation'} was not called; {seen}")
    return found.last


def _check(operation: str) -> None:
    known = {*load_contract("tinker").operations, *load_contract("inference").operations}
    if operation in known:
        return
    close = get_close_matches(operation, sorted(known), n=1)
    hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(sorted(known))}"
    raise ValueError(f"there is no operation {operation!r}; {hint}")


def _body(entry: Entry) -> Any:
    message = PROTOBUF in entry.request_type and entry.operation == "forward_backward"
    if not (message and entry.raw_request):
        return entry.request_body
    encoding = entry.raw_request_headers.get("content-encoding", "")
    try:
        content = plain(entry.raw_request, encoding, BODY_LIMIT)
    except OverflowError:
        return {"omitted": entry.request_size}
    return readable("ForwardBackwardRequest", content)
