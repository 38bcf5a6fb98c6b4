"""What a program sent to the mock and was answered, as the journal has it."""

import base64
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import zstandard

from tinker_mock.contracts import load_contract
from tinker_mock.suite.client.report import Line
from tinker_mock.suite.core.proto import decode_forward_backward, decode_result

ZSTD = b"\x28\xb5\x2f\xfd"
"""How a zstd frame begins; the journal keeps bodies decompressed where it can."""


@dataclass
class RecordedExchange:
    """One exchange. Times are Unix seconds."""

    entry: Mapping[str, Any]

    @property
    def operation(self) -> str:
        """The contract operation, or empty for a path outside the contract."""
        return str(self.entry["operation"] or "")

    @property
    def ordered(self) -> bool:
        """Whether its number is a place in a model's lane."""
        return self.operation in load_contract("tinker").ordered

    @property
    def headers(self) -> Mapping[str, str]:
        """Request headers, lower case."""
        return dict(self.entry.get("request_headers") or {})

    @cached_property
    def body(self) -> dict[str, Any]:
        """The request body in its JSON shape; empty if it has none."""
        body = self.entry.get("request_body")
        if not isinstance(body, dict):
            return {}
        if set(body) != {"base64"}:
            return body
        content = base64.b64decode(body["base64"])
        if self.headers.get("content-encoding") == "zstd" and content.startswith(ZSTD):
            content = zstandard.ZstdDecompressor().decompressobj().decompress(content)
        return decode_forward_backward(content)

    @property
    def answer(self) -> dict[str, Any]:
        """The JSON answer; empty for others."""
        body = self.entry.get("response_body")
        return body if isinstance(body, dict) else {}

    def told(self, operation: str) -> dict[str, Any]:
        """The answer as an operation's result, whatever form it came in."""
        body = self.entry.get("response_body")
        if not isinstance(body, dict) or set(body) != {"base64"}:
            return self.answer
        return dict(decode_result(base64.b64decode(body["base64"]), operation))

    @property
    def status(self) -> int:
        """The status sent, 0 when no answer was."""
        return int(self.entry.get("status") or 0)

    @property
    def at(self) -> float:
        """When the request came."""
        return float(self.entry["received_at"])

    @property
    def until(self) -> float:
        """When it was answered."""
        return float(self.entry.get("answered_at") or self.at)

    @property
    def effects(self) -> str:
        """What the situation did to it."""
        return str(self.entry.get("effects") or "")

    @property
    def ok(self) -> bool:
        """Whether it was answered 2xx and nobody cut the answer."""
        return 200 <= self.status < 300 and "lose" not in self.effects

    @property
    def identity(self) -> tuple[Any, ...]:
        """What makes two submissions the same work."""
        body = self.body
        owner = body.get("model_id") or body.get("sampling_session_id") or body.get("session_id")
        number = body.get("seq_id", body.get("model_seq_id"))
        return (self.operation, owner, number)


@dataclass
class Traffic:
    """One run of the program under one situation. `exit_code` is None if it was stopped."""

    situation: str
    exchanges: list[RecordedExchange]
    exit_code: int | None = 0
    seconds: float = 0.0
    output: str = ""
    key: str = ""
    notes: dict[str, Any] = field(default_factory=dict)
    report: list[Line] = field(default_factory=list)
    """What the program says that it understood."""

    def of(self, *operations: str) -> list[RecordedExchange]:
        """The exchanges of these operations, in order."""
        return [one for one in self.exchanges if one.operation in operations]

    @cached_property
    def submits(self) -> list[RecordedExchange]:
        """Every submission of work."""
        return self.of(*load_contract("tinker").promised)

    @cached_property
    def ordered(self) -> list[RecordedExchange]:
        """Every submission that has a place in a model's lane."""
        return [one for one in self.exchanges if one.ordered]

    @cached_property
    def polls(self) -> list[RecordedExchange]:
        """Every poll."""
        return self.of("retrieve_future")

    def result(self, submitted: RecordedExchange) -> dict[str, Any]:
        """What was told of a submission's promise at last, in its JSON shape; empty if nothing."""
        promise = submitted.answer.get("request_id")
        told = [
            one for one in self.polls if one.body.get("request_id") == promise and one.status == 200
        ]
        return told[-1].told(submitted.operation) if promise and told else {}

    @cached_property
    def release(self) -> int:
        """The minor release that the client says it is; 0 if it does not say."""
        for one in self.exchanges:
            agent = re.search(r"Python (0\.\d+)", one.headers.get("user-agent", ""))
            told = one.headers.get("x-stainless-package-version"), one.body.get("sdk_version")
            for text in (*told, agent and agent[1]):  # forks have a version of their own besides
                match = re.match(r"0\.(\d+)", str(text or ""))
                if match:
                    return int(match[1])
        return 0

    def repeats(
        self, operation: Iterable[str], *statuses: int
    ) -> list[tuple[RecordedExchange, RecordedExchange | None]]:
        """Each submission that got one of these statuses, and its repetition.

        That is the same work under the same number. A client that numbers its repetitions anew is
        given the last requests of the same work, each once: equal ones may have been sent together.
        """
        names = set(operation)
        refused = [
            one for one in self.exchanges if one.operation in names and one.status in statuses
        ]
        pairs: list[tuple[RecordedExchange, RecordedExchange | None]] = [
            (one, self._next(one, lambda a, b: a.identity == b.identity)) for one in refused
        ]
        kept = {one.operation for one, again in pairs if again is not None}
        taken: set[int] = set()
        for place in range(len(pairs) - 1, -1, -1):
            one, again = pairs[place]
            if again is None and one.operation not in kept:
                pairs[place] = (one, self._last(one, taken))
        return pairs

    def _next(
        self, one: RecordedExchange, alike: Callable[[RecordedExchange, RecordedExchange], bool]
    ) -> RecordedExchange | None:
        later = self.exchanges[self.exchanges.index(one) + 1 :]
        return next((two for two in later if alike(one, two)), None)

    def _last(self, one: RecordedExchange, taken: set[int]) -> RecordedExchange | None:
        """The last request for the same work that came after the refusal and is nobody's yet."""
        for place in range(len(self.exchanges) - 1, -1, -1):
            two = self.exchanges[place]
            if two is one or two.at < one.until:
                return None
            if place not in taken and same_work(one, two):
                taken.add(place)
                return two
        return None


def same_work(one: RecordedExchange, two: RecordedExchange) -> bool:
    """Whether two exchanges ask for the same, whatever their number."""
    mine = {name: value for name, value in one.body.items() if name != "seq_id"}
    other = {name: value for name, value in two.body.items() if name != "seq_id"}
    return one.operation == two.operation and mine == other
