"""What went wrong in a run, as the server said it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tinker_mock.suite.client.traffic import RecordedExchange, Traffic

WORDS = ("detail", "message", "error")


@dataclass(frozen=True)
class Failure:
    """A refused request, or a promise that failed. `status` is None for the latter."""

    work: str
    words: frozenset[str]
    status: int | None = None
    category: str | None = None


def failures(traffic: Traffic) -> list[Failure]:
    """All of a run, in order."""
    return list(found(traffic))


def found(traffic: Traffic) -> Iterator[Failure]:
    works = {one.answer.get("request_id"): one.work for one in traffic.submits}
    for one in traffic.exchanges:
        polled = one.operation == "retrieve_future"
        work = works.get(one.body.get("request_id"), "") if polled else one.work
        if one.status >= 400:
            yield Failure(work, words_of(one), one.status, one.answer.get("category"))
        elif polled and "error" in one.answer:
            yield Failure(work, words_of(one), None, one.answer.get("category"))


def words_of(exchange: RecordedExchange) -> frozenset[str]:
    """The server's sentences: it may say the same shorter and longer."""
    body: dict[str, Any] = exchange.answer
    found = [body.get(name) for name in WORDS]
    found = [one.get("message") if isinstance(one, dict) else one for one in found]
    return frozenset(str(one) for one in found if one)
