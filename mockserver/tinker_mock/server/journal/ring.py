"""The journal: a bounded ring of exchanges, with queries, waiting, a feed and a summary."""

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import AsyncIterator, Callable
from typing import Any

from tinker_mock.server.budget import MIB
from tinker_mock.server.clock import Clock, RealClock
from tinker_mock.server.effects import words
from tinker_mock.server.errors import ServiceError
from tinker_mock.server.journal.bodies import kept
from tinker_mock.server.journal.entry import FRAME, Entry
from tinker_mock.server.journal.query import Query
from tinker_mock.server.journal.redaction import redact_text
from tinker_mock.server.wire.exchange import Exchange

FEED_BACKLOG = 1000
MALFORMED = {405, 413, 415, 422}  # refusals of the message itself, not of what it asks for
SHARES = 8
"""No body takes more than this part of the journal."""
MOST_SENTENCES = 1000
"""Different violations that are counted one by one."""
MOST_FIELDS = 200
"""Unknown fields of one request that are named."""
OTHERS = "other violations"


class Journal:
    """The last exchanges. Entries are numbered from 1 in order of arrival.

    `size` is how many are kept (0: none, and only counted), `memory` how many MiB they may take,
    `body` how many MiB a body may have to be kept.
    """

    def __init__(
        self,
        clock: Clock,
        size: int = 10_000,
        memory: int = 64,
        body: int = 1,
        *,
        server: str = "mock",
    ) -> None:
        self.clock = clock
        self.most_bytes = memory * MIB
        self.body_limit = min(body * MIB, self.most_bytes // SHARES)
        self.server = server
        """Who is to blame for a wrong answer."""
        self.size = size
        self.entries: deque[Entry] = deque()
        self.violations: Counter[str] = Counter()
        self.totals: Counter[tuple[str, str, str]] = Counter()  # operation, status, verdict
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._open: dict[int, Entry] = {}
        self._count = 0
        self.bytes = 0
        """What the entries weigh together."""
        self.forgotten = 0
        """Entries that had to give way since the last reset."""
        self._changed: asyncio.Event | None = None
        """Somebody waits for the next entry."""
        self._feeds: set[asyncio.Queue[Entry]] = set()
        self.listeners: list[Callable[[Entry], None]] = []
        """Told of every entry that closes; they must not block."""

    # --- recording -----------------------------------------------------------------------

    def open(self, exchange: Exchange) -> None:
        self._count += 1
        entry = Entry(
            number=self._count,
            operation=exchange.operation.id if exchange.operation else None,
            method=exchange.method,
            raw_path=exchange.path,
            raw_query=dict(exchange.query),
            raw_request_headers=exchange.headers,
            received_at=self.clock.now(),
        )
        self._open[id(exchange)] = entry
        self._keep(entry)

    def close(self, exchange: Exchange) -> None:
        entry = self._open.pop(id(exchange), None)
        if entry is None:
            return
        self._fill_request(entry, exchange)
        self._fill_answer(entry, exchange)
        entry.verdict = verdict(exchange)
        self._weigh(entry)
        if entry.verdict in ("request", "response"):
            for violation in entry.violations:
                self._count_violation(self._sentence(entry, violation))
        self._total(entry)
        self._announce(entry)

    async def recorded(
        self, exchange: Exchange, stream: AsyncIterator[bytes]
    ) -> AsyncIterator[bytes]:
        """The stream, with its chunks and when they came kept on the exchange."""
        entry = self._open.get(id(exchange))
        size = 0
        async for chunk in stream:
            size += len(chunk) + FRAME
            if entry is not None:
                entry.response_size += len(chunk)
            if size <= self.body_limit:
                exchange.frames.append((self.clock.now(), chunk))
            yield chunk

    def _total(self, entry: Entry) -> None:
        operation = entry.operation or "none"
        self.totals[operation, str(entry.status or "none"), entry.verdict] += 1
        self.seconds[operation] += (entry.answered_at or 0.0) - entry.received_at

    def _fill_request(self, entry: Entry, exchange: Exchange) -> None:
        entry.operation = exchange.operation.id if exchange.operation else entry.operation
        entry.request_type = exchange.headers.get("content-type", "")
        entry.request_size = len(exchange.raw_body)
        entry.body_limit = self.body_limit
        entry.raw_request = kept(exchange.raw_body, self.body_limit)
        entry.tenant = exchange.tenant.id if exchange.tenant else ""
        entry.client = exchange.dialect.label
        entry.unknown_fields = exchange.unknown_fields[:MOST_FIELDS]
        found = [*exchange.request_violations, *exchange.response_violations]
        if found:
            entry.violations = [violation.as_dict() for violation in found]
        elif isinstance(exchange.error, ServiceError):
            entry.violations = [_refusal(exchange.error)]
        if exchange.effects:
            entry.effects = words(exchange.effects)
        entry.notes = _notes(exchange)

    def _fill_answer(self, entry: Entry, exchange: Exchange) -> None:
        entry.answered_at = self.clock.now()
        answer = exchange.answer
        if answer is None:
            return
        entry.status = answer.status or None
        entry.raw_response_headers = answer.headers
        entry.response_type = answer.content_type
        entry.frames = exchange.frames
        if answer.stream is None:
            content = answer.encoded()
            entry.response_size = len(content)
            entry.raw_response = kept(content, self.body_limit)

    def _sentence(self, entry: Entry, violation: dict[str, Any]) -> str:
        blamed = "client" if entry.verdict == "request" else self.server
        what, where = entry.operation or f"{entry.method} {entry.path}", violation["pointer"] or "/"
        return f"{blamed}: {what}: {where}: {redact_text(violation['message'])}"

    def _count_violation(self, sentence: str) -> None:
        known = sentence in self.violations or len(self.violations) < MOST_SENTENCES
        self.violations[sentence if known else OTHERS] += 1

    def _keep(self, entry: Entry) -> None:
        self.entries.append(entry)
        entry.kept = True
        self._weigh(entry)

    def _weigh(self, entry: Entry) -> None:
        """Count what a kept entry weighs now, and let the oldest give way."""
        if not entry.kept:
            return
        weight = entry.weighed()
        self.bytes += weight - entry.weight
        entry.weight = weight
        while self.entries and (len(self.entries) > self.size or self.bytes > self.most_bytes):
            oldest = self.entries.popleft()
            oldest.kept = False
            self.bytes -= oldest.weight
            self.forgotten += 1

    def _announce(self, entry: Entry) -> None:
        changed, self._changed = self._changed, None
        if changed is not None:
            changed.set()
        for listener in self.listeners:
            listener(entry)
        for feed in self._feeds:
            if not feed.full():
                feed.put_nowait(entry)

    # --- asking -----------------------------------------------------------------------------

    def select(self, query: Query) -> list[Entry]:
        """Closed entries that fit, oldest first. Safe in any thread."""
        found = [e for e in list(self.entries) if e.verdict != "open" and query.fits(e)]
        start = query.offset
        return found[start : start + query.limit] if query.limit else found[start:]

    def count(self, query: Query) -> int:
        return sum(1 for e in list(self.entries) if e.verdict != "open" and query.fits(e))

    async def wait_for_count(self, query: Query, count: int, timeout: float) -> int:
        """The number of fitting entries once it reaches `count`, or when `timeout` has passed.

        The timeout is real time: it guards the tester, not the simulated service.
        """
        patience = RealClock()
        deadline = patience.monotonic() + timeout
        while (found := self.count(query)) < count:
            left = deadline - patience.monotonic()
            changed = self._changed = self._changed or asyncio.Event()
            if left <= 0 or not await patience.wait_for(changed, left):
                return self.count(query)
        return found

    async def feed(self) -> AsyncIterator[Entry]:
        """Entries as they are closed, from now on; a slow reader misses the overflow."""
        queue: asyncio.Queue[Entry] = asyncio.Queue(FEED_BACKLOG)
        self._feeds.add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self._feeds.discard(queue)

    def reset(self) -> int:
        """Forget all closed entries; numbering starts again. Returns how many there were."""
        gone = [entry for entry in self.entries if entry.verdict != "open"]
        self.entries = deque(entry for entry in self.entries if entry.verdict == "open")
        for entry in gone:
            entry.kept = False
        self.bytes = sum(entry.weight for entry in self.entries)
        self.forgotten = 0
        self._count = len(self.entries)
        for number, entry in enumerate(self.entries, 1):
            entry.number = number
        self.violations.clear()
        return len(gone)

    def summary(self) -> dict[str, Any]:
        """Counts per operation, status and verdict, for people."""
        closed = [entry for entry in self.entries if entry.verdict != "open"]
        return {
            "exchanges": len(closed),
            "forgotten": self.forgotten,
            "operations": dict(Counter(entry.operation or "(none)" for entry in closed)),
            "statuses": dict(Counter(str(entry.status) for entry in closed)),
            "verdicts": dict(Counter(entry.verdict for entry in closed)),
            "violations": dict(self.violations),
        }

    def report(self) -> str:
        """The summary in lines for a terminal, most frequent violation first."""
        exchanges, violations = sum(self.totals.values()), self.violations.total()
        said = f"{counted(exchanges, 'exchange')}, {counted(violations, 'violation')}"
        lines = [f"tinker-mock: {said}"]
        for sentence, count in self.violations.most_common():
            lines.append(f"  {count:>6} x {sentence}")
        return "\n".join(lines)


def counted(count: int, noun: str) -> str:
    """`1 exchange`, `2 exchanges`."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _notes(exchange: Exchange) -> dict[str, Any]:
    """What a fault did, beside what its effects say."""
    notes: dict[str, Any] = {}
    if exchange.injected:
        notes["injected"] = True
    if exchange.masked is not None:
        notes["masked"] = exchange.masked
    return notes


def verdict(exchange: Exchange) -> str:
    if exchange.response_violations:
        return "response"
    if exchange.request_violations:
        return "request"
    if exchange.client_gone:
        return "gone"
    if exchange.effects:
        return "fault"
    if isinstance(exchange.error, ServiceError):
        malformed = exchange.operation is None or exchange.error.status in MALFORMED
        return "request" if malformed else "refused"
    return "ok"


def _refusal(error: ServiceError) -> dict[str, Any]:
    """A refusal in the shape of a violation, with its fix."""
    return {
        "pointer": error.pointer,
        "rule": error.rule,
        "message": error.message,
        "requirement": error.requirement,
        "fix": error.fix,
    }
