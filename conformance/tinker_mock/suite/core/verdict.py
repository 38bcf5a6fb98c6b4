"""What one check found out about a target."""

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from tinker_mock.contracts.ledger import Requirement

VARYING = re.compile(r"[0-9a-f]{8}[0-9a-f-]*|\d+")
"""Ids and numbers, in which explanations of the same thing differ."""
NO_EXPLANATION = re.compile(
    r'internal server error|"(not found|method not allowed|bad request|forbidden)"', re.IGNORECASE
)
WAITS = "an operation waits for its predecessors"
MOMENT = "a moment with its time zone"
EXPLAINED = 12
"""Characters that an explanation has at least."""


class Status(StrEnum):
    """`error` is a fault of the suite itself; `not-testable` counts as a failure, and `not-judged`,
    for want of time, is nobody's."""

    PASS = "pass"
    FAIL = "fail"
    WARN = "warn"
    ERROR = "error"
    NOT_APPLICABLE = "n/a"
    NOT_TESTABLE = "not-testable"
    NOT_JUDGED = "not-judged"

    @property
    def bad(self) -> bool:
        """Whether this status makes a target non-conformant."""
        return self in (Status.FAIL, Status.ERROR, Status.NOT_TESTABLE)


@dataclass
class Verdict:
    """One check's outcome, with what a human needs to act on it."""

    check: str
    requirement: Requirement
    status: Status
    message: str = ""
    expected: str = ""
    actual: str = ""
    scenario: str = ""
    duration_ms: float = 0.0
    trace: list[dict[str, Any]] = field(default_factory=list)
    curl: str = ""
    timeouts: list[float] = field(default_factory=list)
    """When (time.monotonic) requests of it were sent that nobody answered."""
    ended_at: str = ""
    """The operation that it was asking for last."""
    cause: str = ""
    """What was missing for it to be made at all; equal for all that lacked the same thing."""

    @property
    def level(self) -> str:
        """MUST, SHOULD or MAY, from the requirement."""
        return self.requirement.level

    @property
    def bad(self) -> bool:
        """Whether with this verdict the target cannot be called conformant."""
        return self.status.bad or (self.status is Status.NOT_JUDGED and self.level == "MUST")


class Inapplicable(Exception):
    """A check cannot be made for a reason that is not the target's; the message says which."""


class OutOfTime(Exception):
    """The run's budget is over: nothing more is asked, and nobody is blamed for it."""


class Unmet(Exception):
    """The target did not do what was expected of it; carries both sides for the report."""

    def __init__(self, message: str, expected: object = "", actual: object = "") -> None:
        super().__init__(message)
        self.expected = shown(expected)
        self.actual = shown(actual)


class NoAnswer(Unmet):
    """A request that nobody answered in its time."""


class Lacking(Unmet):
    """Something is not there that other checks need as well.

    `told` is the server's own explanation. Without one, an answer that failed is a case of its
    own; with `whole`, the same thing is missing whatever was said. `operation` is the one that
    did not give it, where that is not the last one asked.
    """

    def __init__(
        self,
        message: str,
        expected: object,
        actual: object,
        told: str = "",
        whole: bool = False,
        operation: str = "",
    ) -> None:
        super().__init__(message, expected, actual)
        self.operation = operation
        explained = whole or (len(told) >= EXPLAINED and not NO_EXPLANATION.search(told))
        words = message if whole else VARYING.sub("#", told)[:200]
        self.cause = words if explained else ""


def overtaken(expected: object, actual: object) -> Lacking:
    """That an early operation did not wait."""
    return Lacking(WAITS, expected, actual, whole=True, operation="retrieve_future")


@contextmanager
def in_order() -> Iterator[None]:
    """What fails in the block fails because an operation overtook another."""
    try:
        yield
    except Unmet as unmet:
        raise overtaken(unmet.expected, unmet.actual) from unmet


@contextmanager
def judging(verdict: Verdict) -> Iterator[None]:
    """Fill in a verdict from what its block raises: Unmet is the target's failure (a SHOULD only
    warns), Inapplicable says that there is nothing to judge, anything else is the suite's own."""
    started = time.monotonic()
    try:
        yield
    except Unmet as unmet:
        verdict.status = Status.FAIL if verdict.level == "MUST" else Status.WARN
        verdict.message = str(unmet)
        verdict.expected, verdict.actual = unmet.expected, unmet.actual
        if isinstance(unmet, Lacking):
            verdict.cause, verdict.ended_at = unmet.cause, unmet.operation
    except Inapplicable as reason:
        verdict.status, verdict.message = Status.NOT_APPLICABLE, str(reason)
    except OutOfTime as over:
        verdict.status, verdict.message = Status.NOT_JUDGED, str(over)
    except Exception as error:
        verdict.status, verdict.message = Status.ERROR, f"{type(error).__name__}: {error}"
    verdict.duration_ms = (time.monotonic() - started) * 1000


def shown(value: object, limit: int = 600) -> str:
    """A short text of any value, for messages."""
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"


def expect(condition: object, message: str, expected: object = "", actual: object = "") -> None:
    """Raise Unmet unless the condition holds."""
    if not condition:
        raise Unmet(message, expected, actual)


def expect_equal(actual: object, expected: object, message: str) -> None:
    """Raise Unmet unless both are equal."""
    expect(actual == expected, message, expected, actual)


def expect_all_close(
    actual: Sequence[float], expected: Sequence[float], tolerance: float, message: str
) -> None:
    """Raise Unmet unless two lists are equally long and differ by at most `tolerance`."""
    expect_equal(len(actual), len(expected), f"{message}: equally many")
    for left, right in zip(actual, expected, strict=True):
        expect_close(left, right, tolerance, message)


def expect_close(actual: float, expected: float, tolerance: float, message: str) -> None:
    """Raise Unmet unless two numbers differ by at most `tolerance`."""
    if not abs(actual - expected) <= tolerance:
        raise Unmet(message, f"{expected} ± {tolerance}", actual)
