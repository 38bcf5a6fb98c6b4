"""Questions to the journal over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import fields
from typing import Any

from tinker_mock.server.clock import RealClock
from tinker_mock.server.control.call import Call, Handler, done
from tinker_mock.server.errors import Conflict
from tinker_mock.server.journal.entry import Entry
from tinker_mock.server.journal.exports import EXPORTS
from tinker_mock.server.journal.query import Query
from tinker_mock.server.journal.verification import Expectation, verify
from tinker_mock.server.wire import sse
from tinker_mock.server.wire.exchange import Answer

FILTERS = {field.name for field in fields(Query)}


def _query(values: dict[str, Any]) -> Query:
    return Query(**{name: value for name, value in values.items() if name in FILTERS})


async def query_journal(call: Call) -> Answer:
    found = call.director.journal.select(_query(call.query))
    return done({"entries": [entry.as_dict() for entry in found]})


async def count_journal(call: Call) -> Answer:
    return done({"count": call.director.journal.count(_query(call.query))})


async def wait_for_count(call: Call) -> Answer:
    wanted, timeout = call.query["count"], call.query["timeout"]
    found = await call.director.journal.wait_for_count(_query(call.query), wanted, timeout)
    return done({"count": found}, 200 if found >= wanted else 408)


async def reset_journal(call: Call) -> Answer:
    return done({"count": call.director.journal.reset()})


async def journal_summary(call: Call) -> Answer:
    return done(call.director.journal.summary())


async def verify_journal(call: Call) -> Answer:
    expectations = [Expectation.of(written) for written in call.body["expectations"]]
    entries = call.director.journal.select(Query())
    result = verify(entries, expectations, in_order=call.body.get("in_order", False))
    if result.failure is not None:
        raise Conflict(
            result.failure.sentence,
            pointer=f"/expectations/{result.failure.position}",
            rule="verified exchanges must fit the expectation",
            fix="see nearest: the exchange that comes closest and how it differs",
            details={"counts": result.counts, "nearest": result.failure.nearest},
        )
    return done({"verified": True, "counts": result.counts})


async def export_journal(call: Call) -> Answer:
    content_type, render = EXPORTS[call.query["format"]]
    entries = call.director.journal.select(_query(call.query))
    return Answer(200, content=render(entries), content_type=content_type)


async def journal_feed(call: Call) -> Answer:
    """From now on; after a break, from behind the event that `Last-Event-ID` names."""
    last = call.headers.get("last-event-id", "")
    after = int(last) if last.isdecimal() else None
    return sse.stream_answer(_events(call, after), RealClock())


async def _events(call: Call, after: int | None) -> AsyncIterator[bytes]:
    journal = call.director.journal
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


HANDLERS: dict[str, Handler] = {
    "query_journal": query_journal,
    "count_journal": count_journal,
    "wait_for_count": wait_for_count,
    "reset_journal": reset_journal,
    "journal_summary": journal_summary,
    "verify_journal": verify_journal,
    "export_journal": export_journal,
    "journal_feed": journal_feed,
}
