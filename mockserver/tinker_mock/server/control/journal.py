"""Questions to the journal over HTTP."""

from collections.abc import AsyncIterator, Callable
from dataclasses import fields
from typing import Any

from tinker_mock.server.budget import checkpoint
from tinker_mock.server.clock import RealClock
from tinker_mock.server.control.mock_control import MockControl
from tinker_mock.server.errors import Conflict, NotFound
from tinker_mock.server.journal import Journal
from tinker_mock.server.journal.bodies import keep_body
from tinker_mock.server.journal.entry import Entry
from tinker_mock.server.journal.exchange_view import in_full
from tinker_mock.server.journal.exports import EXPORTS
from tinker_mock.server.journal.query import Query
from tinker_mock.server.journal.resend import sent_again
from tinker_mock.server.journal.verification import Expectation, verify
from tinker_mock.server.wire import sse
from tinker_mock.server.wire.exchange import JSON, Answer, Exchange

Shape = Callable[[Entry], dict[str, Any]]
SHAPES: dict[str, Shape] = {"full": Entry.as_dict, "line": Entry.line}
FILTERS = {field.name for field in fields(Query)} - {"body"}


def _query(values: dict[str, Any]) -> Query:
    return Query(**{name: value for name, value in values.items() if name in FILTERS})


def _journal(control: MockControl) -> Journal:
    """The journal; raises Conflict where there is none, since nothing it said would be true."""
    if not control.journal.size:
        raise Conflict(
            "this mock keeps no journal",
            rule="the journal can be asked while it is on",
            fix="serve with --journal-size above 0",
        )
    return control.journal


async def query_journal(control: MockControl, exchange: Exchange) -> dict[str, Any]:
    journal, query = _journal(control), _query(exchange.query)
    shape = SHAPES[exchange.query["view"]]

    def shown() -> list[dict[str, Any]]:
        found = []
        for entry in journal.select(query):
            checkpoint()
            found.append(shape(entry))
        return found

    return {"entries": await control.backend.compute(shown)}


async def get_exchange(control: MockControl, exchange: Exchange) -> dict[str, Any]:
    """One exchange in full; made in a thread, for it may be large."""
    entry = _entry(control, exchange)
    asked = _asked_for(control, entry)
    return await control.backend.compute(in_full, entry, asked)


async def send_again(control: MockControl, exchange: Exchange) -> dict[str, Any]:
    """The same bytes and headers through the mock's own front door."""
    entry = _entry(control, exchange)
    if entry.request_size > len(entry.raw_request):
        raise Conflict(
            f"number: the body of exchange {entry.number} was too large to keep",
            pointer="/number",
            rule="only what the journal kept can be sent again",
        )
    status, content = await sent_again(control.app, entry)
    return {"status": status, "body": keep_body(content, JSON, len(content))}


def _entry(control: MockControl, exchange: Exchange) -> Entry:
    number = int(exchange.path_params["number"])
    found = _journal(control).select(Query(after=number - 1, limit=1))
    if not found or found[0].number != number:
        raise NotFound(
            f"number: no exchange {number} is kept",
            pointer="/number",
            rule="the journal keeps the newest exchanges",
            fix="list them at GET /_mock/journal?view=line",
        )
    return found[0]


def _asked_for(control: MockControl, entry: Entry) -> str:
    """The operation whose result the answer is: the promise's, where a promise was polled."""
    body = entry.request_body if entry.operation == "retrieve_future" else None
    request_id = body.get("request_id") if isinstance(body, dict) else None
    promise = control.backend.state.promises.get(str(request_id))
    return promise.operation if promise else entry.operation or ""


async def count_journal(control: MockControl, exchange: Exchange) -> dict[str, Any]:
    journal = _journal(control)
    count = await control.backend.compute(journal.count, _query(exchange.query))
    return {"count": count, "forgotten": journal.forgotten}


async def wait_for_count(control: MockControl, exchange: Exchange) -> Answer:
    wanted, timeout = exchange.query["count"], exchange.query["timeout"]
    found = await _journal(control).wait_for_count(_query(exchange.query), wanted, timeout)
    return Answer(200 if found >= wanted else 408, {"count": found})


async def reset_journal(control: MockControl, exchange: Exchange) -> dict[str, Any]:
    return {"count": control.journal.reset()}


async def journal_summary(control: MockControl, exchange: Exchange) -> dict[str, Any]:
    return control.journal.summary()


async def verify_journal(control: MockControl, exchange: Exchange) -> dict[str, Any]:
    expectations = [Expectation.of(written) for written in exchange.body["expectations"]]
    journal, in_order = _journal(control), exchange.body.get("in_order", False)
    entries = journal.select(Query())
    result = await control.backend.compute(lambda: verify(entries, expectations, in_order=in_order))
    if result.failure is not None:
        raise Conflict(
            result.failure.sentence,
            pointer=f"/expectations/{result.failure.position}",
            rule="verified exchanges must fit the expectation",
            fix="see nearest: the exchange that comes closest and how it differs",
            details={
                "counts": result.counts,
                "nearest": result.failure.nearest,
                "forgotten": journal.forgotten,
            },
        )
    return {"verified": True, "counts": result.counts, "forgotten": journal.forgotten}


async def export_journal(control: MockControl, exchange: Exchange) -> Answer:
    content_type, render = EXPORTS[exchange.query["format"]]
    journal, query = _journal(control), _query(exchange.query)
    content = await control.backend.compute(lambda: render(journal.select(query)))
    return Answer(200, content=content, content_type=content_type)


async def journal_feed(control: MockControl, exchange: Exchange) -> Answer:
    """From now on; after a break, from behind the event that `Last-Event-ID` names."""
    last = exchange.headers.get("last-event-id", "")
    after = int(last) if last.isdecimal() else None
    shape = SHAPES[exchange.query["view"]]
    return sse.stream_answer(_events(control.journal, after, shape), RealClock())


async def _events(journal: Journal, after: int | None, shape: Shape) -> AsyncIterator[bytes]:
    yield sse.comment("the journal of tinker-mock")
    while after is not None:
        missed = journal.select(Query(after=after))
        if not missed:
            break
        for entry in missed:
            yield _event(entry, shape)
            after = entry.number
    async for entry in journal.feed():
        yield _event(entry, shape)


def _event(entry: Entry, shape: Shape) -> bytes:
    return sse.event(shape(entry), name="exchange", id=str(entry.number))
