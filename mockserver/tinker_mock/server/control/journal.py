"""Questions to the journal over HTTP."""

from collections.abc import AsyncIterator
from dataclasses import fields
from typing import Any

from tinker_mock.server.clock import RealClock
from tinker_mock.server.control.mock_control import MockControl
from tinker_mock.server.errors import Conflict
from tinker_mock.server.journal import Journal
from tinker_mock.server.journal.entry import Entry
from tinker_mock.server.journal.exports import EXPORTS
from tinker_mock.server.journal.query import Query
from tinker_mock.server.journal.verification import Expectation, verify
from tinker_mock.server.wire import sse
from tinker_mock.server.wire.exchange import Answer, Exchange

FILTERS = {field.name for field in fields(Query)} - {"body"}


def _query(values: dict[str, Any]) -> Query:
    return Query(**{name: value for name, value in values.items() if name in FILTERS})


async def query_journal(control: MockControl, exchange: Exchange) -> dict[str, Any]:
    found = control.journal.select(_query(exchange.query))
    return {"entries": [entry.as_dict() for entry in found]}


async def count_journal(control: MockControl, exchange: Exchange) -> dict[str, Any]:
    return {"count": control.journal.count(_query(exchange.query))}


async def wait_for_count(control: MockControl, exchange: Exchange) -> Answer:
    wanted, timeout = exchange.query["count"], exchange.query["timeout"]
    found = await control.journal.wait_for_count(_query(exchange.query), wanted, timeout)
    return Answer(200 if found >= wanted else 408, {"count": found})


async def reset_journal(control: MockControl, exchange: Exchange) -> dict[str, Any]:
    return {"count": control.journal.reset()}


async def journal_summary(control: MockControl, exchange: Exchange) -> dict[str, Any]:
    return control.journal.summary()


async def verify_journal(control: MockControl, exchange: Exchange) -> dict[str, Any]:
    expectations = [Expectation.of(written) for written in exchange.body["expectations"]]
    entries = control.journal.select(Query())
    result = verify(entries, expectations, in_order=exchange.body.get("in_order", False))
    if result.failure is not None:
        raise Conflict(
            result.failure.sentence,
            pointer=f"/expectations/{result.failure.position}",
            rule="verified exchanges must fit the expectation",
            fix="see nearest: the exchange that comes closest and how it differs",
            details={"counts": result.counts, "nearest": result.failure.nearest},
        )
    return {"verified": True, "counts": result.counts}


async def export_journal(control: MockControl, exchange: Exchange) -> Answer:
    content_type, render = EXPORTS[exchange.query["format"]]
    entries = control.journal.select(_query(exchange.query))
    return Answer(200, content=render(entries), content_type=content_type)


async def journal_feed(control: MockControl, exchange: Exchange) -> Answer:
    """From now on; after a break, from behind the event that `Last-Event-ID` names."""
    last = exchange.headers.get("last-event-id", "")
    after = int(last) if last.isdecimal() else None
    return sse.stream_answer(_events(control.journal, after), RealClock())


async def _events(journal: Journal, after: int | None) -> AsyncIterator[bytes]:
    yield sse.comment("the journal of tinker-mock")
    while after is not None:
        missed = journal.select(Query(after=after))
        if not missed:
            break
        for entry in missed:
            yield _event(entry)
            after = entry.number
    async for entry in journal.feed():
        yield _event(entry)


def _event(entry: Entry) -> bytes:
    return sse.event(entry.as_dict(), name="exchange", id=str(entry.number))
