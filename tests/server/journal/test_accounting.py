"""What the journal thinks it holds is what it holds, whatever came and went in which order."""

import asyncio
import gc
import tracemalloc
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinker_mock.server.clock import RealClock
from tinker_mock.server.journal import Journal
from tinker_mock.server.journal.query import Query
from tinker_mock.server.serving.in_thread import RunningServer
from tinker_mock.server.settings import Settings
from tinker_mock.server.wire.exchange import Answer, Exchange

MIB = 1 << 20


def exchange(request: int, header: int) -> Exchange:
    headers = {"content-type": "text/plain", "x-long": "h" * header}
    return Exchange("POST", "/api/v1/healthz", headers, raw_body=bytes([120]) * request)


def answered(journal: Journal, one: Exchange, size: int) -> None:
    one.answer = Answer(content=bytes([121]) * size, content_type="text/plain")
    journal.close(one)


def true_weight(journal: Journal) -> int:
    return sum(entry.weighed() for entry in journal.entries)


steps = st.lists(
    st.tuples(
        st.sampled_from(["open", "close", "both", "reset"]),
        st.integers(0, 300_000),  # bytes of a body
        st.integers(0, 20_000),  # of a header
        st.integers(0, 100),  # which of the open ones is closed
    ),
    max_size=60,
)


@given(steps)
@settings(max_examples=150, deadline=None)
def test_the_count_of_bytes_is_exact_and_bounded(plan: list[tuple[str, int, int, int]]) -> None:
    journal, waiting = Journal(RealClock(), size=8, memory=1), []
    for action, body, header, place in plan:
        if action in ("open", "both"):
            waiting.append(exchange(body, header))
            journal.open(waiting[-1])
        if action == "both":
            answered(journal, waiting.pop(), body)
        if action == "close" and waiting:
            answered(journal, waiting.pop(place % len(waiting)), body)
        if action == "reset":
            journal.reset()
        assert journal.bytes == true_weight(journal) == sum(e.weight for e in journal.entries)
        assert journal.bytes <= MIB
        assert len(journal.entries) <= 8
        assert journal.count(Query()) == len(journal.select(Query()))


def test_held_polls_do_not_empty_the_journal() -> None:
    journal = Journal(RealClock(), 10_000)
    held = [exchange(60, 10) for _ in range(100)]
    for one in held:
        journal.open(one)
    for _ in range(90):
        answered_at_once(journal, 800_000)
    for one in held:
        answered(journal, one, 700_000)
    journal.reset()
    for _ in range(200):
        answered_at_once(journal, 100)
    assert journal.count(Query()) == 200
    assert journal.forgotten == 0


def answered_at_once(journal: Journal, size: int) -> None:
    one = exchange(size, 10)
    journal.open(one)
    answered(journal, one, 100)


def test_weights_are_what_the_memory_grows_by() -> None:
    journal = Journal(RealClock(), 100_000, memory=512)
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(1000):
            headers = {f"x-header-{i}-{number}": f"value {i} {number}" * 3 for i in range(20)}
            one = Exchange("GET", f"/api/v1/{number}", headers, raw_body=str(number).encode() * 200)
            journal.open(one)
            answered(journal, one, 500)
        del one, headers
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert journal.bytes * 0.5 < grown < journal.bytes * 1.1


def test_reading_the_journal_keeps_nothing() -> None:
    journal = Journal(RealClock(), 100)
    for _ in range(20):
        one = exchange(0, 10)
        one.headers = {"content-type": "application/json"}
        one.raw_body = b"[" + b"{}," * 100_000 + b"{}]"
        journal.open(one)
        answered(journal, one, 10)
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for entry in journal.select(Query()):
            assert len(entry.as_dict()["request_body"]) == 100_001
        gc.collect()
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert grown < MIB


def test_streams_are_kept_within_the_bound_and_their_size_is_told() -> None:
    async def stream() -> AsyncIterator[bytes]:
        for _ in range(20_000):
            yield b"data: x\n\n"

    async def play() -> Journal:
        journal = Journal(RealClock(), 10, memory=1)
        one = exchange(0, 0)
        journal.open(one)
        one.answer = Answer(content_type="text/event-stream", stream=stream())
        async for _ in journal.recorded(one, one.answer.stream):
            pass
        journal.close(one)
        return journal

    journal = asyncio.run(play())
    (entry,) = journal.entries
    assert entry.response_size == 20_000 * 9
    assert 0 < entry.weight <= MIB // 7
    assert journal.bytes == true_weight(journal)


def test_violations_are_counted_one_by_one_up_to_a_limit() -> None:
    journal = Journal(RealClock(), 5)
    for number in range(1500):
        one = exchange(0, 0)
        journal.open(one)
        one.error = refusal(number)
        answered(journal, one, 0)
    assert journal.violations.total() == 1500
    assert len(journal.violations) == 1001


def refusal(number: int) -> Any:
    from tinker_mock.server.errors import NotFound

    return NotFound(f"no operation number {number}")


def test_a_mock_without_journal_says_so_and_still_judges() -> None:
    with (
        RunningServer(Settings(port=0, journal_size=0, fail_on="violation")) as server,
        httpx.Client(base_url=server.url, headers={"X-API-Key": "tml-a"}) as http,
    ):
        assert http.post("/api/v1/create_session", json={"tags": 7}).status_code == 422
        for method, path in (
            ("GET", "/_mock/journal"),
            ("GET", "/_mock/journal/count"),
            ("GET", "/_mock/journal/export?format=har"),
            ("POST", "/_mock/journal/verify"),
        ):
            body = {"expectations": [{"count": 0}]} if method == "POST" else None
            answer = http.request(method, path, json=body)
            assert (answer.status_code, "--journal-size" in answer.text) == (409, True)
        assert len(server.mock.journal.entries) == 0
        assert server.mock.control.exit_report() == 1


@pytest.mark.parametrize("size", [1, 3])
def test_the_journal_has_the_size_it_is_given(size: int) -> None:
    with (
        RunningServer(Settings(port=0, journal_size=size)) as server,
        httpx.Client(base_url=server.url) as http,
    ):
        for _ in range(5):
            http.get("/api/v1/healthz")
        told = http.get("/_mock/journal/count").json()
    assert told == {"count": size, "forgotten": 5 - size}
