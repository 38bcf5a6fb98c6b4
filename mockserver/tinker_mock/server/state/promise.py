"""Promises and lanes as plain records: what a snapshot keeps."""

from dataclasses import dataclass, field
from typing import Any, Literal

PromiseState = Literal["queued", "running", "completed", "failed", "cancelled", "expired"]
OPEN: tuple[PromiseState, ...] = ("queued", "running")


@dataclass(frozen=True)
class Outcome:
    """How an operation ended: `result` when completed, `error` and `category` when failed."""

    state: PromiseState
    result: Any = None
    error: str = ""
    category: str = "unknown"


@dataclass
class Promise:
    """One accepted operation. `payload` is the request in its JSON shape and is dropped
    when the operation has ended; results are encoded only when somebody asks."""

    request_id: str
    operation: str
    tenant_id: str
    lane_id: str
    seq_id: int | None
    fingerprint: str
    payload: dict[str, Any]
    submitted_at: float
    session_id: str = ""
    model_id: str = ""
    base_model: str = ""
    sequence_ids: list[str] = field(default_factory=list)
    state: PromiseState = "queued"
    outcome: Outcome | None = None
    """Set once the work is done; visible to clients when `state` says so."""
    started_at: float | None = None
    finished_at: float | None = None
    number: int = 0
    """Position among the completions of its lane, from 1; 0 while open."""
    polls: int = 0
    acknowledged: bool = False
    cycle: int | None = None
    """The clock cycle it takes part in, where the server works in cycles."""

    @property
    def open(self) -> bool:
        """Not finished yet."""
        return self.state in OPEN


@dataclass
class Lane:
    """The promises of one model (ordered by seq_id) or of one sampling client (unordered)."""

    id: str
    ordered: bool
    expected: int = 1
    """The next seq_id to run in an ordered lane."""
    slots: dict[int, str | None] = field(default_factory=dict)
    """seq_id -> request id waiting to run; None marks a number that will never come."""
    arrivals: dict[str, int] = field(default_factory=dict)
    """Waiting request ids without a seq_id -> the highest seq_id accepted before them."""
    submitted: dict[int, str] = field(default_factory=dict)
    """seq_id -> request id, for everything ever accepted."""
    current: str | None = None
    """The request id that runs now, in an ordered lane."""
    completions: list[str] = field(default_factory=list)
    """Request ids in order of completion."""

    def next_ready(self) -> str | None:
        """Take the next request id that may run, skipping numbers that will never come."""
        first = next(iter(self.arrivals), None)
        if first is not None and self.arrivals[first] < self.expected:
            del self.arrivals[first]
            return first
        while self.expected in self.slots:
            request_id = self.slots.pop(self.expected)
            self.expected += 1
            if request_id is not None:
                return request_id
        return None

    def blocked(self) -> bool:
        """Promises wait here for a number that has not arrived."""
        return self.ordered and bool(self.slots) and self.expected not in self.slots

    def give_up_gap(self) -> list[str]:
        """Stop waiting for missing numbers; returns the request ids that waited behind them."""
        waiting = [self.slots[number] for number in sorted(self.slots)]
        self.expected = max(self.slots, default=self.expected - 1) + 1
        self.slots.clear()
        return [request_id for request_id in waiting if request_id is not None]


def model_lane(model_id: str) -> str:
    """The id of the lane that a model's operations run in."""
    return f"model:{model_id}"
